"""World coordinates as FITS cards, and which sources of an image are which stars of a catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from include.ccd.reference_catalog import ReferenceCatalog

Array = npt.NDArray[Any]


def wcs_cards(wcs: Any) -> dict[str, Any]:
    """The cards that a WCS, distortion included, is written as; keyword to value."""
    header = wcs.to_header(relax=True)
    cards = {card.keyword: card.value for card in header.cards if card.keyword != "COMMENT"}
    return {
        key: value.item() if isinstance(value, np.generic) else value
        for key, value in cards.items()
    }


def wcs_from_cards(cards: Mapping[str, Any]) -> Any:
    """The `astropy.wcs.WCS` that `wcs_cards` has written."""
    from astropy.io.fits import Header
    from astropy.wcs import WCS

    return WCS(Header(cards.items()))


def tangent_plane(ra_deg: Array, dec_deg: Array, ra0_deg: float, dec0_deg: float) -> Array:
    """Gnomonic projection (n, 2) in degrees, east and north (Calabretta and Greisen 2002)."""
    ra, dec, dec0 = np.radians(ra_deg - ra0_deg), np.radians(dec_deg), np.radians(dec0_deg)
    towards = np.sin(dec) * np.sin(dec0) + np.cos(dec) * np.cos(dec0) * np.cos(ra)
    towards = np.where(towards > 0.05, towards, np.nan)
    east = np.cos(dec) * np.sin(ra) / towards
    north = (np.sin(dec) * np.cos(dec0) - np.cos(dec) * np.sin(dec0) * np.cos(ra)) / towards
    return np.asarray(np.degrees(np.column_stack([east, north])))


def sky_of(plane_deg: tuple[float, float], ra0_deg: float, dec0_deg: float) -> tuple[float, float]:
    """Right ascension and declination of a place on the tangent plane, in degrees."""
    (east, north), dec0 = np.radians(plane_deg), np.radians(dec0_deg)
    towards = np.cos(dec0) - north * np.sin(dec0)
    ra_deg = ra0_deg + np.degrees(np.arctan2(east, towards))
    dec = np.arctan2(np.sin(dec0) + north * np.cos(dec0), np.hypot(east, towards))
    return float(ra_deg) % 360.0, float(np.degrees(dec))


def pixels_of(wcs: Any, catalog: ReferenceCatalog) -> Array:
    """Where stars stand on the image: 0-based pixels (n, 2), x first."""
    world = np.column_stack([catalog.ra_deg, catalog.dec_deg])
    return np.asarray(wcs.all_world2pix(world, 0, quiet=True))


def geometry(wcs: Any, shape: tuple[int, int]) -> tuple[float, float, float]:
    """Scale in arcsec/px, and right ascension and declination of the centre in degrees."""
    centre = np.array([[(shape[1] - 1) / 2.0, (shape[0] - 1) / 2.0]])
    ra_deg, dec_deg = wcs.all_pix2world(centre, 0)[0]
    scale = np.sqrt(abs(np.linalg.det(wcs.pixel_scale_matrix))) * 3600.0
    return float(scale), float(ra_deg), float(dec_deg)


def pair_stars(
    wcs: Any, pixels: Array, catalog: ReferenceCatalog, *, shape: tuple[int, int], limit_px: float
) -> tuple[Array, Array]:
    """Sources and stars that are each other's nearest.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
    pixels : float64 (n, 2)
        Of the sources, x first.
    catalog : ReferenceCatalog
    shape : tuple of int
        (ny, nx) of the image.
    limit_px : float
        They are no further apart.

    Returns
    -------
    source, star : int (m,)
        Indices into `pixels` and `catalog`.
    """
    from scipy.spatial import KDTree

    scale, ra_deg, dec_deg = geometry(wcs, shape)
    reach = 0.6 * float(np.hypot(*shape)) * scale / 3600.0
    plane = tangent_plane(catalog.ra_deg, catalog.dec_deg, ra_deg, dec_deg)
    near = np.flatnonzero(np.hypot(plane[:, 0], plane[:, 1]) <= reach)
    none = np.empty(0, np.int64)
    if not (len(near) and len(pixels)):
        return none, none
    places = pixels_of(wcs, catalog.pick(near))
    finite = np.isfinite(places).all(axis=1)
    near, places = near[finite], places[finite]
    if not len(near):
        return none, none
    found = KDTree(places).query(pixels, distance_upper_bound=limit_px)
    distance, star = np.asarray(found[0]), np.asarray(found[1])
    back = np.asarray(KDTree(pixels).query(places)[1])
    source = np.flatnonzero(np.isfinite(distance))
    mutual = source[back[star[source]] == source]
    return mutual, near[star[mutual]]
