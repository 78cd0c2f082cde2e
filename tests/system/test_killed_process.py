"""kill -9 in the middle of a step, then the retry that Airflow makes by itself."""

from __future__ import annotations

import os
import signal
from collections import Counter
from datetime import date

import pytest
from sqlalchemy import select

from include.corral.audit import audit, orphans
from include.corral.drain import drain
from include.toritos.steps import MasterBias, MasterDark, MasterFlat
from models import Product, StepRun, Unit, UnitRun
from tools.progress import wait_until

pytestmark = pytest.mark.system

STEP = "SlowReduce"


@pytest.fixture(scope="module")
def killed(api, loaded_night, installation):
    """A night whose science task was killed after some images; the retry has ended."""
    night = loaded_night(date(2026, 5, 20), science=8)
    for step in (MasterBias(), MasterDark(), MasterFlat()):
        assert not drain(installation, step, partition=night).failures
    run = api.trigger("mishap_slowreduce", conf={"night": night})
    wait_until(lambda: None if _done(installation) >= 4 else "4 images", timeout_s=90)
    with installation.read() as session:
        pid = session.scalars(select(StepRun.pid).where(StepRun.step == STEP)).one()
    os.kill(pid, signal.SIGKILL)
    ended = api.wait_for_run(run.dag_id, run.run_id)
    assert ended.state == "success"
    return ended


def _done(installation) -> int:
    query = select(UnitRun.id).join(Unit).where(Unit.step == STEP, UnitRun.outcome == "done")
    with installation.read() as session:
        return len(session.scalars(query).all())


def test_both_tries_are_in_the_ledger(killed, installation):
    """The first is recorded as lost, by the second; neither is missing."""
    query = select(StepRun).where(StepRun.step == STEP).order_by(StepRun.id)
    with installation.read() as session:
        tries = session.scalars(query).all()
    assert [(row.try_number, row.outcome) for row in tries] == [(1, "lost"), (2, "done")]
    assert {row.run_id for row in tries} == {killed.run_id}


def test_no_unit_is_done_twice_and_none_is_left_out(killed, installation):
    """Sixteen frames, sixteen units done once; the one that was in hand is recorded as lost."""
    query = select(UnitRun.unit_id, UnitRun.outcome).join(Unit).where(Unit.step == STEP)
    with installation.read() as session:
        attempts = session.execute(query).all()
        products = session.scalars(select(Product).where(Product.step == STEP)).all()
    done = Counter(unit_id for unit_id, outcome in attempts if outcome == "done")
    assert sorted(done.values()) == [1] * 16
    assert sum(outcome == "lost" for _, outcome in attempts) >= 1
    assert len({product.sha256 for product in products}) == len(products) == 16


def test_there_is_no_half_product_and_no_row_without_file(killed, installation):
    """Every row's file is whole; what the dead process staged is seen by nobody."""
    assert audit(installation) == []
    assert [path for path in orphans(installation) if ".staging" not in path] == []
