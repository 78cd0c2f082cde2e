"""`corral alerts`: what was told, what waits, and what is known already."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from include.corral.corral import Corral
from include.corral.pipeline import Pipeline
from include.corral.silence import acknowledge, silence
from models.alert import Alert
from models.delivery import ChannelState, Delivery, DeliveryAttempt, DeliveryStatus, Silence
from models.session import database_now

Say = Callable[[str], None]
LISTED = 30


def add_alerts(commands: Any) -> None:
    """Add the command and its actions to the parser of commands."""
    alerts = commands.add_parser("alerts", help="what was told, what waits; say that it is known")
    actions = alerts.add_subparsers(metavar="action")
    alerts.set_defaults(command=_list, all=False)
    listed = actions.add_parser("list", help="the latest, those that wait first (default)")
    listed.add_argument("--all", action="store_true", help=f"more than {LISTED}")
    listed.set_defaults(command=_list)
    known = actions.add_parser("ack", help="somebody knows of it: it is not told of again")
    known.add_argument("alert", type=int, help="number of the alert")
    _add_why(known)
    known.set_defaults(command=_acknowledge)
    quiet = actions.add_parser("silence", help="keep quiet about what a rule says")
    quiet.add_argument("rule", help="as `corral alerts` shows it")
    quiet.add_argument("--night", default="", help="YYYY-MM-DD; by default all nights")
    _add_why(quiet)
    quiet.set_defaults(command=_silence)


def _add_why(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", required=True, help="why")
    parser.add_argument("--author", default=getpass.getuser(), help="who says so (%(default)s)")
    parser.add_argument("--hours", type=float, help="for so long; by default for ever")


def _list(arguments: argparse.Namespace, _pipeline: Pipeline, corral: Corral, say: Say) -> int:
    with corral.read() as session:
        for line in _lines(session, None if arguments.all else LISTED):
            say(line)
    return 0


def _lines(session: Session, limit: int | None) -> Iterator[str]:
    query = (
        select(Alert, Delivery, DeliveryAttempt)
        .join(Alert.deliveries)
        .outerjoin(Delivery.attempt)
        .order_by(Delivery.status != DeliveryStatus.PENDING, Alert.id.desc())
    )
    for alert, delivery, attempt in session.execute(query.limit(limit)):
        when = f"{alert.created_at:%Y-%m-%d %H:%M}"
        yield f"{alert.id:6}  {when}  {alert.severity:8}  {alert.subject}"
        why = f" ({attempt.outcome}: {attempt.detail})" if attempt and attempt.detail else ""
        yield f"        {alert.rule} → {delivery.channel}: {delivery.status}{why}"
    now = database_now(session.connection())
    for state in session.scalars(select(ChannelState).where(ChannelState.paused_until > now)):
        yield f"channel {state.name}: {state.failures} failure(s), next try {state.paused_until}"
    for row in session.scalars(select(Silence).order_by(Silence.id)):
        if row.until is None or row.until > now:
            what = " ".join(filter(None, (row.rule, row.topic, row.partition)))
            until = f"until {row.until:%Y-%m-%d %H:%M} UTC" if row.until else "for ever"
            yield f"silent {until}: {what} ({row.author}: {row.reason})"


def _acknowledge(
    arguments: argparse.Namespace, _pipeline: Pipeline, corral: Corral, say: Say
) -> int:
    with corral.write() as session:
        row = acknowledge(session, arguments.alert, **_why(arguments))
        say(f"{row.topic} is not told of again")
    return 0


def _silence(arguments: argparse.Namespace, _pipeline: Pipeline, corral: Corral, say: Say) -> int:
    with corral.write() as session:
        silence(session, rule=arguments.rule, partition=arguments.night, **_why(arguments))
    say(f"{arguments.rule} is silent")
    return 0


def _why(arguments: argparse.Namespace) -> dict[str, Any]:
    hours = arguments.hours
    until = None if hours is None else datetime.now(UTC) + timedelta(hours=hours)
    return {"reason": arguments.reason, "author": arguments.author, "until": until}
