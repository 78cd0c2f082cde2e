"""What comes late reopens its night: exactly what it bears on is remade, superseding."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select

from include.corral.backlog import partitions_to_do
from include.toritos.pipeline import TORITOS
from include.toritos.simulator import simulate_night
from models import Frame, Product, ProductInput

NIGHT, FAR = date(2026, 11, 20), date(2026, 11, 10)


@pytest.fixture
def night(site, small_plan):
    """A function that lets a night of small frames come in: kinds can be left out."""

    def expose(day: date = NIGHT, **plan: object) -> None:
        made = replace(small_plan, night=day, size_px=96, **plan)
        simulate_night(made, site.settings.inbox / day.isoformat())

    return expose


def done(reports) -> dict[str, int]:
    return {name: report.done for name, report in reports.items() if report.done}


def to_do(corral) -> list[str]:
    steps = [step() for step in TORITOS.steps]
    for step in steps:
        step.settings = corral.settings
    return partitions_to_do(corral, steps)


def current(corral) -> dict[int, Product]:
    with corral.read() as session:
        return {row.id: row for row in session.scalars(select(Product).where(Product.current))}


def test_late_flat_remakes_the_images_of_its_filter_alone(site, night, run_all) -> None:
    """One more V flat: the V master and the V images; R, bias and dark stay as they are."""
    night(flats={"V": 3, "R": 3})
    run_all(site)
    before = current(site)
    night(flats={"V": 4, "R": 3})
    reports = run_all(site)
    of_images = dict.fromkeys(("ReduceScience", "CheckQuality", "FindSources"), 3)
    assert done(reports).items() >= {"MasterFlat": 1, "NightGate": 1, **of_images}.items()
    assert not {"MasterBias", "MasterDark"} & done(reports).keys()
    after = current(site)
    remade = [product for key, product in before.items() if key not in after]
    assert {product.filter for product in remade} == {"V"}
    with site.read() as session:
        for product in remade:
            row = session.get(Product, product.id)
            assert row.superseded_by_id in after
            assert site.store.verify(row.path, row.sha256)


def test_night_without_flats_is_remade_when_a_nearer_night_has_them(site, night, run_all) -> None:
    """The far master was the best there was; the nearer one takes its place, superseding."""
    night(FAR)
    run_all(site, night=FAR.isoformat())
    night(flats={})
    run_all(site)
    assert _nights_of_flats(site) == {"2026-11-10"}
    night(date(2026, 11, 19), science={})
    run_all(site, night="2026-11-19")
    # The next trigger of the night finds it; a sweep that asks is told of all nights near.
    assert to_do(site) == ["2026-11-20", "2026-11-10"]
    assert run_all(site)["ReduceScience"].done == 5
    assert _nights_of_flats(site) == {"2026-11-19"}
    assert done(run_all(site, night=FAR.isoformat())) == {}
    assert to_do(site) == []


def test_farther_master_remakes_nothing(site, night, run_all) -> None:
    """A night with its own masters does not heed those of others."""
    night()
    run_all(site)
    night(FAR, science={})
    run_all(site, night=FAR.isoformat())
    before = current(site)
    assert done(run_all(site)) == {}
    assert current(site).keys() == before.keys()


def test_superseded_flat_remakes_what_it_went_into(site, night, run_all, make_frame) -> None:
    """A flat's file changes into another frame: the master is made of those that are left."""
    night(flats={"V": 4, "R": 3})
    run_all(site)
    with site.read() as session:
        query = select(Frame).where(Frame.kind == "flat", Frame.filter == "V")
        flat = session.scalars(query.order_by(Frame.observed_at)).first()
    (site.settings.inbox / flat.path).write_bytes(make_frame("dark", pixels=5))
    reports = run_all(site)
    assert (reports["MasterFlat"].done, reports["ReduceScience"].done) == (1, 3)
    with site.read() as session:
        inputs = (
            select(ProductInput.frame_id)
            .join(Product, ProductInput.product_id == Product.id)
            .where(Product.current, ProductInput.role == "flat")
        )
        assert flat.id not in set(session.scalars(inputs))


def test_copy_of_the_whole_night_remakes_nothing(site, night, run_all) -> None:
    """Under other names in another folder: sightings, and no work."""
    night()
    run_all(site)
    simulate = site.settings.inbox / NIGHT.isoformat()
    copy = site.settings.inbox / "a-copy"
    copy.mkdir()
    for path in simulate.iterdir():
        (copy / f"x{path.name}").write_bytes(path.read_bytes())
    report = run_all(site)
    assert report["load"].partitions == set()
    assert {name: n for name, n in done(report).items() if name != "load"} == {}


def _nights_of_flats(site) -> set[str]:
    """Nights of the masters with which the images of the night were made."""
    with site.read() as session:
        images = select(Product.id).where(
            Product.kind == "calibrated", Product.current, Product.in_partition("2026-11-20")
        )
        edges = select(ProductInput).where(
            ProductInput.product_id.in_(images), ProductInput.role == "flat"
        )
        return {edge.input_product.partition_key for edge in session.scalars(edges)}


@pytest.mark.parametrize(
    ("utc", "night"),
    [
        # Local noon at 67.328 degrees west is at 16:29:19 UTC.
        (datetime(2026, 11, 20, 16, 29, 18, tzinfo=UTC), "2026-11-19"),
        (datetime(2026, 11, 20, 16, 29, 20, tzinfo=UTC), "2026-11-20"),
        (datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC), "2026-11-20"),
        (datetime(2026, 11, 21, 0, 0, 1, tzinfo=UTC), "2026-11-20"),
        (datetime(2026, 11, 21, 9, 0, tzinfo=UTC), "2026-11-20"),
        (datetime(2026, 11, 21, 16, 29, 18, tzinfo=UTC), "2026-11-20"),
        (datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC), "2025-12-31"),
        (datetime(2026, 1, 1, 2, 0, tzinfo=UTC), "2025-12-31"),
        (datetime(2024, 2, 29, 20, 0, tzinfo=UTC), "2024-02-29"),
    ],
)
@pytest.mark.parametrize("folder", ["2026-11-20", "1999-01-01", "x/y"])
def test_night_is_that_of_the_time_and_the_site(station, utc, night, folder) -> None:
    """From noon to noon of the site, over the change of date in Greenwich, whatever the folder."""
    station.put(f"{folder}/a.fits", at=utc)
    station.load()
    assert station.frames()[f"{folder}/a.fits"].partition_key == night
