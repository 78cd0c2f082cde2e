"""What was made of a night: masters, images, and what the checks say of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from include.toritos.report.facts import Check, Master, Measured, TurnedDown
from include.toritos.report.words import number_text, short
from models.product import Product, ProductInput, QualityCheck
from models.site import Night
from models.source import PhotometricSolution
from models.statements import among
from models.work import UnitRun

WORST_FIRST = ("bad", "warn", "unknown", "good")
# What tells most of a master.
TELLING = {
    "master_bias": "read_noise_adu",
    "master_dark": "dark_current_adu_per_s",
    "master_flat": "level_adu",
}
TURNED_DOWN = 50


def find_images(session: Session, night_ids: Sequence[int]) -> tuple[Measured, ...]:
    """Give the calibrated images of nights in the order of time."""
    verdicts = _verdicts(session, night_ids)
    zero_points = _zero_points(session, night_ids)
    query = (
        select(Night.date, Product.id, Product.observed_at, Product.filter, Product.metrics)
        .join(Night, Product.night_id == Night.id)
        .where(*_calibrated(night_ids))
        .order_by(Product.observed_at, Product.id)
    )
    return tuple(
        replace(
            _measured(night.isoformat(), at, band, metrics, verdicts.get(product_id, "unknown")),
            zero_point_mag=zero_points.get(product_id),
        )
        for night, product_id, at, band, metrics in session.execute(query)
    )


def _zero_points(session: Session, night_ids: Sequence[int]) -> dict[int, float | None]:
    query = select(PhotometricSolution.product_id, PhotometricSolution.zero_point_mag).where(
        PhotometricSolution.night_id.in_(night_ids),
        PhotometricSolution.current,
        PhotometricSolution.calibrated,
    )
    return dict(session.execute(query).all())


def _calibrated(night_ids: Sequence[int]) -> tuple[Any, ...]:
    return Product.night_id.in_(night_ids), Product.kind == "calibrated", Product.current


def _measured(night: str, at: Any, band: str | None, metrics: Any, verdict: str) -> Measured:
    unit = "e" if "background_e" in metrics else "adu"
    return Measured(
        night=night,
        observed_at=at,
        filter=short(band, 20),
        fwhm_px=metrics.get("fwhm_px"),
        background=metrics.get(f"background_{unit}"),
        background_unit=unit,
        source_count=metrics.get("source_count"),
        verdict=verdict,
    )


def _checks_of(night_ids: Sequence[int]) -> Any:
    return (
        select(QualityCheck)
        .join(Product, QualityCheck.product_id == Product.id)
        .where(*_calibrated(night_ids), QualityCheck.current)
    )


def _verdicts(session: Session, night_ids: Sequence[int]) -> dict[int, str]:
    """The worst verdict of each image that was checked."""
    columns = (QualityCheck.product_id, QualityCheck.verdict)
    found: dict[int, str] = {}
    for product_id, verdict in session.execute(_checks_of(night_ids).with_only_columns(*columns)):
        worst = found.get(product_id, verdict)
        found[product_id] = min(worst, verdict, key=WORST_FIRST.index)
    return found


def find_checks(session: Session, night_ids: Sequence[int]) -> tuple[Check, ...]:
    """Count the verdicts of each check; those with other limits apart."""
    limits = (QualityCheck.name, QualityCheck.metric, QualityCheck.low, QualityCheck.high)
    query = _checks_of(night_ids).with_only_columns(*limits, QualityCheck.verdict, func.count())
    counts: dict[Any, Counter[str]] = defaultdict(Counter)
    for *key, verdict, number in session.execute(query.group_by(*limits, QualityCheck.verdict)):
        counts[tuple(key)][verdict] += number
    return tuple(
        Check(
            name, metric, low, high, *(found[word] for word in ("good", "warn", "bad", "unknown"))
        )
        for (name, metric, low, high), found in sorted(counts.items(), key=lambda row: row[0][0])
    )


def find_masters(session: Session, night_ids: Sequence[int]) -> tuple[Master, ...]:
    """Give the masters that nights made, or that their images were made with."""
    used = _used(session, night_ids)
    made = select(Product.id).where(
        Product.night_id.in_(night_ids), Product.kind.in_(TELLING), Product.current
    )
    ids = sorted(set(session.scalars(made)) | used.keys())
    frames = _frame_counts(session, ids)
    query = select(Product).where(among(Product.id, ids))
    rows = [row for row in session.scalars(query) if row.kind in TELLING]
    rows.sort(key=lambda row: (row.kind, row.filter or "", row.exptime_s or 0.0, row.observed_at))
    return tuple(
        Master(
            kind=row.kind.removeprefix("master_"),
            filter=short(row.filter, 20),
            exptime_s=row.exptime_s if row.kind == "master_dark" else None,
            night=row.partition_key,
            frames=frames.get(row.id, 0),
            used_by=used.get(row.id, 0),
            flags=tuple(short(str(flag), 30) for flag in row.flags),
            measured=_telling(row),
        )
        for row in rows
    )


def _telling(row: Product) -> str:
    name = TELLING[row.kind]
    value = row.metrics.get(name)
    return "" if value is None else f"{name} {number_text(value)}"


def _used(session: Session, night_ids: Sequence[int]) -> dict[int, int]:
    """By how many images of the nights each product was used."""
    query = (
        select(ProductInput.input_product_id, func.count())
        .join(Product, ProductInput.product_id == Product.id)
        .where(*_calibrated(night_ids), ProductInput.input_product_id.is_not(None))
        .group_by(ProductInput.input_product_id)
    )
    return {key: number for key, number in session.execute(query) if key is not None}


def _frame_counts(session: Session, ids: Sequence[int]) -> dict[int, int]:
    query = (
        select(ProductInput.product_id, func.count(ProductInput.frame_id))
        .where(among(ProductInput.product_id, ids))
        .group_by(ProductInput.product_id)
    )
    return dict(session.execute(query).all())


def find_turned_down(session: Session, night_ids: Sequence[int]) -> tuple[TurnedDown, ...]:
    """Give the masters that were considered for images and not taken, and why, by images."""
    query = select(UnitRun.associations).join(Product, Product.unit_run_id == UnitRun.id)
    counts: Counter[tuple[str, int, str]] = Counter()
    for associations in session.scalars(query.where(*_calibrated(night_ids))):
        for found in associations or ():
            for each in found["considered"]:
                if each["product"] != found["taken"]:
                    counts[found["role"], each["product"], each["verdict"]] += 1
    common = counts.most_common(TURNED_DOWN)
    names = _names(session, sorted({product_id for (_, product_id, _), _ in common}))
    return tuple(
        TurnedDown(role, names.get(product_id, "gone"), short(why, 120), number)
        for (role, product_id, why), number in common
    )


def _names(session: Session, ids: Sequence[int]) -> dict[int, str]:
    query = select(Product).where(among(Product.id, ids))
    return {row.id: _name(row) for row in session.scalars(query)}


def _name(row: Product) -> str:
    parts = [row.kind.replace("_", " "), short(row.filter, 20)]
    parts += [f"{row.exptime_s:g} s" if row.kind == "master_dark" and row.exptime_s else ""]
    return " ".join(part for part in [*parts, f"of {row.partition_key}"] if part)
