"""What a step makes knows where it comes from, in the row and in the file."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.errors import FailureClass
from include.corral.fingerprint import fingerprint
from include.corral.step import Step
from models import Frame, Product, ProductInput, Unit, UnitRun
from tests.include.corral.lab import (
    NIGHT,
    Blob,
    Calibrate,
    Master,
    Pebble,
    Pile,
    Weigh,
    add_frames,
)


@pytest.fixture
def reduced(lab: Corral) -> Corral:
    """Two biases, their master, and a frame calibrated with it."""
    add_frames(lab, ["a", "b"], kind="bias", hour=20)
    add_frames(lab, ["x"])
    drain(lab, Master())
    drain(lab, Calibrate(gain=2.0))
    return lab


def product(corral: Corral, kind: str) -> tuple[Product, dict[str, list[int]]]:
    """The product of a kind, and the ids of what it was made from, by role."""
    with corral.read() as session:
        row = session.scalars(select(Product).where(Product.kind == kind)).one()
        roles: dict[str, list[int]] = {}
        for edge in session.scalars(select(ProductInput).where(ProductInput.product_id == row.id)):
            roles.setdefault(edge.role, []).append(edge.frame_id or edge.input_product_id)
    return row, roles


def test_product_takes_over_night_and_setup(reduced: Corral) -> None:
    """And says which step made it, with which fingerprint, in which attempt."""
    row, roles = product(reduced, "calibrated")
    master, frames = product(reduced, "master")
    assert (row.partition_key, row.camera, row.binning) == (NIGHT, "cam", "1x1")
    assert roles == {"science": [3], "master": [master.id]}
    assert frames == {"bias": [1, 2]}
    with reduced.read() as session:
        unit = session.get_one(Unit, row.unit_id)
        attempt = session.get_one(UnitRun, row.unit_run_id)
    assert row.fingerprint == unit.fingerprint == attempt.fingerprint
    assert row.step == unit.step == "Calibrate"


def test_file_says_what_its_row_says(reduced: Corral) -> None:
    """Enough to make it again, with the database gone; nothing that changes by itself."""
    row, _ = product(reduced, "calibrated")
    master, _ = product(reduced, "master")
    _content, provenance = json.loads(reduced.store.locate(row.path).read_bytes())
    with reduced.read() as session:
        frame = session.get_one(Frame, 3)
    assert provenance == {
        "step": "Calibrate",
        "version": "1",
        "fingerprint": row.fingerprint,
        "parameters": {"gain": 2.0, "stop_after": 0, "stop_at": ""},
        "inputs": [
            {"role": "science", "sha256": frame.sha256, "name": frame.label},
            {"role": "master", "sha256": master.sha256, "name": master.path.rpartition("/")[2]},
        ],
    }


def test_file_lies_where_a_person_would_look(reduced: Corral) -> None:
    """Night, kind, and a name from its frame or its set-up, whatever the frame's file is called."""
    row, _ = product(reduced, "calibrated")
    master, _ = product(reduced, "master")
    with reduced.read() as session:
        label = session.get_one(Frame, 3).label
    digest = row.sha256[:12]
    assert row.path == f"{NIGHT}/calibrated/{label}-calibrated-{digest}.json"
    assert master.path == f"{NIGHT}/master/master-cam-1x1-1s-{master.sha256[:12]}.json"


def test_thousands_of_inputs_are_remembered(lab: Corral) -> None:
    """No limit of a statement or of a file stops a large stack."""
    add_frames(lab, [str(number) for number in range(1200)], kind="bias")
    assert drain(lab, Master()).done == 1
    _, roles = product(lab, "master")
    assert len(roles["bias"]) == 1200


def test_frame_whose_file_is_gone_waits_for_it(lab: Corral) -> None:
    """The others of the night are done."""
    add_frames(lab, ["x", "y"])
    (lab.settings.inbox / NIGHT / "science-cam-x.txt").unlink()
    report = drain(lab, Calibrate())
    assert report.done == 1
    assert report.failures[0].failure_class is FailureClass.UPSTREAM_MISSING


def test_frame_that_is_a_link_out_of_the_inbox_is_not_read(lab: Corral) -> None:
    """A path is data: it opens nothing outside its root."""
    add_frames(lab, ["x"])
    place = lab.settings.inbox / NIGHT / "science-cam-x.txt"
    place.unlink()
    place.symlink_to("/etc/hostname")
    report = drain(lab, Calibrate())
    assert report.failures[0].failure_class is FailureClass.CONFIGURATION
    assert "leaves its root" in report.failures[0].message


def test_hostile_names_make_harmless_paths(lab: Corral) -> None:
    """A camera called ../../etc is a folder of the night like any other."""

    class Named(Step):
        model = Frame

        def process(self, work: Frame, run: Any) -> Any:
            yield run.product(
                "../../kind", Blob(""), inputs={"f": work}, like=work, camera="a/../../b\n"
            )

    add_frames(lab, ["x"])
    with lab.write() as session:
        session.get_one(Frame, 1).kind = "other"
    assert drain(lab, Named()).done == 1
    with lab.read() as session:
        path = session.scalars(select(Product.path)).one()
    assert ".." not in path.split("/")
    assert lab.store.locate(path).is_relative_to(lab.settings.products.resolve())


def identity(step: Step, *values: int) -> str:
    rows = [Pebble(id=number, value=value) for number, value in enumerate(values)]
    return fingerprint(step, rows, [])


def test_fingerprint_is_of_everything_that_decides_and_of_nothing_else() -> None:
    """Order of the rows does not matter; version, parameters and every value do."""

    class Newer(Weigh):
        name = "Weigh"
        version = "2"

    class Configured(Weigh):
        name = "Weigh"

        def configuration(self, rows: Any) -> dict[str, Any]:
            return {"scales": "new"}

    assert identity(Weigh(), 1) == identity(Weigh(), 1) == identity(Weigh(factor=1.0), 1)
    prints = [
        identity(Weigh(), 1),
        identity(Weigh(), 2),
        identity(Weigh(), 1, 2),
        identity(Weigh(factor=2.0), 1),
        identity(Newer(), 1),
        identity(Configured(), 1),
        identity(Pile(), 1),
    ]
    assert len(set(prints)) == len(prints)
    one, two = Pebble(id=1, value=1), Pebble(id=2, value=2)
    assert fingerprint(Weigh(), [one, two], []) == fingerprint(Weigh(), [two, one], [])
