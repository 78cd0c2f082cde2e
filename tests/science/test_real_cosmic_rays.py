"""Which cameras have their cosmic rays removed: those whose stars are not taken for some."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy.spatial import KDTree
from sqlalchemy import select
from sqlalchemy.orm import Session

from include.ccd.image import Image
from include.ccd.mask import MaskBit
from include.corral.corral import Corral
from include.toritos.star_lists import align, read_stars
from models import Measurement, SourceList

Reduce = Callable[..., Corral]
NO_MASTERS = '\nmissing_bias = "flag"\nmissing_dark = "flag"\nmissing_flat = "flag"\n'


def hits(corral: Corral, row: SourceList) -> np.ndarray:
    """Places (n, 2) of the pixels that a cosmic ray hit, as (x, y)."""
    image = Image.read(corral.store.locate(row.product.path))
    assert image.mask is not None
    return np.argwhere((image.mask & MaskBit.COSMIC) != 0)[:, ::-1]


def clean_stars(session: Session, row: SourceList) -> np.ndarray:
    """Places (n, 2) of the sources that nothing speaks against and that are as wide as stars."""
    assert row.fwhm_px is not None
    found = session.scalars(
        select(Measurement).where(
            Measurement.source_list_id == row.id,
            Measurement.flags == 0,
            Measurement.mag_psf_err < 0.05,
            Measurement.fwhm_px.between(0.75 * row.fwhm_px, 1.5 * row.fwhm_px),
        )
    )
    return np.array([(each.x_px, each.y_px) for each in found])


def part_hit(corral: Corral, session: Session, pair: Sequence[SourceList]) -> tuple[float, int]:
    """The part of the stars of one image whose middle is flagged on the other, and how many."""
    one, other = pair
    alignment = align(read_stars(session, one), read_stars(session, other))
    stars = alignment.transform(clean_stars(session, one))
    inside = ((stars > 3) & (stars < (other.width_px - 4, other.height_px - 4))).all(axis=1)
    distance, _ = KDTree(hits(corral, other)).query(stars[inside])
    return float((distance < 1.2).mean()), int(inside.sum())


@pytest.mark.parametrize(
    ("folder", "profile", "extra"),
    [
        ("kpno_m92_1987/raw", "kpno", ""),
        ("toros_eaba_2015/aligned", "eaba", NO_MASTERS),
    ],
)
def test_stars_of_two_images_keep_their_middle(
    reduce: Reduce, folder: str, profile: str, extra: str
) -> None:
    """Of stars that an image shows whole, hardly any has a hit in its middle on the next one."""
    corral = reduce(folder, profile, last="FindSources", extra=extra)
    with corral.read() as session:
        rows = session.scalars(select(SourceList).order_by(SourceList.observed_at)).all()
        for row in rows:
            assert 10 < row.product.metrics["cosmic_count"] < 0.003 * row.width_px * row.height_px
        of_filters = {row.filter: [one for one in rows if one.filter == row.filter] for row in rows}
        for pair in of_filters.values():
            for ordered in (pair, pair[::-1]):
                part, stars = part_hit(corral, session, ordered)
                assert stars > 40
                assert part < 0.02


def test_long_exposures_have_more_hits_and_bad_columns_are_none(reduce: Reduce) -> None:
    """Nickel: ten minutes have more of them than one; the five bad columns are masked as such."""
    corral = reduce("nickel_2024-05-13/raw", "nickel", last="FindSources")
    with corral.read() as session:
        rows = session.scalars(select(SourceList).order_by(SourceList.exptime_s)).all()
        counts = [row.product.metrics["cosmic_count"] for row in rows]
        for row in rows:
            columns, often = np.unique(hits(corral, row)[:, 0], return_counts=True)
            assert not set(columns) & {255, 256, 783, 784, 1002}
            assert often.max() < 60
    assert rows[-1].exptime_s == 600.0
    assert counts[-1] > 2 * np.median(counts[:-1])
