"""The simulated field as a reference catalogue, and the world coordinates behind its frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from include.ccd.reference_catalog import ReferenceCatalog, write_catalog
from include.toritos.simulator.conditions import scale_arcsec_per_px
from include.toritos.simulator.plan import Exposure
from include.toritos.simulator.sky import TRANSIENT_NAME, colour_factor
from include.toritos.simulator.truth import Truth

ZERO_POINT: Final = 25.0
"""Magnitude of a star of one electron per second above the air."""

FILTERS: Final = ("B", "V", "R", "I")


def truth_catalog(truth: Truth, filters: tuple[str, ...] = FILTERS) -> ReferenceCatalog:
    """Every star of the field but the transient, where it is and how bright on average.

    Magnitudes are ``25 − 2.5 log₁₀(electrons per second above the air)``; the colour is B − V.

    Parameters
    ----------
    truth : Truth
    filters : tuple of str
        Filters to list.
    """
    stars = truth.catalogue
    lasting = np.arange(len(stars.names)) != stars.index(TRANSIENT_NAME)
    pixels = np.column_stack([stars.x_px, stars.y_px])
    world = truth_wcs(truth).all_pix2world(pixels, 0)[lasting]
    mag = {
        name: (ZERO_POINT - 2.5 * np.log10(stars.flux_e_per_s * colour_factor(stars, name)))[
            lasting
        ]
        for name in {*filters, "B", "V"}
    }
    return ReferenceCatalog(
        ra_deg=world[:, 0],
        dec_deg=world[:, 1],
        mag={name: mag[name] for name in filters},
        mag_error={name: np.full(int(lasting.sum()), 0.005) for name in filters},
        colour=mag["B"] - mag["V"],
    )


def write_truth_catalog(truth: Truth, path: Path) -> None:
    """Write the field as the catalogue that a site would keep of it; the folder is made.

    If the process dies inside, there is no file of that name, or the one of before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".part-{path.name}")
    write_catalog(truth_catalog(truth), partial)
    partial.replace(path)


def truth_wcs(truth: Truth, frame: int | str | Exposure | None = None) -> Any:
    """World coordinates (`astropy.wcs.WCS`) of a frame; of the catalogue's own pixels if none.

    North is up and east to the left; the pointing of the plan is the middle of the frame before
    dithering.
    """
    from astropy.wcs import WCS

    plan = truth.plan
    dither = (0.0, 0.0)
    if frame is not None:
        conditions = truth.conditions(frame)
        dither = (conditions.x_dither_px, conditions.y_dither_px)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [plan.ra_deg, plan.dec_deg]
    wcs.wcs.crpix = [(plan.size_px + 1) / 2.0 + shift for shift in dither]
    scale_deg = scale_arcsec_per_px(plan) / 3600.0
    wcs.wcs.cd = np.diag([-scale_deg, scale_deg])
    return wcs
