"""Which detections on differences of one field are of one and the same thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Detections near one place, at the most one of each image.

    Attributes
    ----------
    members : int (k,)
        Which detections, the most significant first.
    x_px, y_px : float
        Their mean, weighted by the square of the significance.
    error_px : float
        Standard error of that place on one axis; NaN for a single detection.
    """

    members: npt.NDArray[np.int64]
    x_px: float
    y_px: float
    error_px: float


def find_clusters(
    x_px: Array, y_px: Array, significance: Array, image: Array, *, radius_px: float
) -> list[Cluster]:
    """Detections sorted by what they are of: the strongest one left collects those around it.

    Parameters
    ----------
    x_px, y_px, significance : float64 (n,)
        Places on common pixels; the sign of the significance does not matter.
    image : int (n,)
        On which image each was seen.
    radius_px : float
        Detections nearer than this to the strongest are of the same thing. What is left of an
        image that has given a stronger one is dropped.

    Returns
    -------
    list of Cluster
        The strongest first. The order of the input has no influence.
    """
    from scipy.spatial import KDTree

    if not len(x_px):
        return []
    places = np.column_stack([x_px, y_px]).astype(np.float64)
    strength = np.abs(significance)
    order = np.lexsort((x_px, y_px, image, -strength))
    tree = KDTree(places)
    free = np.ones(len(places), np.bool_)
    clusters = []
    for seed in order:
        if not free[seed]:
            continue
        near = np.array(tree.query_ball_point(places[seed], radius_px))
        near = near[free[near]]
        free[near] = False
        near = near[np.lexsort((x_px[near], y_px[near], -strength[near]))]
        _, first = np.unique(image[near], return_index=True)
        clusters.append(_cluster(near[np.sort(first)], places, strength))
    return clusters


def _cluster(members: Array, places: Array, strength: Array) -> Cluster:
    weight = strength[members].astype(np.float64) ** 2
    weight /= weight.sum()
    x, y = weight @ places[members]
    error = np.nan
    if len(members) > 1:
        off2 = ((places[members] - (x, y)) ** 2).sum(axis=1)
        # The effective number of detections is 1 / Σ w²; two axes share the squares.
        count = 1.0 / float((weight**2).sum())
        error = float(np.sqrt(0.5 * (weight @ off2) / max(count - 1.0, 0.5)))
    return Cluster(np.asarray(members, np.int64), float(x), float(y), error)
