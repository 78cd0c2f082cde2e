"""The rows that say who observes: made from the profile when the first frame comes in."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from include.corral.settings import Settings
from include.toritos.instrument import profile_of
from models.base import Base
from models.site import CCD, Campaign, Night, Observatory
from models.statements import upsert

if TYPE_CHECKING:
    from include.ccd.profile import Profile

Row = TypeVar("Row", bound=Base)


class Nights:
    """The nights of the installation's campaign, each made when it is first asked for.

    The campaign is called as ``CORRAL_CAMPAIGN`` says, or after the profile. Any number of
    processes may ask for the same night at once; all get the same.

    Parameters
    ----------
    session
        Writing: what is made stands or falls with its transaction.
    settings
        Of the installation.
    """

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._settings = settings
        self._rows: dict[tuple[str, date], Night] = {}

    def date_of(self, instrument: str, observed_at: datetime) -> date:
        """Date of the evening of the night in which something was observed at the site."""
        from include.ccd.night import night_of

        return night_of(observed_at, profile_of(instrument, self._settings).site.longitude_deg)

    def on(self, instrument: str, day: date) -> Night:
        """Give the night of that date."""
        if (instrument, day) not in self._rows:
            profile = profile_of(instrument, self._settings)
            key = {"campaign_id": self._campaign(profile).id, "date": day}
            self._rows[instrument, day] = _ensure(self._session, Night, key)
        return self._rows[instrument, day]

    def _campaign(self, profile: Profile) -> Campaign:
        site, camera = profile.site, profile.camera
        observatory = _ensure(
            self._session,
            Observatory,
            {"name": site.name},
            latitude=site.latitude_deg,
            longitude=site.longitude_deg,
        )
        ccd = _ensure(
            self._session,
            CCD,
            {"name": camera.name},
            brand=camera.brand,
            model=camera.model,
            description=camera.description,
        )
        return _ensure(
            self._session,
            Campaign,
            {"name": self._settings.pipeline.get("campaign") or profile.name},
            description=profile.description,
            observatory_id=observatory.id,
            ccd_id=ccd.id,
        )


def _ensure(session: Session, table: type[Row], key: dict[str, Any], **others: Any) -> Row:
    """Give the row with that unique key, inserted with the other values if it is new."""
    query = select(table).filter_by(**key)
    row = session.scalar(query)
    if row is None:
        session.execute(upsert(session, table).values(**key, **others).on_conflict_do_nothing())
        row = session.scalars(query).one()
    return row
