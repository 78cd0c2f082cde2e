"""How an image is cleaned and measured: thresholds, as a profile states them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, slots=True)
class CosmicRays:
    """When a pixel is a cosmic ray.

    Attributes
    ----------
    sigma_clip : float
        A pixel whose Laplacian stands this many sigma above those around may be one.
    contrast : float
        How many times sharper than the fine structure of the image it must be: stars are not.
        Undersampled images need more.
    track_rounds : int
        How many pixels a track is followed in one iteration, at full `sigma_clip`; 1 is
        the published method.
    faint_sigma : float
        Pixels that touch a track belong to it if they stand this many sigma above the median
        around, the track replaced, and pass `contrast`; none do with `inf`.
    star_margin_px : int
        Pixels this near the core of a saturated star, row- and columnwise, are not judged.
    max_iters : int
        Looking again where something was replaced ends after this many iterations.
    """

    sigma_clip: float = 4.5
    contrast: float = 5.0
    track_rounds: int = 3
    faint_sigma: float = 2.5
    star_margin_px: int = 4
    max_iters: int = 4

    def __post_init__(self) -> None:
        if not min(self.sigma_clip, self.contrast, self.faint_sigma) > 0:
            raise ValueError("sigma_clip, contrast and faint_sigma must be positive")
        if self.star_margin_px < 0 or min(self.track_rounds, self.max_iters) < 1:
            raise ValueError("track_rounds and max_iters must be 1 at least, star_margin_px 0")


@dataclass(frozen=True, slots=True)
class BackgroundMesh:
    """How the background is measured.

    Attributes
    ----------
    box_px : int
        Side of a box of the mesh, about: boxes divide the image evenly. Larger than any source.
    filter_boxes : int
        Each box takes the median of so many boxes squared; 1 filters nothing. Odd.
    needed_fraction : float
        A box with a smaller fraction of unmasked pixels takes the value of the nearest other.
    max_iters : int
        Clipping stops after this many rounds.
    """

    box_px: int = 64
    filter_boxes: int = 3
    needed_fraction: float = 0.2
    max_iters: int = 20

    def __post_init__(self) -> None:
        if self.box_px < 8:
            raise ValueError("box_px must be 8 at least")
        if self.filter_boxes < 1 or self.filter_boxes % 2 == 0:
            raise ValueError("filter_boxes must be odd and positive")
        if not 0 <= self.needed_fraction <= 1 or self.max_iters < 1:
            raise ValueError("needed_fraction must be in [0, 1], max_iters 1 at least")


@dataclass(frozen=True, slots=True)
class Sources:
    """How sources are found and measured.

    Attributes
    ----------
    threshold_sigma : float
        Of the filtered image, in units of its noise.
    min_area_px : int
        Pixels above the threshold that make a source.
    deblend_levels : int
        Between threshold and peak, at which a source may fall apart.
    deblend_contrast : float
        The part of the light that each part must have for it to count.
    aperture_fwhm : float
        Radius of the aperture in FWHM of the image.
    assumed_fwhm_px : float
        Where no star tells it.
    stripe_rows : int
        Rows worked on at a time.
    """

    threshold_sigma: float = 5.0
    min_area_px: int = 4
    deblend_levels: int = 32
    deblend_contrast: float = 0.005
    aperture_fwhm: float = 2.0
    assumed_fwhm_px: float = 3.0
    stripe_rows: int = 1024

    def __post_init__(self) -> None:
        if not (self.threshold_sigma > 0 and self.aperture_fwhm > 0 and self.assumed_fwhm_px > 0):
            raise ValueError("threshold_sigma, aperture_fwhm and assumed_fwhm_px must be positive")
        if min(self.min_area_px, self.deblend_levels, self.stripe_rows) < 1:
            raise ValueError("min_area_px, deblend_levels and stripe_rows must be 1 at least")
        if not 0 <= self.deblend_contrast <= 1:
            raise ValueError("deblend_contrast must be in [0, 1]")


@dataclass(frozen=True, slots=True)
class Astrometry:
    """How world coordinates are searched.

    Attributes
    ----------
    scale_arcsec_per_px : float
        Of the camera as it is believed to be.
    scale_tolerance : float
        Relative: how wrong that may be.
    radius_deg : float
        How far the pointing may be off; twice and four times that are tried, too.
    bright_stars : int
        How many of the brightest stars are matched first; twice that are tried, too.
    min_matches : int
        A solution has so many stars at the least.
    max_rms_arcsec : float
        And no larger residual than this, root mean square over both axes together.
    sip_degree : int
        Of the distortion polynomials at the most: 0 for none, 2 needs 40 stars, 3 needs 80.
    rotation_deg : float or None
        Position angle of the y axis, north through east, where the mounting fixes it to a degree:
        then a few stars of the catalogue are enough, as only a shift is unknown.
    mirrored : bool
        With it: whether east and west are exchanged against the sky as one sees it.
    """

    scale_arcsec_per_px: float
    scale_tolerance: float = 0.05
    radius_deg: float = 0.5
    bright_stars: int = 40
    min_matches: int = 8
    max_rms_arcsec: float = 1.5
    sip_degree: int = 2
    rotation_deg: float | None = None
    mirrored: bool = False

    def __post_init__(self) -> None:
        if not (self.scale_arcsec_per_px > 0 and 0 < self.scale_tolerance < 0.5):
            raise ValueError("scale_arcsec_per_px must be positive, scale_tolerance in (0, 0.5)")
        if not (0 < self.radius_deg <= 20 and self.max_rms_arcsec > 0):
            raise ValueError("need 0 < radius_deg ≤ 20 and max_rms_arcsec > 0")
        if (
            self.bright_stars < 6
            or self.min_matches < (4 if self.rotation_deg is None else 3)
            or self.sip_degree not in (0, 2, 3)
        ):
            raise ValueError(
                "need bright_stars ≥ 6, min_matches ≥ 4 (3 with rotation_deg), sip_degree 0, 2 or 3"
            )


@dataclass(frozen=True, slots=True)
class Photometry:
    """How a zero point is found.

    Attributes
    ----------
    colour_term : bool
        Whether a slope with colour is fitted, as far as stars and their colours allow.
    min_stars : int
        For a zero point; three times as many for a colour term.
    min_colour_range_mag : float
        Standard deviation of the colours that a colour term needs.
    clip_sigma : float
        Stars further off than this are put aside.
    max_error_mag : float
        Stars measured worse than this do not count.
    """

    colour_term: bool = True
    min_stars: int = 5
    min_colour_range_mag: float = 0.1
    clip_sigma: float = 3.0
    max_error_mag: float = 0.2

    def __post_init__(self) -> None:
        if self.min_stars < 1 or not (self.clip_sigma > 0 and self.max_error_mag > 0):
            raise ValueError("min_stars must be at least 1, clip_sigma, max_error_mag positive")


@dataclass(frozen=True, slots=True)
class Catalog:
    """The local catalogue of stars that places and magnitudes are compared with.

    Attributes
    ----------
    file : str
        Name of the file in the site's folder of catalogues, or of one that ships.
    filters : dict of str to str
        Name of a filter in the headers to its name in the catalogue, where they differ.
    """

    file: str
    filters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MasterCheck:
    """When a new master differs too much from the one before it.

    Attributes
    ----------
    sigma : float
        A pixel is off when it differs by more than so many sigma of both masters.
    max_fraction : float
        Part of the pixels that may be off; 1 refuses nothing.
    since : date or None
        Masters of nights before this are not compared with: the camera was changed then.
    """

    sigma: float = 8.0
    max_fraction: float = 0.02
    since: date | None = None

    def __post_init__(self) -> None:
        if not (self.sigma > 0 and 0 <= self.max_fraction <= 1):
            raise ValueError("sigma must be positive, max_fraction in [0, 1]")
