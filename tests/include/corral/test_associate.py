"""Which product goes with a row, and why; the order of candidates has no influence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select

from include.corral.associate import Associator, Use, choose
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.errors import FailureClass, UpstreamMissing
from models import Product, UnitRun
from tests.include.corral.lab import NIGHT, Calibrate, Master, add_frames

MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
USE = Use(
    role="dark",
    kind="master_dark",
    exact=("camera", "binning"),
    within={"temperature_c": 2.0},
    at_least={"exptime_s": 0.5},
    prefer={"exptime_s": 0.5},
    max_age_days=10,
)


@dataclass
class Row:
    """A frame, or a product, as association sees it."""

    id: int = 0
    camera: str = "cam"
    binning: str = "1x1"
    temperature_c: float | None = -20.0
    exptime_s: float | None = 60.0
    hours: float = 0.0
    sha256: str = "a"

    @property
    def observed_at(self) -> datetime:
        """Hours after midnight."""
        return MIDNIGHT + timedelta(hours=self.hours)


FRAME = Row()


def verdicts(found: Any) -> dict[int, str]:
    return {product.id: verdict for product, verdict in found.considered}


def test_nearest_that_fits_is_taken_and_nearer_ones_say_why_not() -> None:
    """The record holds everything nearer than what was taken, with a reason each."""
    candidates = [
        Row(1, camera="other", hours=1),
        Row(2, binning="2x2", hours=2),
        Row(3, temperature_c=-17.9, hours=3),
        Row(4, exptime_s=30.0, hours=4),
        Row(5, exptime_s=120.0, hours=5),
        Row(6, hours=-6),
        Row(7, hours=7),
        Row(8, hours=241),
    ]
    found = choose(FRAME, USE, candidates)
    assert found.taken is candidates[5]
    assert verdicts(found) == {
        1: "camera is other, wanted cam",
        2: "binning is 2x2, wanted 1x1",
        3: "temperature_c is +2.1 off, at most 2",
        4: "exptime_s is 30 too small",
        5: "a better match was further away",
        6: "taken (level 0)",
    }
    assert found.as_json()["taken"] == 6


@pytest.mark.parametrize(
    ("candidate", "fits"),
    [
        (Row(1, temperature_c=-18.0), True),
        (Row(1, temperature_c=-17.99), False),
        (Row(1, temperature_c=-22.0), True),
        (Row(1, temperature_c=None), True),
        (Row(1, exptime_s=59.5), True),
        (Row(1, exptime_s=59.4), False),
        (Row(1, exptime_s=None), True),
        (Row(1, exptime_s=3600.0), True),
        (Row(1, hours=240), True),
        (Row(1, hours=-240), True),
        (Row(1, hours=240.1), False),
        (Row(1, camera="CAM"), False),
    ],
)
def test_limits_are_included(candidate, fits) -> None:
    """At a limit is within it; what is not known is not held against a candidate."""
    assert (choose(FRAME, USE, [candidate]).taken is candidate) is fits


def test_preference_goes_before_time() -> None:
    """A far one of equal exposure is better than a near one of a longer exposure."""
    near, far = Row(1, exptime_s=600.0, hours=1), Row(2, hours=100)
    assert choose(FRAME, USE, [near, far]).taken is far
    assert choose(FRAME, USE, [near]).taken is near


def test_unknown_values_meet_no_preference() -> None:
    """A dark of unknown exposure may be used, but not before one that is known to be equal."""
    unknown, known = Row(1, exptime_s=None, hours=1), Row(2, hours=5)
    assert choose(FRAME, USE, [unknown, known]).taken is known


def test_equal_distance_is_decided_by_the_hash() -> None:
    """Before or after, made first or last: not chance decides."""
    before, after = Row(1, hours=-3, sha256="b"), Row(2, hours=3, sha256="a")
    assert choose(FRAME, USE, [before, after]).taken is after
    assert choose(FRAME, USE, [after, before]).taken is after


CANDIDATES = st.lists(
    st.builds(
        Row,
        id=st.integers(1, 10_000),
        camera=st.sampled_from(["cam", "other"]),
        temperature_c=st.sampled_from([None, -20.0, -18.5, -10.0]),
        exptime_s=st.sampled_from([None, 30.0, 60.0, 120.0]),
        hours=st.integers(-300, 300).map(float),
        sha256=st.text("ab", min_size=1, max_size=3),
    ),
    max_size=12,
    unique_by=lambda row: row.id,
)


@given(CANDIDATES, st.randoms())
def test_order_of_candidates_has_no_influence(candidates, random) -> None:
    """Any permutation gives the same choice and the same record."""
    shuffled = random.sample(candidates, len(candidates))
    assert choose(FRAME, USE, shuffled).as_json() == choose(FRAME, USE, candidates).as_json()


@given(CANDIDATES)
def test_choice_is_the_one_an_obvious_search_finds(candidates) -> None:
    """The best by level, then distance, then hash, of all that are not refused."""
    fitting = [row for row in candidates if USE.refusal(FRAME, row) is None]
    expected = min(
        fitting,
        key=lambda row: (USE.level(FRAME, row), abs(row.hours), row.sha256, row.id),
        default=None,
    )
    found = choose(FRAME, USE, candidates)
    assert found.taken is expected
    if expected is None:
        assert len(found.considered) == len(candidates)
    else:
        nearer = [row for row in candidates if abs(row.hours) < abs(expected.hours)]
        assert {row.id for row in nearer} <= set(verdicts(found))


def test_missing_product_stops_or_is_flagged() -> None:
    """As the rule says; the message names what was nearest and why it was refused."""
    found = choose(FRAME, USE, [Row(1, camera="other")])
    with pytest.raises(UpstreamMissing, match=r"1 considered.*camera is other, wanted cam"):
        found.require(FRAME)
    choose(FRAME, Use(role="dark", kind="dark", missing="flag"), []).require(FRAME)


def test_candidates_are_read_once_for_many_rows(lab: Corral) -> None:
    """A thousand frames of a night cost one query per kind of product."""
    add_frames(lab, ["a"], kind="bias", hour=20)
    drain(lab, Master())
    queries = []
    event.listen(lab.engine, "before_cursor_execute", lambda *args: queries.append(args[2]))
    with lab.read() as session:
        rows = [Row(number, hours=number / 100) for number in range(1000)]
        associator = Associator(session, rows)
        use = Use(role="master", kind="master", exact=("camera",))
        taken = {associator.find(row, use).taken.kind for row in rows}
    assert taken == {"master"}
    assert len([query for query in queries if "FROM product" in query]) == 1


def test_record_of_the_choice_is_kept_with_the_attempt(lab: Corral) -> None:
    """The ledger tells what was considered for each frame, and what was taken."""
    add_frames(lab, ["a"], kind="bias", hour=20)
    add_frames(lab, ["b"], kind="bias", camera="other", hour=23)
    drain(lab, Master())
    add_frames(lab, ["x"])
    drain(lab, Calibrate(), partition=NIGHT)
    with lab.read() as session:
        masters = {p.camera: p.id for p in session.scalars(select(Product)) if p.kind == "master"}
        (record,) = session.scalars(
            select(UnitRun.associations).where(UnitRun.associations.is_not(None))
        ).one()
    assert record == {
        "role": "master",
        "kind": "master",
        "taken": masters["cam"],
        "considered": [
            {"product": masters["other"], "verdict": "camera is other, wanted cam"},
            {"product": masters["cam"], "verdict": "taken (level 0)"},
        ],
    }


def test_unit_that_misses_its_product_waits_and_is_done_when_it_comes(lab: Corral) -> None:
    """It fails as waiting, without holding up others, and needs no one to ask for it again."""

    class Strict(Calibrate):
        uses = (Use(role="master", kind="master", exact=("camera",)),)

    add_frames(lab, ["x"])
    report = drain(lab, Strict(), partition=NIGHT)
    assert [failure.failure_class for failure in report.failures] == [FailureClass.UPSTREAM_MISSING]
    report.raise_for_policy("tolerate_waiting")
    add_frames(lab, ["a"], kind="bias", hour=20)
    drain(lab, Master(), partition=NIGHT)
    assert drain(lab, Strict(), partition=NIGHT).done == 1
