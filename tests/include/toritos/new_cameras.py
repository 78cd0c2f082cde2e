"""Nights of two cameras that this project does not know, as their own software writes them."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from astropy.io import fits

# Electrons per pixel that the sky gives to every science frame.
SKY_E = 900.0
PROFILES = Path(__file__).parent / "cameras"
EVENING = datetime(2026, 7, 3, 21, 30, tzinfo=UTC)
FAR_EVENING = datetime(2026, 7, 4, 2, 30, tzinfo=UTC)


def written(*units: object) -> bytes:
    """Bytes of a FITS file."""
    stream = io.BytesIO()
    fits.HDUList(list(units)).writeto(stream)
    return stream.getvalue()


def southside() -> Iterator[tuple[str, bytes]]:
    """Names and contents: packed and plain, a third axis of one; a frame after midnight."""
    rng = np.random.default_rng(8)
    shape = 1 - 0.3 * np.linspace(-1, 1, 48)[:, None] ** 2 * np.ones((1, 64))
    vignette = shape / np.median(shape)
    stages = [(2, 5, 0, None), (3, 3, 60_000, None), (4, 5, 4_000, 2), (1, 4, 60_000, 2)]
    for kind, count, exposure_ms, position in stages:
        for number in range(count):
            light = {4: 20_000.0, 1: SKY_E / 2}.get(kind, 0.0) * vignette
            level = 1000 + exposure_ms / 1000 * 0.5 + light
            pixels = rng.normal(level, 6.0, (48, 64)).round().astype(np.uint16)
            if kind == 1:
                pixels[10:13, 20:23] += np.uint16(8000)
            moment = EVENING + timedelta(hours=kind % 3, minutes=7 * number)
            local = moment.astimezone(ZoneInfo("Europe/Madrid"))
            unit = fits.PrimaryHDU(pixels[np.newaxis])
            unit.header.update(
                {
                    "PICTTYPE": kind,
                    "DATE-OBS": f"{local:%d/%m/%y}",
                    "TIME-OBS": f"{local:%H:%M:%S}",
                    "EXPMS": exposure_ms,
                    "CCDSUM": "2 2",
                    "CCDTEMP": 258.2,
                    "ADUPERE": 0.5,
                    "OBJECT": "M 13",
                    "RA": "16h41m41.6s",
                    "DEC": "+36d 27m 41s",
                }
            )
            if position is not None:
                unit.header["FILTPOS"] = position
            content = written(unit)
            packed = number % 2 == 1
            name = f"IMG{kind}{number:04}.FTS" + (".gz" if packed else "")
            yield name, gzip.compress(content, mtime=0) if packed else content


def twochip() -> Iterator[tuple[str, bytes]]:
    """Names and contents: primary without data, a guider, two chips, the second packed."""
    rng = np.random.default_rng(9)
    gains = {"GAINL": 1.25, "GAINR": 2.5}
    per_column = np.r_[np.full(32, 1.25), np.full(8, np.inf), np.full(32, 2.5)]
    stages = [("cal/zero", 5, 0.0), ("cal/dome", 5, 5.0), ("sky/survey", 4, 90.0)]
    for mode, count, exposure_s in stages:
        for number in range(count):
            electrons = {"cal/dome": 40_000.0, "sky/survey": SKY_E}.get(mode, 0.0)
            level = np.r_[np.full(36, 700.0), np.full(36, 900.0)] + electrons / per_column
            chip = rng.normal(level, 4.0, (40, 72)).astype(np.float32).round()
            primary = fits.PrimaryHDU()
            middle = FAR_EVENING + timedelta(hours=len(mode) - 8, seconds=120 * number)
            middle += timedelta(seconds=exposure_s / 2)
            minutes, seconds = divmod(exposure_s, 60)
            primary.header.update(
                {
                    "OBSMODE": mode,
                    "SHUTTER": "open",
                    "MJDMID": 40587 + middle.timestamp() / 86400,
                    "WHEEL1": "clear",
                    "WHEEL2": "r_SDSS",
                    "SPEED": "slow",
                    "DEWAR": "-100.5",
                    "TARGET": "Field 12",
                    "RADEG": 250.25,
                    "DECDEG": -12.5,
                    "DATE": "2026-08-01T00:00:00",
                    "HIERARCH DET EXP TIME": f"0:{minutes:02.0f}:{seconds:04.1f}",
                    **gains,
                }
            )
            guider = fits.ImageHDU(np.zeros((8, 8), np.int16), name="GUIDE")
            first = fits.ImageHDU(chip[:, ::-1].copy(), name="CHIP1")
            stored = chip.astype(np.int32)
            second = fits.CompImageHDU(stored, name="CHIP2", compression_type="RICE_1")
            name = f"{mode.replace('/', '-')}-{number}.fits.fz"
            yield name, written(primary, guider, first, second)
