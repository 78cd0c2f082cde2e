"""What every row can say of itself."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Mapped, mapped_column

from models import Base, Frame, Night, Product
from models.base import canonical_json
from models.source import AstrometricSolution, SourceList


class Thing(Base):
    __tablename__ = "models_thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    large: Mapped[str | None] = mapped_column(deferred=True)


def test_content_is_every_column_but_deferred_ones() -> None:
    """It changes exactly when one of them does."""
    thing = Thing(id=1, name="a", large="x")
    assert thing.content() == '{"id":1,"name":"a"}'
    thing.large = "y"
    assert thing.content() == '{"id":1,"name":"a"}'
    thing.name = "b"
    assert thing.content() == '{"id":1,"name":"b"}'


def test_content_of_files_is_their_hash() -> None:
    """A frame also has what is believed about it; where its file lies is no part of it."""
    assert Product(sha256="abc", metrics={"a": 1}).content() == "abc"
    frame = Frame(sha256="abc", kind="bias", path="here")
    same = Frame(sha256="abc", kind="bias", path="there")
    assert frame.content() == same.content()
    assert frame.content() != Frame(sha256="abc", kind="dark").content()


def test_content_of_a_frame_is_the_same_in_any_database() -> None:
    """Its night counts by its date, not by the number that the database gave it."""
    first, other = Night(id=1, date=date(2026, 11, 20)), Night(id=7, date=date(2026, 11, 20))
    later = Night(id=1, date=date(2026, 11, 21))
    contents = [
        Frame(sha256="abc", kind="bias", night_id=night.id, night=night).content()
        for night in (first, other, later)
    ]
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def test_content_of_a_solution_is_the_same_in_any_database() -> None:
    """It follows from what was measured and found, whatever numbers rows have."""

    def solution(number: int, measured: str, wcs: dict[str, float]) -> AstrometricSolution:
        return AstrometricSolution(
            id=number,
            unit_id=number,
            source_list_id=number,
            source_list=SourceList(id=number, sha256=measured),
            catalog="stars",
            solved=True,
            wcs=wcs,
            night=Night(id=number, date=date(2026, 11, 20)),
        )

    first = solution(1, "abc", {"CRVAL1": 1.0}).content()
    assert solution(2, "abc", {"CRVAL1": 1.0}).content() == first
    assert solution(1, "xyz", {"CRVAL1": 1.0}).content() != first
    assert solution(1, "abc", {"CRVAL1": 1.5}).content() != first


def test_row_is_shown_by_its_class_and_key() -> None:
    """Before it has one, it says so."""
    assert repr(Thing()) == "<Thing transient>"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON), st.randoms())
def test_canonical_text_does_not_depend_on_order(value, random) -> None:
    """Equal dictionaries have equal texts, however they were filled."""
    keys = random.sample(list(value), len(value))
    assert canonical_json({key: value[key] for key in keys}) == canonical_json(value)


def test_canonical_text_knows_times_bytes_and_sets() -> None:
    """What has no stable text is refused."""
    moment = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert canonical_json([moment, date(2026, 11, 20), b"\1", {2, 1}]) == (
        '["2026-11-20T12:00:00Z","2026-11-20","AQ==",[1,2]]'
    )
    assert canonical_json([np.float64(0.5), "caf\udce9"]) == '[0.5,"caf\\udce9"]'
    with pytest.raises(TypeError, match="has no canonical JSON"):
        canonical_json(object())
