"""Raw FITS bytes as MaxIm DL 5 writes them for the camera of TORITOS."""

from __future__ import annotations

import math
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from include.toritos.simulator.conditions import (
    APERTURE_MM,
    FOCAL_LENGTH_MM,
    Conditions,
    julian_date,
)
from include.toritos.simulator.plan import LATITUDE_DEG, LONGITUDE_DEG, Exposure, NightPlan

_BLOCK_BYTES = 2880
_IMAGETYP = {
    "bias": "Bias Frame",
    "dark": "Dark Frame",
    "flat": "Flat Field",
    "science": "Light Frame",
}

Value = str | int | float | bool


def write_fits(
    file: BinaryIO,
    pixels: NDArray[np.uint16],
    *,
    plan: NightPlan,
    exposure: Exposure,
    conditions: Conditions,
) -> None:
    """Write a complete FITS file of one image as unsigned 16-bit integers (BZERO = 32768).

    Parameters
    ----------
    file : binary file
        Open for writing.
    pixels : ndarray of uint16, shape (ny, nx)
        ADU.
    plan, exposure, conditions
        What the header says of them.
    """
    cards = [
        *_structure_cards(pixels.shape),
        *_camera_cards(plan, exposure, conditions),
        *_site_cards(conditions),
        *_target_cards(plan, exposure, conditions),
        "END",
    ]
    header = "".join(f"{text:<80}" for text in cards).encode("ascii")
    data = (pixels ^ np.uint16(0x8000)).astype(">u2")
    for block, filler in ((header, b" "), (data.data, b"\0")):
        file.write(block)
        file.write(filler * (-memoryview(block).nbytes % _BLOCK_BYTES))


def card(keyword: str, value: Value, comment: str = "") -> str:
    """Return one header card: floats with 17 digits and a comment after ``/``, as MaxIm has it.

    Parameters
    ----------
    keyword : str
        At most 8 characters.
    value : str, int, float or bool
        Text is quoted and padded to 8 characters.
    comment : str
        Left out when empty.
    """
    if isinstance(value, bool):
        text = f"{'T' if value else 'F':>20}"
    elif isinstance(value, str):
        quoted = value.replace("'", "''")
        text = f"'{quoted:<8}'"
    else:
        text = f"{value:>20d}" if isinstance(value, int) else f"{value:>#20.17g}"
    return f"{keyword:<8}= {text}" + (f" /{comment}" if comment else "")


def sexagesimal(value: float) -> str:
    """Return a number as degrees (or hours), minutes and whole seconds: -24.623 → '-24 37 23'."""
    minutes, seconds = divmod(round(abs(value) * 3600.0), 60)
    sign = "-" if value < 0 else ""
    return f"{sign}{minutes // 60:02d} {minutes % 60:02d} {seconds:02d}"


def _structure_cards(shape: tuple[int, ...]) -> list[str]:
    return [
        card("SIMPLE", True),
        card("BITPIX", 16, "8 unsigned int, 16 & 32 int, -32 & -64 real"),
        card("NAXIS", 2, "number of axes"),
        card("NAXIS1", shape[1], "fastest changing axis"),
        card("NAXIS2", shape[0], "next to fastest changing axis"),
        card("BSCALE", 1.0, "physical = BZERO + BSCALE*array_value"),
        card("BZERO", 32768.0, "physical = BZERO + BSCALE*array_value"),
    ]


def _camera_cards(plan: NightPlan, exposure: Exposure, conditions: Conditions) -> list[str]:
    start = conditions.starts_at.replace(tzinfo=None).isoformat(timespec="milliseconds")
    pixel_um = plan.detector.pixel_um
    return [
        card("DATE-OBS", start, "YYYY-MM-DDThh:mm:ss observation start, UT"),
        card("EXPTIME", exposure.exptime_s, "Exposure time in seconds"),
        card("EXPOSURE", exposure.exptime_s, "Exposure time in seconds"),
        card("SET-TEMP", plan.temperature_c, "CCD temperature setpoint in C"),
        card("CCD-TEMP", conditions.temperature_c, "CCD temperature at start of exposure in C"),
        card("XPIXSZ", pixel_um, "Pixel Width in microns (after binning)"),
        card("YPIXSZ", pixel_um, "Pixel Height in microns (after binning)"),
        card("XBINNING", 1, "Binning factor in width"),
        card("YBINNING", 1, "Binning factor in height"),
        card("XORGSUBF", 0, "Subframe X position in binned pixels"),
        card("YORGSUBF", 0, "Subframe Y position in binned pixels"),
        card("READOUTM", "Monochrome (Preflash)", "Readout mode of image"),
        # The wheel stands somewhere during bias and dark frames too, and the camera says where.
        card("FILTER", exposure.filter or "Clear", "          Filter used when taking image"),
        card("IMAGETYP", _IMAGETYP[exposure.kind], "       Type of image"),
    ]


def _site_cards(conditions: Conditions) -> list[str]:
    aperture_mm2 = math.pi * (APERTURE_MM / 2.0) ** 2
    return [
        card("SITELAT", sexagesimal(LATITUDE_DEG), "        Latitude of the imaging location"),
        card("SITELONG", sexagesimal(LONGITUDE_DEG), "        Longitude of the imaging location"),
        card("JD", julian_date(conditions.starts_at), "Julian Date at start of exposure"),
        card("FOCALLEN", FOCAL_LENGTH_MM, "Focal length of telescope in mm"),
        card("APTDIA", APERTURE_MM, "Aperture diameter of telescope in mm"),
        card("APTAREA", aperture_mm2, "Aperture area of telescope in mm^2"),
        card("SWCREATE", "MaxIm DL Version 5.24 (simulated)", "Name of software that created"),
        # The real camera runs over the line here and goes on in a card without keyword.
        "         the image",
        card("SBSTDVER", "SBFITSEXT Version 1.0", "Version of SBFITSEXT standard in effect"),
    ]


def _target_cards(plan: NightPlan, exposure: Exposure, conditions: Conditions) -> list[str]:
    science = exposure.kind == "science"
    pointing = [
        card("OBJCTRA", sexagesimal(plan.ra_deg / 15.0), "Nominal Right Ascension of center"),
        card("OBJCTDEC", sexagesimal(plan.dec_deg), "Nominal Declination of center of image"),
        card("AIRMASS", conditions.airmass, "Relative optical path length through atmosphere"),
    ]
    return [
        card("OBJECT", plan.field_name if science else ""),
        *(pointing if science else []),
        card("TELESCOP", "Meade LX200 16in", "         telescope used to acquire this image"),
        card("INSTRUME", "Apogee USB/Net"),
        card("OBSERVER", ""),
        card("NOTES", "simulated"),
        card("FLIPSTAT", ""),
    ]
