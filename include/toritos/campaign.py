"""The rows that say who observes: made from the profile when the first frame comes in."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from include.corral.corral import Corral
from models.base import Base
from models.site import CCD, Campaign, Night, Observatory

if TYPE_CHECKING:
    from include.ccd.profile import Profile

Row = TypeVar("Row", bound=Base)


def ensure_night(corral: Corral, profile: Profile, day: date) -> Night:
    """Give the night of the installation's campaign, made if it is new, with all it stands on.

    The campaign is called as ``CORRAL_CAMPAIGN`` says, or after the profile. Any number of
    processes may ask for the same night at once; all get the same.
    """
    campaign = corral.settings.pipeline.get("campaign") or profile.name
    site, camera = profile.site, profile.camera
    with corral.write() as session:
        observatory = _ensure(
            session,
            Observatory,
            {"name": site.name},
            latitude=site.latitude_deg,
            longitude=site.longitude_deg,
        )
        ccd = _ensure(
            session,
            CCD,
            {"name": camera.name},
            brand=camera.brand,
            model=camera.model,
            description=camera.description,
        )
        of_campaign = _ensure(
            session,
            Campaign,
            {"name": campaign},
            description=profile.description,
            observatory_id=observatory.id,
            ccd_id=ccd.id,
        )
        return _ensure(session, Night, {"campaign_id": of_campaign.id, "date": day})


def _ensure(session: Session, table: type[Row], key: dict[str, Any], **others: Any) -> Row:
    """Give the row with that unique key, inserted with the other values if it is new."""
    query = select(table).filter_by(**key)
    row = session.scalar(query)
    if row is None:
        dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
        session.execute(dialect.insert(table).values(**key, **others).on_conflict_do_nothing())
        row = session.scalars(query).one()
    return row
