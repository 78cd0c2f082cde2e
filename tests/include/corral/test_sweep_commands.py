"""The commands that look after an installation."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select, text

from include.corral import cli
from include.corral.chores import LightSweep
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.pipeline import Pipeline
from models import StepRun
from tests.include.corral.lab import Calibrate, Quarry, add_frames

LAB = Pipeline(name="lab", loader=Quarry, steps=(Calibrate,))


@pytest.fixture
def corral(tmp_path, monkeypatch):
    """What the command finds in its environment."""
    monkeypatch.setenv("CORRAL_HOME", str(tmp_path))
    installation = Corral()
    yield installation
    installation.close()


def test_audit_speaks_to_people_and_to_programs(corral, capsys) -> None:
    """Its status says whether all is well."""
    add_frames(corral, "a")
    with corral.write() as session:
        session.execute(
            text(
                "INSERT INTO sighting"
                " (frame_id, path, size_bytes, mtime_ns, inode, seen_at, current)"
                " VALUES (1, 'a', 1, 1, 1, '2026-11-20', true)"
            )
        )
    drain(corral, Calibrate())
    assert cli.main(LAB, ["audit", "--quick"]) == 0
    assert "0 violation(s), 0 file(s) that no row names" in capsys.readouterr().out
    (product,) = corral.settings.products.rglob("*.json")
    product.rename(product.with_name("other"))
    assert cli.main(LAB, ["audit"]) == 1
    assert "I3 product 1" in capsys.readouterr().out
    assert cli.main(LAB, ["audit", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [violation["invariant"] for violation in found["violations"]] == ["I3"]
    assert found["orphans"] == ["2026-11-20/calibrated/other"]


def test_sweep_runs_the_light_parts_and_the_deep_ones_when_asked(corral, capsys) -> None:
    """Each is a trigger on record."""
    assert cli.main(LAB, ["sweep"]) == 0
    assert cli.main(LAB, ["sweep", "--deep"]) == 0
    with corral.read() as session:
        names = session.scalars(select(StepRun.step).order_by(StepRun.id)).all()
    assert names == ["LightSweep", "LightSweep", "DeepSweep"]
    assert f"LightSweep: {len(LightSweep.parts)} done" in capsys.readouterr().out


def test_sweep_that_fails_says_why_in_its_status(corral, capsys) -> None:
    """Rows are missing: nothing is removed."""
    folder = corral.settings.products
    folder.mkdir(parents=True)
    (folder / ".corral-store").write_text("another's")
    assert cli.main(LAB, ["sweep", "--deep"]) == 1
    assert "orphan_files [configuration]" in capsys.readouterr().out
