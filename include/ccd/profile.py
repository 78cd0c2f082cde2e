"""An instrument profile: everything this package knows of a site and its camera, as data.

A profile is one TOML file; a new camera is a new file and no code. Its sections are the
fields of `Profile`, and `Profile.digest` names the content of any of them, so that what is
computed from a section can be recognised as stale when the section changes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

from include.ccd.calibration import Calibration, Gates
from include.ccd.comparing import Coadding, Confirming, Detecting, Differencing, Referencing
from include.ccd.detector import Detector
from include.ccd.errors import ProfileError
from include.ccd.fieldmap import Field, KindRule
from include.ccd.measuring import (
    Astrometry,
    BackgroundMesh,
    Catalog,
    CosmicRays,
    MasterCheck,
    Photometry,
    Sources,
)
from include.ccd.targets import LightCurves, Target
from include.ccd.time_sources import NameTime, TimeSource, check_zone
from include.ccd.toml_tables import bind

TEXTS: Final = frozenset({"filter", "readout", "object", "night"})

__all__ = ["Calibration", "Camera", "Check", "Fields", "Profile", "Reading", "Site", "load_profile"]


@dataclass(frozen=True, slots=True)
class Site:
    """Where the telescope stands: east-positive degrees, metres, an IANA time zone."""

    name: str
    latitude_deg: float
    longitude_deg: float
    elevation_m: float
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        if not (-90 <= self.latitude_deg <= 90 and -180 <= self.longitude_deg <= 180):
            raise ValueError("latitude_deg must be in [-90, 90], longitude_deg in [-180, 180]")
        check_zone(self.timezone)


@dataclass(frozen=True, slots=True)
class Camera:
    """The detector as people call it."""

    name: str
    brand: str = ""
    model: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Fields:
    """Where each logical value comes from; what is not listed is not known.

    Attributes
    ----------
    observed_at : tuple of TimeSource
        The first that is present counts; the others are compared with it.
    exptime_s : Field
        Exposure time, the other value that a frame cannot be without.
    equinox : Field
        Julian year of `ra_deg` and `dec_deg`; 2000 when not listed.
    site_latitude_deg, site_longitude_deg, night : Field
        What the header says of the site, and of the night (YYYY-MM-DD): compared, never believed.
    """

    observed_at: tuple[TimeSource, ...]
    exptime_s: Field
    filter: Field | None = None
    x_binning: Field | None = None
    y_binning: Field | None = None
    readout: Field | None = None
    temperature_c: Field | None = None
    object: Field | None = None
    ra_deg: Field | None = None
    dec_deg: Field | None = None
    equinox: Field | None = None
    airmass: Field | None = None
    gain_e_per_adu: Field | None = None
    read_noise_e: Field | None = None
    saturation_adu: Field | None = None
    site_latitude_deg: Field | None = None
    site_longitude_deg: Field | None = None
    night: Field | None = None

    def __post_init__(self) -> None:
        if not self.observed_at:
            raise ValueError("observed_at needs at least one source")
        for each in dataclasses.fields(self):
            field_map = getattr(self, each.name)
            if isinstance(field_map, Field) and each.name not in TEXTS:
                self._require_number(each.name, field_map)

    @staticmethod
    def _require_number(name: str, field_map: Field) -> None:
        if field_map.keywords and field_map.convert == "text":
            raise ValueError(f"{name} is a number: convert must not be 'text'")
        if isinstance(field_map.constant, str):
            raise ValueError(f"{name} is a number: constant must not be text")  # noqa: TRY004 - bind() speaks ValueError


@dataclass(frozen=True, slots=True)
class Check:
    """A bound on a measured number, and what follows when it is crossed."""

    name: str
    metric: str
    low: float | None = None
    high: float | None = None
    severity: Literal["warn", "quarantine"] = "warn"

    def holds(self, value: float) -> bool:
        """Whether a measured value lies within, the bounds themselves included."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


@dataclass(frozen=True, slots=True)
class Level:
    """Between what mean raw levels, in ADU, frames of one kind are usual; None is no bound."""

    low: float | None = None
    high: float | None = None

    def hold(self, mean_adu: float) -> bool:
        """Whether a mean level lies within."""
        return (self.low is None or mean_adu >= self.low) and (
            self.high is None or mean_adu <= self.high
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """How the camera's files are read.

    Attributes
    ----------
    hdu : int, str or None
        Where the image is: position or EXTNAME; None takes the first two-dimensional one.
    verify_checksums : bool
        False for software that is known to write wrong sums.
    earliest : date
        No frame can be older: a clock that was never set says 1970 or 2000.
    future_tolerance_days : float
        How far ahead of the arrival a camera's clock may be.
    decimal_comma : bool
        Numbers are written 60,5: the software ran under a locale that FITS does not know.
    name_time : NameTime or None
        A time in the file's name, which must not contradict the header.
    """

    hdu: int | str | None = None
    verify_checksums: bool = True
    earliest: date = date(2000, 1, 2)
    future_tolerance_days: float = 1.0
    decimal_comma: bool = False
    name_time: NameTime | None = None


@dataclass(frozen=True, slots=True)
class Freshness:
    """How long no frame may come at night before somebody is told.

    Attributes
    ----------
    minutes : float
        Of silence; 0 means that nobody is told.
    sun_altitude_deg : float
        It is night while the sun is lower.
    closed_after_days : float
        After so many days without a frame the telescope counts as closed.
    """

    minutes: float = 45.0
    sun_altitude_deg: float = -12.0
    closed_after_days: float = 7.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """How files of the camera come in, and when one counts as complete.

    Attributes
    ----------
    still_s : float
        A new file is the same after so many seconds, or still being written.
    marker : str or None
        A file whose name ends so says that the one beside it is complete, ``".done"`` say: after
        the frame's whole name or in place of its last suffix. None: the camera says nothing.
    wait_hours : float
        What is incomplete for so long counts as bad.
    """

    still_s: float = 1.0
    marker: str | None = None
    wait_hours: float = 12.0

    def __post_init__(self) -> None:
        if self.still_s < 0 or self.wait_hours < 0:
            raise ValueError("still_s and wait_hours must not be negative")
        if self.marker == "":
            raise ValueError("marker must not be empty")


@dataclass(frozen=True, slots=True)
class Profile:
    """A site, its camera, its dialect, and how its images are worked on.

    Attributes
    ----------
    name : str
        Stem of the file.
    levels : dict of str to Level
        By kind of frame.
    cosmic_rays : CosmicRays or None
        None: they are not looked for, as where stars are as sharp as they.
    astrometry, catalog
        None: images are not placed on the sky.
    """

    name: str
    description: str
    site: Site
    camera: Camera
    fields: Fields
    rules: tuple[KindRule, ...]
    detector: Detector = field(default_factory=Detector)
    reading: Reading = field(default_factory=Reading)
    arrival: Arrival = field(default_factory=Arrival)
    calibration: Calibration = field(default_factory=Calibration)
    gates: Gates = field(default_factory=Gates)
    checks: tuple[Check, ...] = ()
    levels: dict[str, Level] = field(default_factory=dict)
    freshness: Freshness = field(default_factory=Freshness)
    master_check: MasterCheck = field(default_factory=MasterCheck)
    cosmic_rays: CosmicRays | None = None
    background: BackgroundMesh = field(default_factory=BackgroundMesh)
    sources: Sources = field(default_factory=Sources)
    catalog: Catalog | None = None
    astrometry: Astrometry | None = None
    photometry: Photometry = field(default_factory=Photometry)
    coadding: Coadding = field(default_factory=Coadding)
    referencing: Referencing = field(default_factory=Referencing)
    differencing: Differencing = field(default_factory=Differencing)
    detecting: Detecting = field(default_factory=Detecting)
    confirming: Confirming = field(default_factory=Confirming)
    light_curves: LightCurves = field(default_factory=LightCurves)
    targets: tuple[Target, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of frame that the rules can tell, in their order."""
        return tuple(dict.fromkeys(rule.kind for rule in self.rules))

    def digest(self, *sections: str) -> str:
        """Hex sha256 of the canonical JSON of the named sections; of all when none is named.

        Raises
        ------
        ProfileError
            There is no such section.
        """
        content = dataclasses.asdict(self)
        names = sections or tuple(content)
        unknown = set(names) - set(content)
        if unknown:
            raise ProfileError(f"no section {sorted(unknown)} in a profile: {', '.join(content)}")
        chosen: dict[str, Any] = {name: content[name] for name in names}
        canonical = json.dumps(chosen, sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(canonical.encode()).hexdigest()


def load_profile(path: Path) -> Profile:
    """The profile in a TOML file.

    Raises
    ------
    ProfileError
        The file is absent, is not TOML, or says something that a profile cannot mean.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        others = ", ".join(sorted(other.stem for other in path.parent.glob("*.toml"))) or "none"
        raise ProfileError(f"no profile {path.stem!r}; those present: {others}") from error
    except (OSError, ValueError) as error:
        raise ProfileError(f"{path.name} cannot be read: {error}") from error
    if "name" in table:
        raise ProfileError(f"{path.name} has a name: a profile is named by its file")
    return bind(Profile, {"name": path.stem, **table}, where=path.name)
