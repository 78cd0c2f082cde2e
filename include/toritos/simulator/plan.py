"""The plan of a night: which exposures are taken, and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, Self

from include.toritos.simulator.detector import DetectorSpec
from include.toritos.simulator.sky import SkySpec

Kind = Literal["bias", "dark", "flat", "science"]

LATITUDE_DEG = -24.623
LONGITUDE_DEG = -67.328
FLAT_EXPTIME_S = 5.0

# Mean solar time of the site at which each block begins. Science starts at 23:44 UTC: the UTC
# date changes in the third slot, the local one after 4.75 h, the night (noon to noon) never.
_BLOCK_START_H: Mapping[Kind, float] = {"bias": 14.0, "dark": 14.7, "flat": 18.2, "science": 19.25}
_READOUT_S = 15.0
_LAST_START_H = 36.0
_SIZE_LIMITS_PX = (64, 10560)


@dataclass(frozen=True, slots=True)
class Exposure:
    """One exposure of the night: the numbers a name needs, and the planned start (aware UTC)."""

    kind: Kind
    index: int
    exptime_s: float
    filter: str | None
    starts_at: datetime
    name: str


@dataclass(frozen=True)
class NightPlan:
    """What is taken in one night; equal plans give equal bytes.

    Parameters
    ----------
    night : date
        Local date of the evening, in mean solar time of the site.
    size_px : int
        Side of the square frames, 64 to 10560.
    biases : int
        Number of bias frames.
    darks : mapping of float to int
        Number of dark frames by exposure time in seconds.
    flats, science : mapping of str to int
        Number of frames by filter.
    exptime_s : float
        Exposure time of the science frames.
    seed : int
        Seed of the simulated world. The detector and the stars depend on it and on the size
        alone, so that two nights of a seed show the same camera and the same field.
    flat_exptime_s : float
        Exposure time of the flats; by default one that no dark has.
    cadence_s : float
        Time between starts of science exposures, whatever their filter.
    temperature_c : float
        Set point of the cooler; changes the header only.
    field_name, ra_deg, dec_deg
        Pointing of the one field; it changes header and airmass only.
    detector, sky
        Constants of the camera and of the field.

    Raises
    ------
    ValueError
        When a number is impossible, or the exposures do not fit between two noons.
    """

    night: date
    size_px: int
    biases: int
    darks: Mapping[float, int]
    flats: Mapping[str, int]
    science: Mapping[str, int]
    exptime_s: float = 60.0
    seed: int = 1
    flat_exptime_s: float = FLAT_EXPTIME_S
    cadence_s: float = 480.0
    temperature_c: float = -20.0
    field_name: str = "field01"
    ra_deg: float = 30.0
    dec_deg: float = -29.5
    detector: DetectorSpec = field(default_factory=DetectorSpec)
    sky: SkySpec = field(default_factory=SkySpec)

    def __post_init__(self) -> None:
        low, high = _SIZE_LIMITS_PX
        if not low <= self.size_px <= high:
            raise ValueError(
                f"size_px is {self.size_px}; a frame has {low} to {high} pixels a side"
            )
        counts = [self.biases, *self.darks.values(), *self.flats.values(), *self.science.values()]
        if min(counts) < 0 or self.seed < 0:
            raise ValueError("the number of frames and the seed must not be negative")
        if min([self.exptime_s, self.flat_exptime_s, self.cadence_s, *self.darks]) <= 0:
            raise ValueError("exposure times and the cadence must be above zero seconds")
        end = self.local_to_utc(_LAST_START_H)
        late = [exposure.name for exposure in self.exposures() if exposure.starts_at >= end]
        if late:
            raise ValueError(
                f"{late[0]} and {len(late) - 1} more would start after the noon that ends the "
                f"night {self.night}: take fewer frames or a shorter cadence than "
                f"{self.cadence_s:g} s"
            )

    @classmethod
    def demo(cls, night: date = date(2026, 11, 20), *, size_px: int = 512, seed: int = 1) -> Self:
        """Return a small complete night: 10 biases, 2 × 5 darks, 2 × 5 flats, 2 × 20 science."""
        return cls(
            night=night,
            size_px=size_px,
            biases=10,
            darks={60.0: 5, 20.0: 5},
            flats={"V": 5, "R": 5},
            science={"V": 20, "R": 20},
            seed=seed,
        )

    def local_to_utc(self, hours: float) -> datetime:
        """Return the instant that is ``hours`` of mean solar time after 0 h of the night's date."""
        midnight = datetime.combine(self.night, time(), tzinfo=UTC)
        seconds = round((hours - LONGITUDE_DEG / 15.0) * 3600.0)
        return midnight + timedelta(seconds=seconds)

    def exposures(self) -> Iterator[Exposure]:
        """Yield every exposure of the plan in the order in which the camera takes them."""
        for index in range(1, self.biases + 1):
            yield self.exposure("bias", index)
        darks = [
            self.exposure("dark", k, exptime_s=t) for t, n in self.darks.items() for k in _to(n)
        ]
        flats = [self.exposure("flat", k, filter=f) for f, n in self.flats.items() for k in _to(n)]
        lights = [
            self.exposure("science", k, filter=f) for f, n in self.science.items() for k in _to(n)
        ]
        for block in (darks, flats, lights):
            yield from sorted(block, key=lambda exposure: (exposure.starts_at, exposure.name))

    def exposure(
        self,
        kind: Kind,
        index: int,
        *,
        filter: str | None = None,
        exptime_s: float | None = None,
    ) -> Exposure:
        """Return one exposure, in the plan or beyond it (a frame that comes late).

        Parameters
        ----------
        kind : {'bias', 'dark', 'flat', 'science'}
            What is taken.
        index : int
            Number in its group, from 1.
        filter : str, optional
            Filter of a flat or science frame.
        exptime_s : float, optional
            Exposure time; by default that of the kind in the plan.
        """
        usual = {"bias": 0.0, "flat": self.flat_exptime_s}.get(kind, self.exptime_s)
        seconds = usual if exptime_s is None else float(exptime_s)
        if (filter is None) != (kind in ("bias", "dark")):
            raise ValueError(f"filter is {filter!r} for a {kind} frame; flat and science have one")
        slot_s, rank, groups = self._slot(kind, filter, seconds)
        after_s = ((index - 1) * groups + rank) * slot_s
        return Exposure(
            kind=kind,
            index=index,
            exptime_s=seconds,
            filter=filter,
            starts_at=self.local_to_utc(_BLOCK_START_H[kind]) + timedelta(seconds=after_s),
            name=self._name(kind, index, filter, seconds),
        )

    def _slot(self, kind: Kind, filter_name: str | None, seconds: float) -> tuple[float, int, int]:
        """Return slot length, rank and number of the groups that take turns in a block."""
        turns: dict[Kind, tuple[object, list[object], float]] = {
            "bias": (None, [], _READOUT_S),
            "dark": (seconds, list(self.darks), max([*self.darks, seconds]) + _READOUT_S),
            "flat": (filter_name, list(self.flats), self.flat_exptime_s + _READOUT_S),
            "science": (filter_name, list(self.science), self.cadence_s),
        }
        group, groups, slot_s = turns[kind]
        rank = groups.index(group) if group in groups else len(groups)
        return max(slot_s, seconds + _READOUT_S), rank, max(1, len(groups))

    def _name(self, kind: Kind, index: int, filter_name: str | None, seconds: float) -> str:
        if kind == "science":
            return f"{self.field_name}-{filter_name}-{index:04d}.fit"
        part = {"bias": "", "dark": f"-{seconds:03g}s", "flat": f"-{filter_name}"}[kind]
        return f"{kind}{part}-{index:03d}.fit"


def _to(count: int) -> range:
    return range(1, count + 1)
