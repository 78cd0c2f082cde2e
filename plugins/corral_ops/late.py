"""A run that is late is told of while it is: nothing has failed yet, and somebody can look."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from corral_ops.hook import DEFAULT_CONN_ID, CorralHook

_BODY = """\
The run has not ended {minutes:g} minutes after it was queued.

DAG    {dag_id}
run    {run_id}
night  {night}

It goes on, and nothing was stopped. Its page says which task it is at; `corral status` says what
that one has done and what is open.
"""


def late_after(interval: timedelta, *, conn_id: str = DEFAULT_CONN_ID) -> DeadlineAlert:
    """Give the ``deadline`` of a DAG whose runs should have ended by then.

    :param interval: since the run was queued.
    :param conn_id: the installation whose outbox is used.
    """
    given = {"conn_id": conn_id, "minutes": interval.total_seconds() / 60}
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=interval,
        callback=AsyncCallback(tell_late, kwargs=given),
    )


async def tell_late(*, conn_id: str, minutes: float, context: dict[str, Any] | None = None) -> None:
    """Write the message into the outbox; the triggerer must not wait for a mail server.

    :param conn_id: the installation.
    :param minutes: that the run may take.
    :param context: what Airflow knows of the run.
    """
    run = (context or {}).get("dag_run") or {}
    settings = await CorralHook(conn_id).asettings()
    await asyncio.to_thread(_enqueue, settings, _facts(run), minutes)


def _facts(run: Any) -> dict[str, str]:
    """Take the run as an object or as JSON: releases of Airflow differ, also in its names."""
    from include.corral.outbox import one_line

    known = run if isinstance(run, dict) else vars(run)
    night = known.get("partition_key") or (known.get("conf") or {}).get("night")
    facts = {
        "dag_id": known.get("dag_id"),
        "run_id": known.get("run_id") or known.get("dag_run_id"),
        "night": night,
    }
    return {name: one_line(str(fact or "-"), 250) for name, fact in facts.items()}


def _enqueue(settings: Any, facts: dict[str, str], minutes: float) -> None:
    from include.corral.corral import Corral
    from include.corral.outbox import enqueue

    corral = Corral(settings)
    try:
        with corral.write() as session:
            enqueue(
                session,
                dedup_key=f"late {facts['dag_id']} {facts['run_id']}",
                rule="run_late",
                subject=f"[corral] {facts['dag_id']} {facts['night']} is late".replace(" - ", " "),
                body=_BODY.format(minutes=minutes, **facts),
                partition="" if facts["night"] == "-" else facts["night"][:64],
                context=facts,
            )
    finally:
        corral.close()
