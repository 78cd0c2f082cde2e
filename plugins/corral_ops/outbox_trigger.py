"""The doorbell of the outbox: somebody is to be told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from corral_ops.hook import DEFAULT_CONN_ID, CorralHook

if TYPE_CHECKING:
    from include.corral.corral import Corral
    from include.corral.settings import Settings


class OutboxTrigger(BaseEventTrigger):
    """Rings while alerts wait that a channel could be asked to take now, or a rule has to look.

    :param rules: names of rules whose rows may change.
    :param conn_id: of the installation whose outbox is watched.
    :param poll_s: seconds between two looks.
    :param pause_s: seconds after a ring in which what it started can do its work.
    """

    def __init__(
        self,
        *,
        rules: Sequence[str] = (),
        conn_id: str = DEFAULT_CONN_ID,
        poll_s: float = 5.0,
        pause_s: float = 20.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.rules = list(rules)
        self.conn_id = conn_id
        self.poll_s = poll_s
        self.pause_s = pause_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give class and arguments; equal ones are run once for all watchers."""
        names = ("rules", "conn_id", "poll_s", "pause_s")
        arguments = {name: getattr(self, name) for name in names}
        return "corral_ops.outbox_trigger.OutboxTrigger", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look for ever; a database that is out of reach is looked at again later."""
        corral = await asyncio.to_thread(_corral, await CorralHook(self.conn_id).asettings())
        while True:
            if await asyncio.to_thread(self._is_due, corral):
                yield TriggerEvent({"outbox": "due"})  # type: ignore[no-untyped-call]
                await asyncio.sleep(self.pause_s)
            await asyncio.sleep(self.poll_s)

    def _is_due(self, corral: Corral) -> bool:
        from include.corral.parcel import is_due
        from models.session import first_line

        try:
            with corral.read() as session:
                return is_due(session, self.rules)
        except Exception as error:  # noqa: BLE001  the trigger must outlive every trouble
            self.log.warning("the outbox cannot be looked at: %s", first_line(error))
            return False


def _corral(settings: Settings) -> Corral:
    from include.corral.corral import Corral

    return Corral(settings)
