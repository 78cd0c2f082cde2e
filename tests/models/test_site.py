"""Observatory, CCD and Campaign, as the project was given them."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import Float, Integer, String, Text, inspect
from sqlalchemy.exc import IntegrityError

from include.corral.corral import Corral
from models import CCD, Campaign, Night, Observatory

COLUMNS = {
    Observatory: {
        "id": (Integer, False),
        "name": (String, False),
        "latitude": (Float, False),
        "longitude": (Float, False),
        "description": (Text, True),
    },
    CCD: {
        "id": (Integer, False),
        "name": (String, False),
        "brand": (String, True),
        "model": (String, True),
        "description": (Text, True),
        "xpixsize": (Integer, True),
        "ypixsize": (Integer, True),
    },
    Campaign: {
        "id": (Integer, False),
        "name": (String, False),
        "description": (Text, True),
        "observatory_id": (Integer, False),
        "ccd_id": (Integer, False),
    },
}


@pytest.mark.parametrize("model", COLUMNS)
def test_columns_are_those_of_the_seed(model) -> None:
    """Names, types, and which may be empty."""
    found = {c.name: (type(c.type), c.nullable) for c in model.__table__.columns}
    assert found == COLUMNS[model]
    assert model.__table__.c["name"].type.length == 100
    assert model.__table__.c["name"].unique
    assert model.__tablename__ == model.__name__.lower()
    assert [column.name for column in inspect(model).primary_key] == ["id"]


def campaign() -> Campaign:
    return Campaign(
        name="TORITOS 2026",
        observatory=Observatory(name="Macon", latitude=-24.6, longitude=-67.3),
        ccd=CCD(name="Apogee"),
    )


def test_campaigns_are_known_from_both_sides(corral: Corral) -> None:
    """An observatory and a camera know their campaigns."""
    with corral.write() as session:
        session.add(campaign())
    with corral.read() as session:
        row = session.get_one(Campaign, 1)
        assert row.observatory.campaigns == [row]
        assert row.ccd.campaigns == [row]


def test_each_is_shown_by_its_name() -> None:
    """Also before it is in any database."""
    row = campaign()
    assert [repr(row), repr(row.observatory), repr(row.ccd)] == ["TORITOS 2026", "Macon", "Apogee"]
    night = Night(campaign=row, date=date(2026, 11, 20))
    assert (repr(night), night.partition_key) == ("2026-11-20", "2026-11-20")


@pytest.mark.parametrize("model", COLUMNS)
def test_names_are_unique(corral: Corral, model) -> None:
    """A second row of the same name is refused."""
    with corral.write() as session:
        session.add(campaign())
    twin = campaign()
    second = {Observatory: twin.observatory, CCD: twin.ccd, Campaign: twin}[model]
    if model is Campaign:
        twin.observatory.name, twin.ccd.name = "other", "other"
    else:
        twin.observatory.campaigns.clear()
        twin.ccd.campaigns.clear()
    with pytest.raises(IntegrityError), corral.write() as session:
        session.add(second)


def test_campaign_needs_site_and_camera(corral: Corral) -> None:
    """Neither may be missing, nor be one that is not there."""
    for columns in ({}, {"observatory_id": 7, "ccd_id": 7}):
        with pytest.raises(IntegrityError), corral.write() as session:
            session.add(Campaign(name="nowhere", **columns))


def test_night_is_one_per_campaign_and_date(corral: Corral) -> None:
    """The same date in another campaign is another night."""
    day = date(2026, 11, 20)
    with corral.write() as session:
        session.add(Night(campaign=campaign(), date=day))
    with pytest.raises(IntegrityError), corral.write() as session:
        session.add(Night(campaign_id=1, date=day))
