"""Rows of the sky as the steps that find things leave them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from include.corral.corral import Corral
from include.corral.ledger import open_run
from include.corral.trigger import Trigger
from include.toritos.steps import MasterBias
from models import Product, Unit, UnitRun
from models.source import AstrometricSolution, PhotometricSolution, SourceList
from models.transient import Candidate, Detection, LightCurvePoint
from tests.include.corral.lab import ensure_night

NIGHT = "2026-11-20"
MIDNIGHT = datetime(2026, 11, 21, 4, 30, tzinfo=UTC)
SHA = hashlib.sha256(b"").hexdigest()
CAMERA = {"camera": "toritos-u10", "binning": "1x1", "readout": None, "filter": "V"}
SETUP = {**CAMERA, "exptime_s": 60.0, "temperature_c": -20.0, "object": "field01"}


def stamps(side: int = 31) -> bytes:
    """Three squares of noise, two of them with a star in the middle."""
    rng = np.random.default_rng(1)
    planes = rng.normal(100.0, 5.0, (3, side, side)).astype(np.float32)
    y, x = np.mgrid[:side, :side] - side // 2
    star = 300.0 * np.exp(-(x**2 + y**2) / 8.0)
    planes[0] += star
    planes[2] += star
    stream = io.BytesIO()
    np.save(stream, planes)
    return stream.getvalue()


def add_sky(
    corral: Corral,
    *candidates: dict[str, Any],
    curves: dict[str, int] | None = None,
    zero_points: Sequence[float | None] = (),
    night: str = NIGHT,
) -> None:
    """Put candidates into the database, for each name so many points of a light curve, and for
    each zero point a calibrated image that has it.
    """
    run = open_run(corral, MasterBias(), night, Trigger())
    with corral.write() as session:
        row = ensure_night(session, night)
        session.flush()
        number = session.query(Unit).count()
        unit = Unit(step="Find", key=str(number), partition=night, status="done")
        unit.fingerprint, unit.row_ids, unit.step_run_id = SHA, [], run.id
        session.add(unit)
        session.flush()
        attempt = UnitRun(unit_id=unit.id, step_run_id=run.id, fence=0, fingerprint=SHA)
        attempt.outcome, attempt.ended_at = "done", MIDNIGHT
        session.add(attempt)
        session.flush()
        own = {"unit_id": unit.id, "unit_run_id": attempt.id, "night_id": row.id, **SETUP}
        own["observed_at"] = MIDNIGHT
        image = Product(kind="difference", step="Find", fingerprint=SHA, sha256=SHA, **own)
        image.path, image.size_bytes, image.made_at = f"{number}.fits", 1, MIDNIGHT
        session.add(image)
        session.flush()
        for given in candidates:
            session.add(_candidate(session, image.id, own, given))
        for count, value in enumerate(zero_points):
            session.add(_solution(session, own, count, value))
        for name, points in (curves or {}).items():
            session.add_all(_points(name, points, image.id, own))


def _solution(session: Any, own: dict[str, Any], count: int, value: float | None):
    own = own | {"observed_at": MIDNIGHT + timedelta(minutes=8 * count)}
    image = Product(kind="calibrated", step="Find", fingerprint=SHA, sha256=SHA, **own)
    image.path, image.size_bytes, image.made_at = f"image-{count}.fits", 1, MIDNIGHT
    session.add(image)
    session.flush()
    known = {"product_id": image.id, "instrument": "toritos", **own}
    sources = SourceList(sha256=SHA, count=0, psf_alpha_px=1.0, psf_beta=3.0, **known)
    sources.aperture_radius_px, sources.width_px, sources.height_px = 3.0, 64, 64
    session.add(sources)
    session.flush()
    place = AstrometricSolution(source_list_id=sources.id, catalog="", solved=True, **known)
    session.add(place)
    session.flush()
    made = PhotometricSolution(astrometric_solution_id=place.id, catalog="", **known)
    made.calibrated, made.zero_point_mag = value is not None, value
    return made


def _candidate(session: Any, image_id: int, own: dict[str, Any], given: dict[str, Any]):
    place = {"x_px": 100.5, "y_px": 200.25, "ra_deg": 83.633, "dec_deg": -5.391}
    bright = {"mag": 17.314, "mag_err": 0.042, "significance": 25.0, "score": 0.93}
    measured = {"instrument": "toritos", **place, **bright}
    detection = Detection(
        difference_id=image_id, flux_e=5000.0, flux_err_e=200.0, real=True, **own, **measured
    )
    detection.stamps = given.pop("stamps", stamps())
    session.add(detection)
    session.flush()
    made = Candidate(best_detection_id=detection.id, **own, **measured)
    made.name, made.detections, made.searched, made.searched_sha256 = "TOR26a", 5, 7, SHA
    made.first_seen_at, made.last_seen_at = MIDNIGHT, MIDNIGHT + timedelta(minutes=40)
    made.position_err_arcsec = 0.4
    for name, value in given.items():
        setattr(made, name, value)
    return made


def _points(name: str, number: int, image_id: int, own: dict[str, Any]) -> list[LightCurvePoint]:
    known = {key: own[key] for key in ("unit_id", "unit_run_id", "filter")}
    return [
        LightCurvePoint(
            source_name=name,
            product_id=image_id,
            method="ensemble",
            observed_at=MIDNIGHT + timedelta(minutes=8 * count),
            mag=14.0 + 0.3 * np.sin(count / 3),
            mag_err=0.01,
            **known,
        )
        for count in range(number)
    ]
