"""Light curves on the command line: words, pictures, tables."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import select

from include.ccd.light_curve import mid_exposure_bjd_tdb
from include.ccd.transit import transit_flux
from include.corral import cli
from include.corral.drain import drain
from include.toritos.instrument import profile_of
from include.toritos.light_curves import gather_curve
from include.toritos.pipeline import TORITOS
from include.toritos.steps import ReduceScience
from models import LightCurvePoint, Night, Product, UnitRun

NAME = "HAT-P-32 b"
NIGHT = date(2017, 12, 19)
BEGIN = datetime(2017, 12, 20, 1, 33, tzinfo=UTC)
POINTS = 60


@pytest.fixture
def run(station, monkeypatch, capsys):
    """Runs a command; gives its status and what it printed."""
    monkeypatch.setenv("CORRAL_HOME", str(station.corral.settings.inbox.parent))

    def ran(*arguments: str) -> tuple[int, str]:
        status = cli.main(TORITOS, ["light-curve", *arguments])
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return ran


@pytest.fixture
def night(station):
    """A night with a frame and an attempt at it, on which points can stand."""
    station.put("a.fits", kind="science", at=BEGIN)
    station.load()
    drain(station.corral, ReduceScience(), partition=NIGHT.isoformat())
    return station


def add_points(station, name: str, band: str, flux: np.ndarray, method: str = "ensemble") -> None:
    """Points every seven minutes, each on a product of its own."""
    profile = profile_of("microobs", station.corral.settings)
    target = profile.targets[0]
    starts = [BEGIN + timedelta(minutes=7 * n) for n in range(len(flux))]
    times = mid_exposure_bjd_tdb(
        starts,
        [60.0] * len(starts),
        ra_deg=target.ra_deg,
        dec_deg=target.dec_deg,
        site=profile.site,
    )
    if name == NAME:
        mid = target.transit.nearest_mid(float(times[0]))
        flux = flux * transit_flux(times - mid, 0.15, target.transit)
    with station.corral.write() as session:
        attempt = session.scalars(select(UnitRun)).first()
        made_by = {"unit_id": attempt.unit_id, "unit_run_id": attempt.id}
        shared = {"night": session.scalars(select(Night)).one(), "camera": "c", "binning": "1x1"}
        for n, start in enumerate(starts):
            product = Product(
                **made_by, **shared, kind="calibrated", step="s", fingerprint="0" * 64,
                sha256="0" * 64, path=f"{name}-{band}-{method}-{n}.fits", size_bytes=1,
                instrument="microobs", made_at=start, observed_at=start, exptime_s=60.0,
            )  # fmt: skip
            forced = method == "forced"
            session.add(
                LightCurvePoint(
                    **made_by, source_name=name, product=product, method=method, filter=band,
                    observed_at=start, bjd_tdb=float(times[n]), flags=0,
                    relative_flux=None if forced else float(flux[n]),
                    relative_flux_err=None if forced else 0.004,
                    flux_e=float(flux[n]) if forced else None,
                    flux_err_e=0.004 if forced else None,
                )
            )  # fmt: skip


def test_a_transit_is_fitted_drawn_and_written(night, run, tmp_path) -> None:
    """Words, a picture, a table; the profile says that a transit is expected."""
    noise = np.random.default_rng(1).normal(1.0, 0.004, POINTS)
    add_points(night, NAME, "Clear", noise)
    png, table = tmp_path / "curve.png", tmp_path / "curve.csv"
    status, text = run(NAME, "--night", str(NIGHT), "--png", str(png), "--csv", str(table))
    title, words = text.splitlines()
    assert (status, title) == (0, f"{NAME}, night {NIGHT}, filter Clear: {POINTS} points, ensemble")
    assert words.startswith("mid-transit BJD 2458107.7")
    assert "depth 2." in words
    assert png.read_bytes().startswith(b"\x89PNG")
    with table.open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["bjd_tdb", "flux", "flux_err", "mag", "mag_err", "flags"]
    assert (len(rows), rows[0][3:]) == (POINTS, ["", "", "0"])
    assert float(rows[0][1]) == pytest.approx(noise[0], abs=1e-9)


def test_a_candidate_has_its_forced_curve(night, run, tmp_path) -> None:
    """In electrons, and without a fit."""
    add_points(night, "N1", "V", np.linspace(100.0, 300.0, 8), method="forced")
    png = tmp_path / "curve.png"
    status, text = run("N1", "--night", str(NIGHT), "--png", str(png))
    assert (status, text) == (0, f"N1, night {NIGHT}, filter V: 8 points, forced\n")
    assert png.stat().st_size > 1000
    with night.corral.read() as session:
        rows = gather_curve(session, "N1", NIGHT).rows()
    assert rows[0][1:3] == (100.0, 0.004)


def test_a_curve_that_is_not_there_or_not_one_is_refused(night, run, tmp_path) -> None:
    """With what would help."""
    assert run("X", "--night", str(NIGHT)) == (
        1,
        f"corral: there is no light curve of X in the night {NIGHT}\n",
    )
    for band in ("V", "R"):
        add_points(night, "N2", band, np.ones(3))
    status, text = run("N2", "--night", str(NIGHT))
    assert (status, text) == (1, "corral: N2 was observed in R, V: choose one with --filter\n")
    assert run("N2", "--night", str(NIGHT), "--filter", "R")[0] == 0
    status, text = run("N2", "--night", str(NIGHT), "--filter", "R", "--png", str(tmp_path))
    assert status == 1
    assert "cannot be written" in text
    add_points(night, NAME, "Clear", np.ones(5))
    status, text = run(NAME, "--night", str(NIGHT))
    assert status == 1
    assert "10 are needed" in text
