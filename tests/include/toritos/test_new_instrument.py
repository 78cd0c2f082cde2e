"""A camera that nobody here has heard of: a profile is written, and its night is loaded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from include.ccd.raw import RawFrame
from include.ccd.safe_reader import inspect_safely
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.settings import Settings
from include.toritos.pipeline import TORITOS
from models.frame import Frame, Rejection
from tests.bad_fits.frames import PROFILES, header, pad, profile, store

# MJD 60374,1278414 is 2024-03-05T03:04:05.497
SCIENCE = {
    "MJD-OBS": "60374,1278414",
    "EXPTIME": "'00:01:30,5'",
    "RA": "'13:37:00,9'",
    "DEC": "-29,8658",
    "GEOLON": "70,7313",
    "FILTER1": "'free    '",
    "FILTER2": "'#642 V/88'",
}
HIERARCH = {
    "ESO DPR CATG": "'SCIENCE'",
    "ESO DPR TYPE": "'OBJECT,M83'",
    "ESO OBS TARG NAME": "'M83 / field 2'",
    "ESO DET WIN1 BINNING": "'2 x 1'",
    "ESO DET READ MODE": "'fast, left&right'",
    "ESO DET OUT1 CONAD": "1,45 / e per ADU",
    "ESO DET OUT1 RON": "'8,7'",
    "ESO DET OUT2 GAIN": "0,625 / ADU per e",
    "ESO INS TEMP1 VAL": "153,15",
    "ESO TEL AIRM START": "1,012",
}


def chip(name: str, pixels: np.ndarray, **more: str) -> bytes:
    """An extension of that name."""
    cards = {
        "XTENSION": "'IMAGE   '",
        "BITPIX": "16",
        "NAXIS": "2",
        "NAXIS1": str(pixels.shape[1]),
        "NAXIS2": str(pixels.shape[0]),
        "PCOUNT": "0",
        "GCOUNT": "1",
        "BZERO": "32768",
        "EXTNAME": f"'{name:<8}'",
        **more,
    }
    return header(base=cards) + pad(store(pixels))


def exposure(seed: int, changes: dict[str, str] | None = None, **hierarch: str) -> bytes:
    """A file: everything in the primary header, a guide image, and the chip with two amplifiers."""
    rng = np.random.default_rng(seed)
    long = {**HIERARCH, **{key.replace("_", " "): text for key, text in hierarch.items()}}
    extra = [f"HIERARCH {key} = {text}" for key, text in long.items()]
    base = {"SIMPLE": "T", "BITPIX": "8", "NAXIS": "0", **SCIENCE, **(changes or {})}
    guide = chip("GUIDE", rng.integers(0, 999, (8, 8)).astype(np.uint16))
    pixels = rng.normal(400, 4, (30, 48)).astype(np.uint16)
    sections = {"DATASEC2": "'[25:44,1:30]'", "BIASSEC2": "'[45:48,1:30]'"}
    return header(base=base, extra=extra) + guide + chip("CHIP2", pixels, **sections)


NIGHT = {
    "LS.2024-03-05T03_04_05.fits": exposure(1),
    "bias.fits": exposure(2, {"EXPTIME": "'00:00:00'"}, ESO_DPR_TYPE="'BIAS'"),
    "flat.fits": exposure(
        3, {"FILTER2": "'#639 B'", "EXPTIME": "'0:0:12'"}, ESO_DPR_TYPE="'FLAT,SKY'"
    ),
    "dark.fits": exposure(4, {"EXPTIME": "'1:00:00'"}, ESO_DPR_TYPE="'DARK'"),
    "misnamed_LS.2024-03-07T03_04_05.fits": exposure(5),
}


@pytest.fixture
def la_silla(tmp_path: Path) -> Corral:
    """An installation with that profile and a night of that camera, and not a line of code."""
    options = {"profile": "lasilla", "profiles": str(PROFILES)}
    corral = Corral(replace(Settings.below(tmp_path / "site"), pipeline=options))
    corral.settings.inbox.mkdir(parents=True)
    for name, content in NIGHT.items():
        (corral.settings.inbox / name).write_bytes(content)
    yield corral
    corral.close()


def test_a_profile_alone_loads_the_night_of_an_instrument_not_known_before(
    la_silla: Corral,
) -> None:
    """Kinds, filters, times, nights; and the file whose name lies is refused."""
    report = drain(la_silla, TORITOS.loader())

    assert (report.done, report.failed) == (5, 0)
    with la_silla.read() as session:
        frames = {frame.path: frame for frame in session.scalars(select(Frame))}
        rejected = [(row.path, row.reason) for row in session.scalars(select(Rejection))]
    assert rejected == [("misnamed_LS.2024-03-07T03_04_05.fits", "time_contradicts")]
    told = {
        name: (frame.kind, frame.filter, frame.exptime_s, frame.hdu, tuple(frame.flags))
        for name, frame in frames.items()
    }
    assert told == {
        "LS.2024-03-05T03_04_05.fits": ("science", "V", 90.5, 2, ()),
        "bias.fits": ("bias", None, 0.0, 2, ()),
        "flat.fits": ("flat", "B", 12.0, 2, ()),
        "dark.fits": ("dark", None, 3600.0, 2, ()),
    }
    science = frames["LS.2024-03-05T03_04_05.fits"]
    assert science.observed_at == datetime(2024, 3, 5, 3, 4, 5, 497000, UTC)
    assert science.night.date == date(2024, 3, 4)
    assert (science.binning, science.readout) == ("2x1", "fast, left&right")
    assert (science.object, science.temperature_c) == ("M83 / field 2", -120.0)
    assert (science.ra_deg, science.dec_deg) == pytest.approx((204.25375, -29.8658))
    assert science.airmass == 1.012


def test_each_amplifier_has_the_electronics_that_its_keywords_tell(la_silla: Corral) -> None:
    """Gain, its reciprocal, read noise in quotes; sections from the profile and the header."""
    path = la_silla.settings.inbox / "bias.fits"

    found = inspect_safely(path, profile=profile("lasilla"))

    left, right = found.header.amplifiers
    assert (left.gain_e_per_adu, left.read_noise_e) == (1.45, 8.7)
    assert (right.gain_e_per_adu, right.read_noise_e) == (1.6, 9.5)
    assert left.overscan is not None
    assert right.overscan is not None
    assert (left.data.fits(), left.overscan.fits()) == ("[5:24,1:30]", "[1:4,1:30]")
    assert (right.data.fits(), right.overscan.fits()) == ("[25:44,1:30]", "[45:48,1:30]")
    assert found.header.trimmed_shape == (30, 40)
    pixels = RawFrame(path, found.header, found.hdu).pixels()
    assert pixels.shape == (30, 48)
    assert abs(float(pixels.mean()) - 400) < 3
