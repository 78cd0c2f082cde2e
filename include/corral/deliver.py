"""The postman: what waits in the outbox goes out, urgent things first, and nothing twice.

Three steps, as for any unit of work: an attempt is written down, with the messages that it takes
along; the channel is asked; the outcome is written down. A process that dies between the first and
the last leaves an attempt of which nobody knows whether it arrived. Its messages are sent again
together, as the same message with the same Message-ID: that is the one case in which something can
arrive twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from include.corral.channel import Channel, NotNow, Refused, Unfit
from include.corral.corral import Corral
from include.corral.errors import ConfigurationError
from include.corral.parcel import Parcel, next_parcel, settle
from include.corral.silence import apply_silences
from models.delivery import AttemptOutcome
from models.session import first_line

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Delivered:
    """What one round of the postman came to.

    Attributes
    ----------
    messages, alerts
        That went out; a digest is one message of many alerts.
    troubles
        One line for each channel that could not be used.
    """

    messages: int = 0
    alerts: int = 0
    troubles: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """One line."""
        line = f"{self.alerts} alert(s) in {self.messages} message(s) sent"
        return "; ".join([line, *self.troubles])


def deliver(
    corral: Corral,
    channels: Mapping[str, Channel | ConfigurationError],
    *,
    at_most: int | None = None,
) -> Delivered:
    """Send what is due on every channel.

    A channel that is down is no failure of the caller: what it has not taken stays in the outbox,
    and the other channels are served. Any number of processes may deliver at once; through one
    channel one of them sends at a time.

    Parameters
    ----------
    corral
        Whose outbox is emptied.
    channels
        By name; one that is misconfigured has its reason in place of it.
    at_most
        Messages for each channel; None sends all that is due.

    Returns
    -------
    Delivered
    """
    done = Delivered()
    with corral.write() as session:
        apply_silences(session)
    for name, channel in channels.items():
        trouble = (
            str(channel)
            if isinstance(channel, ConfigurationError)
            else _serve(corral, name, channel, done, at_most)
        )
        if trouble:
            log.warning("channel %s: %s", name, trouble)
            done.troubles.append(f"{name}: {trouble}")
    return done


def _serve(
    corral: Corral, name: str, channel: Channel, done: Delivered, at_most: int | None
) -> str | None:
    """Send through one channel until nothing is due; give the reason where it cannot go on."""
    sent = 0
    while at_most is None or sent < at_most:
        with corral.write() as session:
            parcel = next_parcel(session, name, channel.messages_per_hour)
        if parcel is None:
            return None
        outcome, reason, seconds, is_final = _send(channel, parcel)
        with corral.write() as session:
            settle(session, parcel, outcome, detail=reason, seconds=seconds, is_final=is_final)
        if outcome in {AttemptOutcome.NOT_NOW, AttemptOutcome.UNKNOWN}:
            return reason
        sent += 1
        if outcome == AttemptOutcome.DELIVERED:
            done.messages += 1
            done.alerts += len(parcel.alert_ids)
    return None


def _send(channel: Channel, parcel: Parcel) -> tuple[AttemptOutcome, str | None, float, bool]:
    """Give outcome, reason, seconds, and whether it makes no sense to try again."""
    began = time.monotonic()
    outcome, reason, is_final = AttemptOutcome.DELIVERED, None, False
    try:
        channel.send(parcel.message)
    except NotNow as error:
        outcome, reason = AttemptOutcome.NOT_NOW, first_line(error)
    except Refused as error:
        outcome, reason = AttemptOutcome.REFUSED, first_line(error)
        is_final = isinstance(error, Unfit)
    except Exception as error:  # noqa: BLE001  of whatever kind: it may have arrived
        outcome, reason = AttemptOutcome.UNKNOWN, f"{type(error).__name__}: {first_line(error)}"
    return outcome, reason, round(time.monotonic() - began, 3), is_final
