"""Differences of one field against several references: a place on one is found on the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from include.toritos.sky_place import NOISE_SCALE, read_wcs
from include.toritos.star_lists import REFERENCE, align, grid_stars
from models.product import Product, ProductInput

if TYPE_CHECKING:
    import numpy.typing as npt

    from include.ccd.forced import ForcedFlux
    from include.corral.run import Run


@dataclass(frozen=True)
class FieldFrame:
    """The pixels that differences of a night's field have in common: those of one reference.

    Attributes
    ----------
    references
        By the id of a difference.
    transforms
        From the common pixels to those of a reference, by its id. References that show other
        stars have none.
    """

    references: dict[int, Product]
    transforms: dict[int, Any]
    run: Run
    _wcs: dict[int, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, differences: Sequence[Product], run: Run) -> FieldFrame:
        """Find how the references of these differences lie on one another."""
        import numpy as np

        from include.ccd.align import AlignError
        from include.ccd.star_match import Affine

        references = _references_of(differences, run)
        by_id = {row.id: row for row in references.values()}
        base, *others = sorted(by_id.values(), key=lambda row: (row.filter or "", row.sha256))
        transforms = {base.id: Affine(np.eye(2), np.zeros(2))}
        stars = grid_stars(run.session, base)
        for other in others:
            try:
                found = align(stars, grid_stars(run.session, other))
            except AlignError as error:
                run.remark(f"{other.path} does not show the field of {base.path}: {error}")
            else:
                transforms[other.id] = found.transform
        return cls(references, transforms, run)

    def holds(self, difference: Product) -> bool:
        """Tell whether places on a difference are known."""
        return self.references[difference.id].id in self.transforms

    def to_common(self, difference_id: int, places: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Turn places (n, 2) on a difference into common ones."""
        return self._transform(difference_id).inverse()(places)  # type: ignore[no-any-return]

    def from_common(self, difference_id: int, places: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Turn common places (n, 2) into those on a difference."""
        return self._transform(difference_id)(places)  # type: ignore[no-any-return]

    def measure(self, difference: Product, places: npt.NDArray[Any]) -> ForcedFlux:
        """Measure the flux at common places (n, 2) on a difference."""
        from include.ccd.forced_file import forced_in_file

        there = self.from_common(difference.id, places)
        scale = difference.metrics.get(NOISE_SCALE) or 1.0
        path = self.run.path(difference)
        return forced_in_file(path, there[:, 0], there[:, 1], noise_scale=scale)

    def wcs(self, difference_id: int) -> Any:
        """Give the world coordinates of a difference; None if it has none."""
        from include.ccd.image_rows import open_rows

        reference = self.references[difference_id]
        if reference.id not in self._wcs:
            with open_rows(self.run.path(reference)) as rows:
                self._wcs[reference.id] = read_wcs(rows.cards)
        return self._wcs[reference.id]

    def _transform(self, difference_id: int) -> Any:
        return self.transforms[self.references[difference_id].id]


def _references_of(differences: Sequence[Product], run: Run) -> dict[int, Product]:
    query = select(ProductInput).where(
        ProductInput.product_id.in_([row.id for row in differences]),
        ProductInput.role == REFERENCE,
    )
    found: dict[int, Product] = {}
    for edge in run.session.scalars(query):
        assert edge.input_product is not None
        found[edge.product_id] = edge.input_product
    return found
