"""What Airflow tells of itself that no task can: a DAG file that does not import any more."""

from __future__ import annotations

import logging

from airflow.listeners import hookimpl

from corral_ops.hook import CorralHook

log = logging.getLogger(__name__)

# Of one file; the DAG processor finds it broken at every look.
COOL_DOWN_S = 6 * 3600.0
_BODY = """\
{filename} cannot be imported. What it defines is not scheduled until it can be again.

{stacktrace}
"""


@hookimpl
def on_new_dag_import_error(filename: str, stacktrace: str) -> None:
    """Tell of it."""
    _tell(filename, stacktrace)


@hookimpl
def on_existing_dag_import_error(filename: str, stacktrace: str) -> None:
    """Tell of it, unless that was done some hours ago."""
    _tell(filename, stacktrace)


def _tell(filename: str, stacktrace: str) -> None:
    """Write it into the outbox; whatever happens, the DAG processor goes on."""
    from include.corral.outbox import enqueue
    from models.session import first_line

    try:
        corral = CorralHook().corral()
        try:
            with corral.write() as session:
                enqueue(
                    session,
                    dedup_key=f"dag_import {filename}",
                    rule="dag_import",
                    severity="critical",
                    subject=f"[corral] {filename.rpartition('/')[2]} cannot be imported",
                    body=_BODY.format(filename=filename, stacktrace=stacktrace[-4000:]),
                    cool_down_s=COOL_DOWN_S,
                )
        finally:
            corral.close()
    except Exception as error:  # noqa: BLE001  see above
        log.warning("a broken DAG file could not be told of: %s", first_line(error))
