"""Columns refuse what must not be stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Mapped, mapped_column

from include.corral.corral import Corral
from models import Base
from models.columns import Json, RelPath

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Sample(Base):
    __tablename__ = "models_sample"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime | None]
    path: Mapped[str | None] = mapped_column(RelPath)
    data: Mapped[Any] = mapped_column(Json, nullable=True)


@pytest.fixture
def table(corral: Corral) -> Corral:
    """An installation with a table of all kinds of columns."""
    Sample.__table__.create(corral.engine)
    return corral


def kept(corral: Corral, **columns: Any) -> Sample:
    """Write a row, and read it in another session."""
    with corral.write() as session:
        session.add(Sample(**columns))
    with corral.read() as session:
        return session.scalars(select(Sample)).one()


def test_naive_time_is_refused(table: Corral) -> None:
    """Nobody could say later which moment it was."""
    with pytest.raises(StatementError, match="naive time 2026-11-20T12:00:00"):
        kept(table, at=NOON.replace(tzinfo=None))


@pytest.mark.parametrize("hours", [-3, 0, 5.5, 14])
def test_any_zone_goes_in_and_utc_comes_out(table: Corral, hours) -> None:
    """The moment is the same, to the microsecond."""
    moment = NOON.replace(microsecond=123456).astimezone(timezone(timedelta(hours=hours)))
    row = kept(table, at=moment)
    assert row.at == moment
    assert row.at.tzinfo is UTC


def test_times_are_compared_as_moments(table: Corral) -> None:
    """Also in the database, whatever the zone of the one that is compared with."""
    kept(table, at=NOON)
    earlier = (NOON - timedelta(seconds=1)).astimezone(timezone(timedelta(hours=9)))
    with table.read() as session:
        assert session.scalars(select(Sample).where(Sample.at > earlier)).all()
        assert not session.scalars(select(Sample).where(Sample.at < earlier)).all()


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../up", "a/../../b", "a/..", "nul\0byte", "", ".", "//host/share"]
)
def test_path_that_could_leave_its_root_is_refused(table: Corral, path) -> None:
    """Absolute, upward, or nothing at all."""
    with pytest.raises(StatementError, match="not below a storage root"):
        kept(table, path=path)


@pytest.mark.parametrize("path", ["a.fits", "-rf", "a/b..c/d", "x y/ü 星.fits", "a/new\nline"])
def test_path_below_its_root_is_kept_as_it_is(table: Corral, path) -> None:
    """A file's name is its own affair."""
    assert kept(table, path=path).path == path


def test_json_is_the_same_on_every_database(table: Corral) -> None:
    """What goes in comes out."""
    data = {"a": [1, 2.5, None, "ü"], "b": {}}
    assert kept(table, data=data).data == data


def test_number_that_is_none_is_no_json(table: Corral) -> None:
    """PostgreSQL has no NaN in JSON, and SQLite is not to differ."""
    with pytest.raises((StatementError, ValueError), match="not JSON compliant"):
        kept(table, data={"a": float("nan")})


def test_none_is_null_and_not_a_json_value(table: Corral) -> None:
    """A query for what is missing finds it."""
    kept(table, data=None)
    with table.read() as session:
        query = "SELECT count(*) FROM models_sample WHERE data IS NULL"
        assert session.scalar(text(query)) == 1
