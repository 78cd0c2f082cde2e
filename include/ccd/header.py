"""What is known of a frame: logical values, whatever dialect its header was written in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from include.ccd.errors import BadHeader, FromTheFuture
from include.ccd.fits_cards import Cards
from include.ccd.night import night_of
from include.ccd.pointing import to_j2000
from include.ccd.sections import Amplifier, Section

if TYPE_CHECKING:
    from include.ccd.fieldmap import Field
    from include.ccd.profile import Profile

__all__ = ["Amplifier", "FrameHeader", "Section", "parse_header"]

WITHOUT_FILTER: Final = frozenset({"bias", "dark"})
MAX_EXPTIME_S: Final = 86_400.0
MAX_BINNING: Final = 64
LONGEST_FILTER: Final = 64
LONGEST_READOUT: Final = 100
SAME_INSTANT: Final = timedelta(seconds=60)
OTHER_INSTANT: Final = timedelta(hours=1)
SAME_SITE_DEG: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameHeader:
    """The logical header of one raw frame.

    Attributes
    ----------
    kind : str
        'bias', 'dark', 'flat', 'science' or 'unknown'.
    camera : str
        Name of the camera in the profile.
    filter : str or None
        Always None for bias and dark frames, whatever the header says.
    exptime_s : float
        Exposure time in seconds, finite and not negative.
    observed_at : datetime
        Start of the exposure, aware UTC.
    x_binning, y_binning : int
        On-chip binning factors.
    readout : str or None
        Readout mode; frames of different modes do not calibrate each other.
    temperature_c : float or None
        Detector temperature in degrees Celsius.
    object, ra_deg, dec_deg, airmass
        What the header says was observed: data, never identity. ICRS/J2000 degrees.
    width_px, height_px : int
        Size of the raw array.
    saturation_adu : float or None
        Raw level from which a pixel is saturated.
    amplifiers : tuple of Amplifier
        At least one; together they fill the trimmed image.
    flags : tuple of str
        What is unusual but usable, such as 'gain_unknown'; sorted.
    """

    kind: str
    camera: str
    filter: str | None = None
    exptime_s: float
    observed_at: datetime
    x_binning: int = 1
    y_binning: int = 1
    readout: str | None = None
    temperature_c: float | None = None
    object: str | None = None
    ra_deg: float | None = None
    dec_deg: float | None = None
    airmass: float | None = None
    width_px: int
    height_px: int
    saturation_adu: float | None = None
    amplifiers: tuple[Amplifier, ...]
    flags: tuple[str, ...] = ()

    @property
    def binning(self) -> str:
        """Binning as people write it, ``"2x2"``: x first."""
        return f"{self.x_binning}x{self.y_binning}"

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx) of the raw array."""
        return self.height_px, self.width_px

    @property
    def trimmed_shape(self) -> tuple[int, int]:
        """(ny, nx) of the image that the amplifiers' data sections make together."""
        return (
            max(amplifier.placed.y1 for amplifier in self.amplifiers),
            max(amplifier.placed.x1 for amplifier in self.amplifiers),
        )


def parse_header(
    header: Any,
    *,
    shape: tuple[int, int],
    profile: Profile,
    name: str | None = None,
    arrived_at: datetime | None = None,
) -> FrameHeader:
    """The logical header of a raw frame, by the profile of its instrument.

    Parameters
    ----------
    header : Cards, bytes or astropy Header
        Text from a camera: read as data, never evaluated.
    shape : tuple of int
        (ny, nx) of the raw array.
    profile : Profile
    name : str, optional
        What the file is called: a time in it must not contradict the header.
    arrived_at : datetime, optional
        Aware instant at which the file arrived; no exposure can begin much later.

    Returns
    -------
    FrameHeader

    Raises
    ------
    BadHeader
        A value that a frame cannot be without is absent, unreadable, contradictory or out of
        range. Any other value of that sort becomes None and a flag.
    """
    cards = Cards.of(header)
    if profile.reading.decimal_comma:
        cards = cards.with_decimal_comma()
    in_name = profile.reading.name_time
    named_at = in_name.find(name) if in_name is not None and name is not None else None
    return _Reading(cards, profile, cards.flags()).frame(shape, arrived_at, named_at)


@dataclass(slots=True)
class _Reading:
    """One header being read: the flags gather as values are asked for."""

    cards: Cards
    profile: Profile
    flags: set[str]

    def frame(
        self, shape: tuple[int, int], arrived_at: datetime | None, named_at: datetime | None
    ) -> FrameHeader:
        exptime_s = self._exptime()
        kind = self._kind(exptime_s)
        ra_deg, dec_deg = self._pointing()
        x_binning, y_binning = self._binning("x_binning"), self._binning("y_binning")
        self._compare_site()
        observed_at = self._observed_at(exptime_s, arrived_at, named_at)
        self._compare_night(observed_at)
        values: dict[str, Any] = {
            "kind": kind,
            "camera": self.profile.camera.name,
            "filter": self._filter(kind),
            "exptime_s": exptime_s,
            "observed_at": observed_at,
            "x_binning": x_binning,
            "y_binning": y_binning,
            "readout": self._optional("readout", lambda text: len(text) <= LONGEST_READOUT),
            "temperature_c": self._optional("temperature_c", lambda c: -273.15 <= c <= 100),
            "object": self._optional("object"),
            "ra_deg": ra_deg,
            "dec_deg": dec_deg,
            "airmass": self._optional("airmass", lambda x: 0.99 <= x <= 40),
            "saturation_adu": self._electronics("saturation_adu"),
            "amplifiers": self._amplifiers(shape, f"{x_binning}x{y_binning}"),
        }
        return FrameHeader(
            **values, width_px=shape[1], height_px=shape[0], flags=tuple(sorted(self.flags))
        )

    def _optional(self, name: str, holds: Callable[[Any], bool] = lambda _: True) -> Any:
        """A value that a frame can be without: None and a flag when it makes no sense."""
        field: Field | None = getattr(self.profile.fields, name)
        if field is None:
            return None
        try:
            value = field.find(self.cards)
        except BadHeader:
            self.flags.add(f"{name}_unreadable")
            return None
        if value is None or holds(value):
            return value
        self.flags.add(f"{name}_unreadable")
        return None

    def _exptime(self) -> float:
        field = self.profile.fields.exptime_s
        found = field.find(self.cards)
        if found is None:
            raise BadHeader("no_exptime", f"none of {', '.join(field.keywords)} is in the header")
        if isinstance(found, str) or not 0 <= found <= MAX_EXPTIME_S:
            raise BadHeader("bad_exptime", f"exposure time must be 0 to 86400 s: {found!r}")
        if not field.agrees(self.cards):
            self.flags.add("exptime_disagrees")
        return abs(float(found))

    def _kind(self, exptime_s: float) -> str:
        kind = next((rule.kind for rule in self.profile.rules if rule.holds(self.cards)), "unknown")
        if kind == "unknown":
            self.flags.add("kind_unknown")
        if kind == "bias" and exptime_s > 1:
            self.flags.add("bias_exposed")
        if kind in {"science", "flat", "dark"} and exptime_s == 0:
            self.flags.add("not_exposed")
        return kind

    def _filter(self, kind: str) -> str | None:
        if kind in WITHOUT_FILTER:
            return None
        found = self._optional("filter", lambda text: len(text) <= LONGEST_FILTER)
        if found is None:
            self.flags.add("filter_unknown")
        return None if found is None else str(found)

    def _observed_at(
        self, exptime_s: float, arrived_at: datetime | None, named_at: datetime | None
    ) -> datetime:
        sources = iter(self.profile.fields.observed_at)
        starts = (source.find(self.cards, exptime_s=exptime_s) for source in sources)
        found = next((start for start in starts if start is not None), None)
        if found is None:
            asked = "; ".join(" + ".join(s.keywords) for s in self.profile.fields.observed_at)
            raise BadHeader("no_time", f"the header does not tell the start of exposure ({asked})")
        for source in sources:
            try:
                self._compare_time(found, source.find(self.cards, exptime_s=exptime_s))
            except BadHeader as error:
                if error.code == "time_contradicts":
                    raise
                self.flags.add("time_unreadable")
        self._compare_time(found, named_at)
        self._plausible(found, arrived_at)
        return found

    def _compare_time(self, found: datetime, other: datetime | None) -> None:
        apart = abs(found - other) if other is not None else timedelta(0)
        if apart > OTHER_INSTANT:
            raise BadHeader("time_contradicts", f"start of exposure is both {found} and {other}")
        if apart > SAME_INSTANT:
            self.flags.add("time_disagrees")

    def _plausible(self, found: datetime, arrived_at: datetime | None) -> None:
        reading = self.profile.reading
        if found.date() < reading.earliest:
            raise BadHeader("too_early", f"{found} is before the camera ({reading.earliest})")
        tolerance = timedelta(days=reading.future_tolerance_days)
        if arrived_at is not None and found > arrived_at.astimezone(UTC) + tolerance:
            message = f"{found} is after the file arrived ({arrived_at})"
            raise FromTheFuture("too_late", message, possible_from=found - tolerance)

    def _binning(self, name: str) -> int:
        found = self._optional(name, lambda n: n % 1 == 0 and 1 <= n <= MAX_BINNING)
        if found is None:
            if getattr(self.profile.fields, name) is not None:
                self.flags.add(f"{name}_unknown")
            return 1
        return int(found)

    def _pointing(self) -> tuple[float | None, float | None]:
        ra = self._optional("ra_deg", lambda angle: 0 <= angle < 360)
        dec = self._optional("dec_deg", lambda angle: -90 <= angle <= 90)
        equinox = self._optional("equinox", lambda year: 1800 <= year <= 2200)
        if ra is None or dec is None:
            return None, None
        return to_j2000(ra, dec, equinox=2000.0 if equinox is None else equinox)

    def _compare_site(self) -> None:
        site = self.profile.site
        for name, ours in (
            ("site_latitude_deg", site.latitude_deg),
            ("site_longitude_deg", site.longitude_deg),
        ):
            theirs = self._optional(name)
            if theirs is None:
                continue
            if abs((theirs - ours + 180) % 360 - 180) > SAME_SITE_DEG:
                self.flags.add("site_disagrees")

    def _compare_night(self, observed_at: datetime) -> None:
        """The night is computed; what the camera calls it changes at its own midnight or noon."""
        theirs = self._optional("night")
        ours = night_of(observed_at, self.profile.site.longitude_deg)
        if theirs is not None and theirs[:10] not in {f"{ours:%Y-%m-%d}", f"{ours:%Y%m%d}"}:
            self.flags.add("night_disagrees")

    def _electronics(self, name: str) -> float | None:
        found = self._optional(name, lambda value: value > 0)
        if found is None:
            found = getattr(self.profile.detector, name)
        return found if found is None else float(found)

    def _amplifiers(self, shape: tuple[int, int], binning: str) -> tuple[Amplifier, ...]:
        amplifiers = self.profile.detector.split(
            self.cards,
            shape,
            gain_e_per_adu=self._electronics("gain_e_per_adu"),
            read_noise_e=self._electronics("read_noise_e"),
            binning=binning,
        )
        if any(amplifier.gain_e_per_adu is None for amplifier in amplifiers):
            self.flags.add("gain_unknown")
        if any(amplifier.read_noise_e is None for amplifier in amplifiers):
            self.flags.add("read_noise_unknown")
        return amplifiers
