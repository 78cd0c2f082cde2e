"""Cosmic rays in a single image: found by their sharp edges, flagged, and replaced.

L.A.Cosmic (van Dokkum 2001, PASP 113, 1420), with the variance plane as its noise, and
with four differences from the published method:

* Masked pixels take no part: not in medians, and as neighbours in a Laplacian they count as equal
  to the pixel itself. So the neighbours of dead and hot pixels can be judged at all.
* A track is followed from its first pixel over up to `CosmicRays.track_rounds` neighbours within
  one iteration, where the published method takes one: the middle of a thick diagonal track, left
  alone after its ends have been replaced, looks like a star.
* What is left beside a track is judged at the end, the track replaced, by its height above the
  median and no longer by its Laplacian, which the bright neighbour lowers. The published method
  lowers the limit of the Laplacian instead: that finds fewer of the faint ends, and more noise.
* Windows are cut at the edges of the image, where the published method judges nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from include.ccd import _kernels_cosmic as kernels
from include.ccd._kernels_cosmic_scan import Frame, find_candidates
from include.ccd.errors import CalibrationError
from include.ccd.image import Image
from include.ccd.measuring import CosmicRays


@dataclass(frozen=True, slots=True)
class CosmicHits:
    """The pixels that were found, each once.

    Attributes
    ----------
    y_px, x_px : int32 (n,)
        Row and column, from 0.
    original : float32 (n,)
        What the pixel held before, in the unit of the image.
    """

    y_px: npt.NDArray[np.int32]
    x_px: npt.NDArray[np.int32]
    original: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return self.original.size


def remove_cosmic_rays(image: Image, *, settings: CosmicRays | None = None) -> CosmicHits:
    """Every pixel that a cosmic ray hit is COSMIC, and holds what its neighbours suggest.

    The planes of `image` are changed in place: a frame of 10560² then needs no room beyond
    its own, but for some bytes per hit. Nothing else in the image is touched.

    Parameters
    ----------
    image : Image
        With variance, sky not subtracted from either; C-ordered planes. A missing mask is added.
    settings : CosmicRays, optional

    Returns
    -------
    CosmicHits
        Also says what the pixels held before.

    Raises
    ------
    CalibrationError
        The image has no variance.

    Notes
    -----
    A hit pixel gets the mean value of the unmasked pixels within 2 px (further, where those are
    fewer than three), the mean of their variances, and INTERPOLATED; where there are none at all it
    keeps its value and is COSMIC alone. Pixels masked before, saturated ones among them, are never
    flagged. Pixels that are not finite, or without a valid variance, become NO_DATA.

    The metric ``cosmic_count`` of the image becomes the number of hit pixels.
    """
    if image.var is None:
        raise CalibrationError("image has no variance: cosmic rays cannot be told from noise")
    settings = settings or CosmicRays()
    if image.mask is None:
        image.mask = np.zeros(image.sci.shape, np.uint16)
    frame = Frame(image.sci, image.var, image.mask)
    limits = kernels.Thresholds(
        clip=float(settings.sigma_clip),
        contrast=float(settings.contrast),
        faint=float(settings.faint_sigma),
        track_rounds=int(settings.track_rounds),
        star_margin=int(settings.star_margin_px),
        max_iters=int(settings.max_iters),
    )
    candidates = find_candidates(frame, limits.clip)
    pixels, original = kernels.remove(frame, candidates, limits)
    image.metrics["cosmic_count"] = float(pixels.size)
    y_px, x_px = np.divmod(pixels, image.sci.shape[1])
    return CosmicHits(y_px.astype(np.int32), x_px.astype(np.int32), original)
