"""The dead man's switch: it is night, and no frame comes."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from include.corral.sweep import Found, Notice, Watch
from include.toritos.instrument import profile_name, profile_of
from models.frame import Frame
from models.site import Night

if TYPE_CHECKING:
    from include.ccd.profile import Profile

# A camera's clock may be ahead by so much; what it dates later tells nothing of now.
AHEAD = timedelta(minutes=10)


def silent_camera(watch: Watch) -> Found:
    """Tell, once per gap, that frames should come and do not.

    Nothing is told by day, where the sun does not rise or set, or once there has been no frame for
    so many days that the telescope must be closed.
    """
    from include.ccd.night import night_of

    settings = watch.corral.settings
    profile = profile_of(profile_name(settings), settings)
    night = night_of(watch.now, profile.site.longitude_deg)
    last = _last_frame(watch, night, profile)
    if last is None or not profile.freshness.minutes:
        return Found()
    since = _silent_since(watch.now, last, profile)
    if since is None:
        return Found()
    minutes = int((watch.now - since).total_seconds() // 60)
    return Found(f"no frame for {minutes} min", [_notice(profile, night, since, last, minutes)])


def _last_frame(watch: Watch, night: date, profile: Profile) -> datetime | None:
    """When the last frame was begun, by the camera's clock; None if none was for many days."""
    first = night - timedelta(days=profile.freshness.closed_after_days)
    query = (
        select(func.max(Frame.observed_at))
        .join(Night)
        .where(Night.date.between(first, night), Frame.observed_at <= watch.now + AHEAD)
    )
    with watch.corral.read() as session:
        last: datetime | None = session.scalar(query)
    return last


def _silent_since(now: datetime, last: datetime, profile: Profile) -> datetime | None:
    """Since when it has been night without a frame; None where that is not long."""
    from include.toritos.sun import dark_since

    patience = timedelta(minutes=profile.freshness.minutes)
    if now - last <= patience:  # the sun need not be asked
        return None
    dusk = dark_since(now, profile.site, profile.freshness.sun_altitude_deg)
    if dusk is None:
        return None
    since = max(dusk, last)
    return since if now - since > patience else None


def _notice(profile: Profile, night: date, since: datetime, last: datetime, minutes: int) -> Notice:
    return Notice(
        # A gap is told of once: its end is another frame.
        key=f"silent-{profile.name}-{night}-{last:%Y-%m-%dT%H:%M:%S}",
        subject=f"{profile.site.name}: no frame for {minutes} min at night",
        body=f"It is night at {profile.site.name} (sun below "
        f"{profile.freshness.sun_altitude_deg:g} deg) since {since:%Y-%m-%d %H:%M} UTC or before, "
        f"and the last frame was begun at {last:%Y-%m-%d %H:%M} UTC. Camera, link and loader are "
        f"to be looked at; if the telescope is closed, this is told once a night and gap, for "
        f"{profile.freshness.closed_after_days:g} days.",
        severity="critical",
        partition=night.isoformat(),
    )
