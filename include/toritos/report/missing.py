"""What a closed night should have and does not, and what is only to be known of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from include.toritos.report.words import counted, short
from models.frame import Frame
from models.product import Product, ProductInput

if TYPE_CHECKING:
    from include.ccd.profile import Profile

ROLES = ("bias", "dark", "flat")


def find_missing(session: Session, night_ids: Sequence[int], profile: Profile) -> tuple[str, ...]:
    """Name images that were not made, masters that were not, and calibrations that did not come.

    A camera that has never had a master of a kind is not missing one. That a night uses the master
    of another is missing only where its profile expects frames of that kind each night.
    """
    return (
        *_images(session, night_ids),
        *_masters(session, night_ids),
        *_uncalibrated(session, night_ids, profile),
    )


def find_notes(session: Session, night_ids: Sequence[int]) -> tuple[str, ...]:
    """Say which masters of other nights are used, and which corrections were not made."""
    return tuple(
        f"{counted(number, f'{band} image'.strip())} {_words(flag)}"
        for (flag, band), number in sorted(_flagged(session, night_ids).items())
    )


def _words(flag: str) -> str:
    word, _, role = flag.partition("_")
    return {
        "no": f"without {role} correction",
        "other": f"with a {role} of another night",
        "few": f"with a {role} of few frames",
    }[word]


def _images(session: Session, night_ids: Sequence[int]) -> Iterator[str]:
    made = (
        select(ProductInput.id)
        .join(Product, ProductInput.product_id == Product.id)
        .where(ProductInput.frame_id == Frame.id, Product.kind == "calibrated", Product.current)
    )
    science = (Frame.night_id.in_(night_ids), Frame.kind == "science", Frame.accepted)
    query = select(Frame.filter, func.count()).where(*science).group_by(Frame.filter)
    total = dict(session.execute(query).all())
    left = dict(session.execute(query.where(~made.exists())).all())
    for band in sorted(left, key=str):
        what = f"science frame {short(band, 20)}".strip()
        yield f"{left[band]} of {counted(total[band], what, _plural(what))} not calibrated"


def _plural(what: str) -> str:
    return what.replace("frame", "frames", 1)


def _masters(session: Session, night_ids: Sequence[int]) -> Iterator[str]:
    """Groups of calibration frames of which there is no master."""
    groups = _groups(session, Frame, night_ids, {role: role for role in ROLES})
    made = _groups(session, Product, night_ids, {f"master_{role}": role for role in ROLES})
    for (role, *_camera, detail), number in sorted(groups.items(), key=str):
        if (role, *_camera, detail) not in made:
            text = f"{detail:g} s" if isinstance(detail, float) else short(detail, 20)
            yield f"no master {role} {text}".strip() + f": {counted(number, 'frame')} came"


def _groups(
    session: Session, model: Any, night_ids: Sequence[int], kinds: dict[str, str]
) -> Counter[tuple[Any, ...]]:
    """Count rows by what tells their masters apart, as the steps group them."""
    usable = model.accepted if model is Frame else model.current
    camera = (model.camera, model.binning, model.readout)
    query = select(model.kind, model.night_id, *camera, model.exptime_s, model.filter).where(
        model.night_id.in_(night_ids), model.kind.in_(kinds), usable
    )
    found: Counter[tuple[Any, ...]] = Counter()
    for kind, *setup, exptime_s, band in session.execute(query):
        role = kinds[kind]
        detail = {"bias": "", "dark": exptime_s, "flat": band}[role]
        found[role, *setup, detail] += 1
    return found


def _uncalibrated(session: Session, night_ids: Sequence[int], profile: Profile) -> Iterator[str]:
    for (flag, band), number in sorted(_flagged(session, night_ids).items()):
        word, _, role = flag.partition("_")
        expected = profile.gates.expected(role)
        if word == "other" and expected is not None:
            yield (
                f"no {role} {band}".strip() + f" of the night's own ({expected} frames expected): "
                f"{counted(number, 'image')} with one of another night"
            )
        if word == "no" and _ever_made(session, night_ids, role):
            yield f"{counted(number, f'{band} image'.strip())} {_words(flag)}"


def _flagged(session: Session, night_ids: Sequence[int]) -> Counter[tuple[str, str]]:
    """Count images by flag about a master, and by filter where that tells masters apart."""
    query = select(Product.flags, Product.filter).where(
        Product.night_id.in_(night_ids), Product.kind == "calibrated", Product.current
    )
    found: Counter[tuple[str, str]] = Counter()
    for flags, band in session.execute(query):
        for flag in flags:
            word, _, role = str(flag).partition("_")
            if word in {"no", "other", "few"} and role in ROLES:
                found[flag, short(band, 20) if role == "flat" else ""] += 1
    return found


def _ever_made(session: Session, night_ids: Sequence[int], role: str) -> bool:
    cameras = select(Frame.camera).where(Frame.night_id.in_(night_ids)).distinct()
    query = select(Product.id).where(
        Product.kind == f"master_{role}", Product.current, Product.camera.in_(cameras)
    )
    return session.scalar(query.limit(1)) is not None
