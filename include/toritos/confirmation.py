"""On which images of a night something was seen, and on which it would have been."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from include.toritos.field_frame import FieldFrame
from models.product import Product
from models.transient import Detection

if TYPE_CHECKING:
    import numpy.typing as npt

    from include.ccd.comparing import Detecting
    from include.ccd.confirm import Cluster


@dataclass(frozen=True)
class Sightings:
    """All believed detections on the differences of a field.

    Attributes
    ----------
    differences
        In time.
    ids
        Of the detections (n,).
    places
        Of them on the common pixels (n, 2).
    significance, flux_e, image
        (n,); `image` is the place in `differences`.
    """

    differences: Sequence[Product]
    frame: FieldFrame
    ids: npt.NDArray[Any]
    places: npt.NDArray[Any]
    significance: npt.NDArray[Any]
    flux_e: npt.NDArray[Any]
    image: npt.NDArray[Any]

    def searched(self, clusters: Sequence[Cluster], detecting: Detecting) -> list[int]:
        """Count, for each cluster, the images that show it or would have shown it.

        They lie between its first and its last detection, are of a filter in which it was seen,
        and a star of its median flux in that filter would stand above the threshold there.
        """
        import numpy as np

        if not clusters:
            return []
        places = np.array([(cluster.x_px, cluster.y_px) for cluster in clusters])
        seen = [set(self.image[cluster.members].tolist()) for cluster in clusters]
        fluxes = [self._median_fluxes(cluster) for cluster in clusters]
        counts = [len(images) for images in seen]
        for n, difference in enumerate(self.differences):
            asked = [
                k
                for k in range(len(clusters))
                if min(seen[k]) < n < max(seen[k])
                and n not in seen[k]
                and difference.filter in fluxes[k]
            ]
            if not asked or not self.frame.holds(difference):
                continue
            found = self.frame.measure(difference, places[asked])
            for k, error, usable in zip(asked, found.flux_error, found.usable, strict=True):
                deep = fluxes[k][difference.filter] >= detecting.threshold_sigma * error
                counts[k] += int(usable >= detecting.min_usable and deep)
        return counts

    def _median_fluxes(self, cluster: Cluster) -> dict[str | None, float]:
        """Median of the fluxes without their sign, by filter."""
        import numpy as np

        by_filter: dict[str | None, list[float]] = {}
        for member in cluster.members:
            difference = self.differences[self.image[member]]
            by_filter.setdefault(difference.filter, []).append(abs(float(self.flux_e[member])))
        return {name: float(np.median(values)) for name, values in by_filter.items()}


def read_sightings(differences: Sequence[Product], frame: FieldFrame) -> Sightings:
    """Read the believed detections on `differences`, placed on their common pixels."""
    import numpy as np

    number = {row.id: n for n, row in enumerate(differences) if frame.holds(row)}
    columns = (
        Detection.id,
        Detection.difference_id,
        Detection.x_px,
        Detection.y_px,
        Detection.significance,
        Detection.flux_e,
    )
    query = (
        select(*columns)
        .where(Detection.difference_id.in_(number), Detection.real, Detection.current)
        .order_by(Detection.id)
    )
    rows = frame.run.session.execute(query).all()
    table = np.array([tuple(row) for row in rows], np.float64).reshape(len(rows), len(columns))
    places = table[:, 2:4].copy()
    for difference_id in number:
        own = table[:, 1] == difference_id
        places[own] = frame.to_common(difference_id, places[own])
    image = np.array([number[row.difference_id] for row in rows], np.int64)
    return Sightings(
        differences,
        frame,
        ids=table[:, 0].astype(np.int64),
        places=places,
        significance=table[:, 4],
        flux_e=table[:, 5],
        image=image,
    )
