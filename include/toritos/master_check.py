"""A new master is like the one before it, or it is refused: calibrations that changed are seen."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from include.corral.errors import BadData
from models.product import Product
from models.site import Night

if TYPE_CHECKING:
    from include.ccd.image import Image
    from include.ccd.profile import Profile
    from include.corral.run import Run
    from models.frame import Frame

SAME = ("camera", "binning", "readout")
# What else makes two masters of a kind comparable.
ALSO = {"master_bias": (), "master_dark": ("exptime_s",), "master_flat": ("filter",)}
LOOKED_AT = 20
# Card of a master: version and settings of its step. Other ones make other masters of the same sky.
RECIPE = "RECIPE"


def require_like_the_last(
    image: Image, kind: str, *, like: Frame, at: datetime, profile: Profile, run: Run
) -> None:
    """Compare a new master with the last accepted one of an earlier night and the same set-up.

    How it compared is put on the record of the attempt. It decides whether there is a master, not
    what is in it: it is no part of the fingerprint.

    Parameters
    ----------
    image
        The new one, with the card ``RECIPE``.
    kind
        Of product.
    like
        A frame that it is made of.
    at
        The middle of its frames' times.
    profile
        Of the camera, with ``master_check``.
    run
        The attempt.

    Raises
    ------
    BadData
        If more of the pixels differ than the profile allows.
    """
    from include.ccd.cards import card_value
    from include.ccd.errors import CcdError
    from include.ccd.master_change import changed_fraction

    check = profile.master_check
    last = _last_before(kind, like, at, profile, run)
    if last is None or check.max_fraction >= 1:
        return
    try:
        if recipe_of(run.path(last)) != card_value(image, RECIPE):
            run.remark(f"not compared with {last.label}, which was made otherwise")
            return
        fraction = changed_fraction(image, run.path(last), sigma=check.sigma)
    except (CcdError, OSError) as error:
        run.remark(f"not compared with {last.label} of {last.partition_key}: {error}")
        return
    said = f"{fraction:.2%} of the pixels differ by more than {check.sigma:g} sigma from "
    said += f"{last.label} of {last.partition_key}"
    if fraction <= check.max_fraction:
        run.remark(said)
        return
    raise BadData(
        f"{kind} of {like.partition_key}: {said}; the profile allows {check.max_fraction:.2%}. It "
        "is not used, and what needs one takes another night's as the profile says. If the camera "
        f"was changed, write since = {like.partition_key} into [master_check] of the profile; then "
        "clear the task, or `corral run --retry-failed`. If not, look at the frames."
    )


def recipe_of(path: Path) -> str | None:
    """Give what a master says of how it was made; None where it says nothing.

    Raises
    ------
    BadFits
        The file is incomplete or not one of ours.
    """
    from include.ccd.fits_file import open_regular
    from include.ccd.image import MAX_PRODUCT_BYTES, product_layout

    with open_regular(path, max_bytes=MAX_PRODUCT_BYTES) as plain:
        said = product_layout(plain).units[0].cards.get(RECIPE)
    return None if said is None else str(said)


def _last_before(
    kind: str, like: Frame, at: datetime, profile: Profile, run: Run
) -> Product | None:
    """The newest of the masters that it can be compared with."""
    equal = [_equal(name, like) for name in (*SAME, *ALSO[kind])]
    query = (
        select(Product)
        .join(Night, Product.night_id == Night.id)
        .where(Product.kind == kind, Product.current, *equal)
        .where(Product.observed_at < at, Product.night_id != like.night_id)
        .order_by(Product.observed_at.desc(), Product.id.desc())
        .limit(LOOKED_AT)
    )
    if (since := profile.master_check.since) is not None:
        query = query.where(Night.date >= since)
    tolerance_c = profile.calibration.temperature_tolerance_c
    for row in run.session.scalars(query):
        if kind != "master_dark" or _as_warm(row, like, tolerance_c):
            return row
    return None


def _equal(name: str, like: Frame) -> Any:
    column, value = getattr(Product, name), getattr(like, name)
    return column.is_(None) if value is None else column == value


def _as_warm(row: Product, like: Frame, tolerance_c: float) -> bool:
    if row.temperature_c is None or like.temperature_c is None:
        return True
    return abs(row.temperature_c - like.temperature_c) <= tolerance_c
