"""`corral look`: what a profile makes of files, before they are anybody's frames."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.corral.corral import Corral
from include.corral.pipeline import Pipeline

if TYPE_CHECKING:
    from include.ccd.fits_reader import Inspection
    from include.ccd.profile import Profile

Say = Callable[[str], None]


def add_look(commands: Any) -> None:
    """Add the command to the parser of commands."""
    parser = commands.add_parser("look", help="what the profile makes of files; nothing is loaded")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--profile", help="by default the one that CORRAL_PROFILE names")
    parser.set_defaults(command=_look)


def _look(arguments: argparse.Namespace, _pipeline: Pipeline, corral: Corral, say: Say) -> int:
    from include.ccd.errors import BadFits
    from include.ccd.safe_reader import inspect_safely
    from include.toritos.instrument import profile_name, profile_of

    settings = corral.settings
    profile = profile_of(arguments.profile or profile_name(settings), settings)
    refused = 0
    for file in arguments.files:
        try:
            found = inspect_safely(file, profile=profile, now=datetime.now(UTC))
        except BadFits as error:
            refused += 1
            say(f"{_shown(file)}: {error.verdict}, {error}")
        else:
            say("\n  ".join((f"{_shown(file)}:", *_lines(found, profile))))
    return min(refused, 1)


def _shown(file: Path) -> str:
    return "".join(char if char.isprintable() else "?" for char in str(file))


def _lines(found: Inspection, profile: Profile) -> Iterator[str]:
    """Say what is known of a frame, a few words to a line."""
    from include.ccd.night import night_of

    header = found.header
    night = night_of(header.observed_at, profile.site.longitude_deg)
    yield f"{header.kind}, filter {header.filter}, {header.exptime_s:g} s, {header.object!r}"
    yield f"began {header.observed_at:%Y-%m-%d %H:%M:%S.%f} UTC, night {night}"
    yield (
        f"{header.width_px} x {header.height_px} pixels of unit {found.hdu}, binning "
        f"{header.binning}, readout {header.readout}, {_number(header.temperature_c)} C"
    )
    yield f"ra {_number(header.ra_deg)}, dec {_number(header.dec_deg)} degrees (J2000)"
    for amplifier in header.amplifiers:
        overscan = amplifier.overscan.fits() if amplifier.overscan else "none"
        yield (
            f"data {amplifier.data.fits()}, overscan {overscan}: gain "
            f"{_number(amplifier.gain_e_per_adu)} e/ADU, read noise "
            f"{_number(amplifier.read_noise_e)} e"
        )
    values = found.statistics
    yield f"pixels {_number(values.minimum)} to {_number(values.maximum)} ADU, mean " + _number(
        values.mean
    )
    yield f"flags: {', '.join(found.flags) or 'none'}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.6g}"
