"""Where an image points, from a local catalogue and nothing else: TAN, with SIP if stars allow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd.errors import CcdError
from include.ccd.measuring import Astrometry
from include.ccd.reference_catalog import ReferenceCatalog
from include.ccd.shift_match import match_shift
from include.ccd.star_match import Affine, Match, match_triangles
from include.ccd.wcs_fit import fit_wcs
from include.ccd.world import geometry, pair_stars, pixels_of, tangent_plane

_ARCSEC: Final = 3600.0
_MATCH_PX: Final = 4.0
_ROUNDS: Final = 6
_CLIP_SIGMA: Final = 3.5
_MEDIAN_OFF: Final = 1.1774100225154747  # median distance over the deviation on one axis
_NARROWEST_LIMIT_PX: Final = 0.3
_SIP_STARS: Final = {2: 40, 3: 80}
_DENSER_CATALOG: Final = 1.3
_MOST_CATALOG_STARS: Final = 6000

Array = npt.NDArray[Any]


class AstrometryError(CcdError):
    """No world coordinates were found, though everything allowed was tried."""


@dataclass(frozen=True, slots=True)
class Solution:
    """World coordinates of an image.

    Attributes
    ----------
    wcs : astropy.wcs.WCS
        For 0-based pixels, centres at integers.
    source, star : int (n,)
        Which source is which star of the catalogue.
    rms_arcsec : float
        Root mean square distance of the two.
    scale_arcsec_per_px, rotation_deg : float
        At the centre of the image; position angle of its y axis, north through east.
    mirrored : bool
        Whether east and west are exchanged against the sky as one sees it.
    attempts : tuple of str
        What was tried before it was found, the successful one last.
    """

    wcs: Any
    source: Array
    star: Array
    rms_arcsec: float
    scale_arcsec_per_px: float
    rotation_deg: float
    mirrored: bool
    attempts: tuple[str, ...]


def solve(
    x_px: Array,
    y_px: Array,
    flux: Array,
    catalog: ReferenceCatalog,
    *,
    shape: tuple[int, int],
    ra_deg: float,
    dec_deg: float,
    astrometry: Astrometry,
    filter: str | None = None,
) -> Solution:
    """World coordinates of an image; its rotation and parity need not be known.

    Parameters
    ----------
    x_px, y_px, flux : float64 (n,)
        Sources: 0-based pixels, brightness in any unit.
    catalog : ReferenceCatalog
    shape : tuple of int
        (ny, nx) of the image.
    ra_deg, dec_deg : float
        Where the telescope believes to point.
    astrometry : Astrometry
    filter : str, optional
        By whose magnitudes the catalogue is sorted.

    Raises
    ------
    AstrometryError
        No convincing match; the message lists what was tried.
    CatalogError
        No such filter.
    """
    order = np.argsort(-np.asarray(flux, np.float64), kind="stable")
    pixels = np.column_stack([x_px, y_px]).astype(np.float64)
    ranked = catalog.brightest_first(filter)
    scale_deg = astrometry.scale_arcsec_per_px / _ARCSEC
    field_deg = (shape[0] * scale_deg, shape[1] * scale_deg)
    tried: list[str] = []
    for widen, more in ((1.0, 1), (1.0, 2), (2.0, 1), (2.0, 2), (4.0, 1), (4.0, 2)):
        radius = widen * astrometry.radius_deg
        bright = pixels[order[: more * astrometry.bright_stars]]
        attempt = _Attempt.of(ranked, (ra_deg, dec_deg), radius, field_deg, len(bright))
        match = attempt.match(bright, astrometry)
        said = f"{len(bright)} sources to {len(attempt.plane)} stars within {radius:g} deg"
        if match is None:
            tried.append(f"{said}: no match")
            continue
        wcs = _first_wcs(match, attempt.centre)
        found = _refine(wcs, pixels, catalog, shape, astrometry)
        tried.append(f"{said}: {found.said}")
        if found.good(astrometry):
            return _solution(found, shape, tuple(tried))
    if astrometry.rotation_deg is not None:
        shifted = _shifted(pixels[order], ranked, (ra_deg, dec_deg), shape, astrometry)
        tried.append(f"by a shift alone: {shifted.said if shifted else 'no match'}")
        if shifted is not None and shifted.good(astrometry):
            return _solution(shifted, shape, tuple(tried))
    raise AstrometryError(
        f"no world coordinates around {ra_deg:.4f} {dec_deg:+.4f} at "
        f"{astrometry.scale_arcsec_per_px:g} arcsec/px ± {astrometry.scale_tolerance:.0%}: "
        + "; ".join(tried)
    )


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Bright stars of the catalogue on the tangent plane at the believed centre, in arcsec."""

    centre: tuple[float, float]
    plane: Array
    area: float

    @classmethod
    def of(
        cls,
        ranked: ReferenceCatalog,
        centre: tuple[float, float],
        radius_deg: float,
        field_deg: tuple[float, float],
        sources: int,
    ) -> _Attempt:
        """As many stars as would give the image about as many as it has sources."""
        reach = radius_deg + 0.5 * float(np.hypot(*field_deg))
        near = ranked.within(*centre, reach)
        share = np.pi * reach**2 / (field_deg[0] * field_deg[1])
        count = int(np.clip(_DENSER_CATALOG * sources * share, sources, _MOST_CATALOG_STARS))
        near = near.pick(np.arange(min(count, len(near))))
        plane = tangent_plane(near.ra_deg, near.dec_deg, *centre) * _ARCSEC
        return cls(centre, plane, float(np.pi * (reach * _ARCSEC) ** 2))

    def match(self, bright: Array, astrometry: Astrometry) -> Match | None:
        """The transformation from pixels to the plane, if one is convincing."""
        scale = astrometry.scale_arcsec_per_px
        match = match_triangles(
            bright * scale,
            self.plane,
            scale_tolerance=astrometry.scale_tolerance,
            radius=_MATCH_PX * scale,
            area=self.area,
            min_count=astrometry.min_matches,
        )
        if match is None:
            return None
        transform = Affine(match.transform.matrix * scale, match.transform.shift)
        return Match(transform, match.count, match.expected)


def _shifted(
    pixels: Array,
    catalog: ReferenceCatalog,
    centre: tuple[float, float],
    shape: tuple[int, int],
    astrometry: Astrometry,
) -> _Refined | None:
    """World coordinates from the few stars there are, orientation and scale being known."""
    scale_deg = astrometry.scale_arcsec_per_px / _ARCSEC
    reach = astrometry.radius_deg + 0.5 * float(np.hypot(*shape)) * scale_deg
    near = catalog.within(*centre, reach)
    match = match_shift(
        pixels,
        tangent_plane(near.ra_deg, near.dec_deg, *centre) * _ARCSEC,
        middle=np.array([(shape[1] - 1) / 2.0, (shape[0] - 1) / 2.0]),
        reach_arcsec=astrometry.radius_deg * _ARCSEC,
        radius_arcsec=2.0 * _MATCH_PX * astrometry.scale_arcsec_per_px,
        astrometry=astrometry,
    )
    if match is None:
        return None
    return _refine(_first_wcs(match, centre), pixels, near, shape, astrometry)


def _first_wcs(match: Match, centre: tuple[float, float]) -> Any:
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = centre
    wcs.wcs.cd = match.transform.matrix / _ARCSEC
    wcs.wcs.crpix = 1.0 - np.linalg.solve(match.transform.matrix, match.transform.shift)
    return wcs


@dataclass(frozen=True, slots=True)
class _Refined:
    """World coordinates after all rounds, and which source is which star."""

    wcs: Any
    source: Array
    star: Array
    rms_arcsec: float

    @property
    def said(self) -> str:
        return f"{len(self.source)} matched to {self.rms_arcsec:.2f} arcsec"

    def good(self, astrometry: Astrometry) -> bool:
        enough = len(self.source) >= astrometry.min_matches
        return enough and self.rms_arcsec <= astrometry.max_rms_arcsec


def _refine(
    wcs: Any,
    pixels: Array,
    catalog: ReferenceCatalog,
    shape: tuple[int, int],
    astrometry: Astrometry,
) -> _Refined:
    """Pair again and fit again, with more freedom as more stars agree."""
    scale, ra_deg, dec_deg = geometry(wcs, shape)
    # The first world coordinates may be off by some of the image.
    reach_deg = float(np.hypot(*shape)) * scale / _ARCSEC
    around = catalog.indices_within(ra_deg, dec_deg, reach_deg)
    found = _refine_near(wcs, pixels, catalog.pick(around), shape, astrometry)
    return replace(found, star=around[found.star])


def _refine_near(
    wcs: Any,
    pixels: Array,
    catalog: ReferenceCatalog,
    shape: tuple[int, int],
    astrometry: Astrometry,
) -> _Refined:
    limit = 2.0 * _MATCH_PX
    source = star = np.empty(0, np.int64)
    for number in range(_ROUNDS):
        source, star = pair_stars(wcs, pixels, catalog, shape=shape, limit_px=limit)
        if len(source) < astrometry.min_matches:
            return _Refined(wcs, source, star, np.inf)
        degree = 0 if number < 2 else _sip_degree(len(source), astrometry)
        wcs = fit_wcs(pixels[source], catalog.pick(star), shape=shape, degree=degree)
        wcs.pixel_shape = (shape[1], shape[0])
        off = np.linalg.norm(pixels_of(wcs, catalog.pick(star)) - pixels[source], axis=1)
        sigma = float(np.median(off)) / _MEDIAN_OFF
        limit = float(np.clip(_CLIP_SIGMA * sigma, _NARROWEST_LIMIT_PX, limit))
    source, star = pair_stars(wcs, pixels, catalog, shape=shape, limit_px=limit)
    off = np.linalg.norm(pixels_of(wcs, catalog.pick(star)) - pixels[source], axis=1)
    scale, _, _ = geometry(wcs, shape)
    rms = float(np.sqrt(np.mean(off**2))) * scale if len(off) else np.inf
    return _Refined(wcs, source, star, rms)


def _sip_degree(stars: int, astrometry: Astrometry) -> int:
    fitting = [d for d, n in _SIP_STARS.items() if stars >= n and d <= astrometry.sip_degree]
    return max(fitting, default=0)


def _solution(found: _Refined, shape: tuple[int, int], attempts: tuple[str, ...]) -> Solution:
    matrix = found.wcs.pixel_scale_matrix
    scale, _, _ = geometry(found.wcs, shape)
    return Solution(
        wcs=found.wcs,
        source=found.source,
        star=found.star,
        rms_arcsec=found.rms_arcsec,
        scale_arcsec_per_px=scale,
        rotation_deg=float(np.degrees(np.arctan2(matrix[0, 1], matrix[1, 1]))),
        # On the sky east is to the left of north.
        mirrored=bool(np.linalg.det(matrix) > 0),
        attempts=attempts,
    )
