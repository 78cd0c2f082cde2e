"""What an alert says of a place in the sky, so that a machine can point a telescope at it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Self

CONTEXT_KEY = "sky_event"


@dataclass(frozen=True, slots=True, kw_only=True)
class Magnitude:
    """A brightness and its error, in magnitudes, through a filter."""

    mag: float
    mag_err: float | None = None
    filter: str = ""

    def __post_init__(self) -> None:
        _require_finite("mag", self.mag)
        if self.mag_err is not None:
            _require_finite("mag_err", self.mag_err, at_least=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where on Earth it was seen from: degrees, north and east positive; metres."""

    name: str
    latitude_deg: float
    longitude_deg: float
    elevation_m: float = 0.0

    def __post_init__(self) -> None:
        _require_finite("latitude_deg", self.latitude_deg, at_least=-90.0, at_most=90.0)
        _require_finite("longitude_deg", self.longitude_deg, at_least=-180.0, at_most=360.0)
        _require_finite("elevation_m", self.elevation_m)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyEvent:
    """Something seen at a place in the sky, at a time.

    A rule gives it with its message: ``context`` returns ``SkyEvent(…).as_context()``.

    Attributes
    ----------
    ra_deg, dec_deg
        ICRS, in degrees.
    error_deg
        Radius, in degrees, in which it lies.
    observed_at
        Aware; the middle of the exposure.
    magnitudes
        At least one.
    observatory
        Where it was seen from.
    name
        How the pipeline calls it.
    score
        From 0 to 1, how sure it is to be what it seems; None where nobody has said.
    concept
        What it is, as an IVOA UCD or word of a vocabulary; ``process.variation`` by default.
    is_test
        Nobody is to point a telescope at it.

    Raises
    ------
    ValueError
        If a number is none, or is outside what it can be; it names the field.
    """

    ra_deg: float
    dec_deg: float
    error_deg: float
    observed_at: datetime
    magnitudes: tuple[Magnitude, ...]
    observatory: Place
    name: str = ""
    score: float | None = None
    concept: str = "process.variation"
    is_test: bool = False

    def __post_init__(self) -> None:
        _require_finite("ra_deg", self.ra_deg, at_least=0.0, at_most=360.0)
        _require_finite("dec_deg", self.dec_deg, at_least=-90.0, at_most=90.0)
        _require_finite("error_deg", self.error_deg, at_least=0.0)
        if self.score is not None:
            _require_finite("score", self.score, at_least=0.0, at_most=1.0)
        if self.observed_at.tzinfo is None:
            raise ValueError("observed_at has no time zone")
        if not self.magnitudes:
            raise ValueError("there is no magnitude")

    def as_context(self) -> dict[str, Any]:
        """Give it in JSON types, as part of the context of an alert."""
        plain = asdict(self) | {
            "observed_at": self.observed_at.astimezone(UTC).isoformat(),
            "magnitudes": [asdict(each) for each in self.magnitudes],
        }
        return {CONTEXT_KEY: plain}

    @classmethod
    def from_context(cls, context: Mapping[str, Any] | None) -> Self:
        """Read it from the context of an alert.

        Raises
        ------
        ValueError
            If the context has none, or one that makes no sense; it says what is missing or wrong.
        """
        given = (context or {}).get(CONTEXT_KEY)
        if not isinstance(given, Mapping):
            # of the value of a key, as all that can be wrong here
            raise ValueError(  # noqa: TRY004
                "the alert names no place in the sky (its context has no sky_event)"
            )
        try:
            return cls(
                **{
                    **_known(cls, given),
                    "observed_at": datetime.fromisoformat(given["observed_at"]),
                    "observatory": Place(**_known(Place, given["observatory"])),
                    "magnitudes": tuple(
                        Magnitude(**_known(Magnitude, each)) for each in given["magnitudes"]
                    ),
                }
            )
        except KeyError as error:
            raise ValueError(f"the sky_event of the alert has no {error.args[0]}") from error
        except (TypeError, ValueError) as error:
            raise ValueError(f"the sky_event of the alert makes no sense: {error}") from error


def _known(kind: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is no field: a newer release may have said more."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in given.items() if name in names}


def _require_finite(
    name: str, value: object, *, at_least: float = -math.inf, at_most: float = math.inf
) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and math.isfinite(value) and at_least <= value <= at_most):  # type: ignore[arg-type,operator]
        raise ValueError(f"{name} is {value!r}")
