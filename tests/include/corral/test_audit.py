"""The audit finds what is broken on purpose, and nothing else."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, text, update

from include.corral.audit import audit, orphans
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.settings import Settings
from include.toritos.pipeline import TORITOS
from include.toritos.simulator import NightPlan, simulate_night
from models import Alert, Product, StepRun, Unit

NIGHT = date(2026, 11, 20)


@pytest.fixture
def night(tmp_path) -> Corral:
    """A reduced night of few small frames."""
    corral = Corral(Settings.below(tmp_path))
    plan = NightPlan(night=NIGHT, size_px=256, biases=3, darks={}, flats={"V": 3}, science={"V": 1})
    simulate_night(plan, corral.settings.inbox / NIGHT.isoformat())
    drain(corral, TORITOS.loader())
    for step in TORITOS.steps:
        drain(corral, step(), partition=NIGHT.isoformat())
    yield corral
    corral.close()


def break_row(corral: Corral, statement: str) -> None:
    with corral.write() as session:
        session.execute(text(statement))


def test_sound_installation_has_no_violations(night) -> None:
    """After a night everything promised is there."""
    assert audit(night) == []
    assert orphans(night) == []


def test_missing_short_and_altered_files_are_found(night) -> None:
    """A product's file is compared with its row."""
    with night.read() as session:
        first, second, third = (
            night.store.locate(path) for path in session.scalars(select(Product.path))
        )
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    content = bytearray(third.read_bytes())
    content[-1] ^= 1
    third.write_bytes(content)
    assert [violation.invariant for violation in audit(night)] == ["I3", "I1", "I1"]
    assert [violation.invariant for violation in audit(night, deep=False)] == ["I3", "I1"]


@pytest.mark.parametrize(
    ("statement", "invariant"),
    [
        (
            "UPDATE unit_run SET outcome = 'failed' WHERE id = (SELECT max(unit_run_id) FROM product)",
            "I2",
        ),
        ("UPDATE unit SET fingerprint = 'x' WHERE step = 'MasterBias'", "I1"),
        ("UPDATE unit SET status = 'void' WHERE step = 'MasterBias'", "I10"),
        ("DELETE FROM sighting WHERE id = 1", "I5"),
        ("DELETE FROM product_input WHERE product_id = 1", "I23"),
        (
            "UPDATE product_input SET frame_id = NULL, input_product_id = 3 WHERE product_id = 1",
            "I23",
        ),
    ],
)
def test_rows_that_contradict_each_other_are_found(night, statement, invariant) -> None:
    """Each promise of the ledger is looked at."""
    break_row(night, statement)
    assert invariant in {violation.invariant for violation in audit(night)}


def test_forgotten_claim_is_found(night) -> None:
    """A unit that nobody has held for long is stuck."""
    with night.write() as session:
        session.get(Unit, 1).status = "claimed"
        long_ago = datetime.now(UTC) - timedelta(hours=2)
        session.execute(update(StepRun).values(lease_until=long_ago))
    assert [violation.invariant for violation in audit(night)] == ["I17"]


def test_alert_that_nobody_took_is_found(night) -> None:
    """Sent means taken by every channel."""
    with night.write() as session:
        session.add(
            Alert(
                dedup_key="a",
                rule="test",
                subject="s",
                body="b",
                channels=["email"],
                status="sent",
                created_at=datetime.now(UTC),
            )
        )
    assert [violation.invariant for violation in audit(night)] == ["I14"]


def test_file_that_no_row_names_is_an_orphan_and_no_violation(night) -> None:
    """Nobody can find it, and the sweep may remove it."""
    (night.settings.products / "stray.fits").write_bytes(b"x")
    assert orphans(night) == ["stray.fits"]
    assert audit(night) == []
