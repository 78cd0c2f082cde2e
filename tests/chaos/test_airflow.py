"""F17: Airflow's own processes are killed while nights are reduced; the nights become whole."""

from __future__ import annotations

import os
import time
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import select

from include.corral.audit import audit
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.settings import Settings
from include.toritos.pipeline import TORITOS
from models import Night, Outcome, Product, UnitRun
from tests.chaos.database_lab import differing
from tests.chaos.living_stack import KINDS, Observatory, observatory
from tools.airflow_env import free_port
from tools.progress import print_progress, wait_until

KILLS = int(os.environ.get("CORRAL_CHAOS_COMPONENT_KILLS", "42"))
KILLS_PER_NIGHT = 5

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3600)]


@pytest.fixture
def mail_port():
    """Port of a mail server that takes everything."""

    class Everything:
        async def handle_DATA(self, _server, _session, _envelope):
            return "250 OK"

    port = free_port()
    controller = Controller(Everything(), hostname="127.0.0.1", port=port)
    controller.start()
    yield port
    controller.stop()


def test_nights_are_whole_after_every_kind_of_process_was_killed(
    tmp_path, mail_port, ledger, dice
) -> None:
    """Each kill at a random instant; afterwards as if nobody had killed anything."""
    with observatory(tmp_path / "home", smtp_port=mail_port) as place:
        place.observe()
        for number in range(KILLS):
            if number % KILLS_PER_NIGHT == 1:
                place.observe()
            _kill(place, KINDS[number % len(KINDS)], within_s=dice.uniform(0, 8))
        since = time.monotonic()
        wait_until(place.missing, timeout_s=1800, repeat_s=30)
        recovery_s = time.monotonic() - since
        violations = [str(it) for it in audit(place.corral, promises=TORITOS.promises)]
        violations += [f"unit {unit} was done again" for unit in _done_twice(place.corral)]
        wanted = _made_undisturbed(place.corral, tmp_path)
        violations += differing(wanted, _made(place.corral))
        for kind, number in sorted(place.kills.items()):
            ledger.add(f"F17 kill -9 of Airflow's {kind}", number, len(violations), recovery_s)
        assert violations == []
        assert sum(place.kills.values()) == KILLS


def _kill(place: Observatory, what: str, *, within_s: float) -> None:
    """Wait a while, then kill one as soon as there is one; there is always work to be had."""
    time.sleep(within_s)
    deadline = time.monotonic() + 60
    while not place.kill(what):
        place.tick()
        if time.monotonic() > deadline:
            place.observe()
            deadline = time.monotonic() + 60
        time.sleep(0.05)
    print_progress(f"  killed {what}")


def _done_twice(corral: Corral) -> list[object]:
    """Units that were done more than once for the same wanted result."""
    query = select(UnitRun.unit_id, UnitRun.fingerprint).where(UnitRun.outcome == Outcome.DONE)
    with corral.read() as session:
        done = Counter(map(tuple, session.execute(query)))
    return [(unit, wanted) for (unit, wanted), times in done.items() if times > 1]


def _made(corral: Corral) -> set[tuple[date, str, str]]:
    query = select(Night.date, Product.kind, Product.sha256).join(Product.night)
    query = query.where(Product.current)
    with corral.read() as session:
        return {(night, kind, sha256) for night, kind, sha256 in session.execute(query)}


def _made_undisturbed(disturbed: Corral, tmp_path: Path) -> set[tuple[date, str, str]]:
    """What an installation of its own makes of the same files, with nobody killing anything."""
    settings = Settings.below(
        tmp_path / "calm", inbox=disturbed.settings.inbox, pipeline={"still_s": "0"}
    )
    corral = Corral(settings)
    for processor in (TORITOS.loader, *TORITOS.steps):
        assert not drain(corral, processor()).failures
    made = _made(corral)
    corral.close()
    return made
