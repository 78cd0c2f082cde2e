"""Header corrections: what the site's list says is believed, and the files stay as they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from include.corral.errors import ConfigurationError
from include.toritos.corrections import parse
from include.toritos.simulator import simulate_night
from models import Correction, CorrectionList, Frame, Product

WHY = 'reason = "see the log"\nauthor = "A. Observer"\n'


@pytest.fixture
def listed(both, tmp_path):
    """A function that writes the site's list and loads."""
    path = tmp_path / "corrections.toml"
    both.corral.settings.pipeline["corrections"] = str(path)

    def write(*entries: str):
        path.write_text("".join(f"[[correction]]\n{entry}\n{WHY}" for entry in entries))
        return both.load()

    return write


def standing(station) -> dict[tuple[str, str], tuple]:
    """What is believed against headers: (path, field) to (old, new)."""
    with station.corral.read() as session:
        query = select(Frame.path, Correction).join(Frame)
        rows = session.execute(query.where(Correction.withdrawn_at.is_(None)))
        return {(path, row.field): (row.old, row.new) for path, row in rows}


@pytest.mark.parametrize(
    "values",
    [
        "shift_s = 1e300",
        "shift_s = inf",
        "shift_s = nan",
        f"shift_s = {'9' * 400}",
        "exptime_s = inf",
        "temperature_c = -inf",
        "temperature_c = nan",
        "observed_at = 0001-01-01T00:00:00+14:00",
        "observed_at = 9999-12-31T23:59:59-14:00",
        f'filter = "{"x" * 65}"',
        f'object = "{"x" * 201}"',
        'object = "a\\u0000b"',
        'filter = "a\\nb"',
    ],
)
def test_value_that_cannot_be_stops_no_frame(both, listed, values) -> None:
    """The list is refused, whoever it speaks of; frames come in as their headers say."""
    report = listed(f"night = 2026-11-20\nset = {{ {values} }}")
    assert [failure.failure_class for failure in report.failures] == ["configuration"]
    both.put("a.fits", kind="science")
    both.load()
    assert both.frames()["a.fits"].filter == "V"


def test_list_may_begin_with_a_byte_order_mark(station, tmp_path) -> None:
    """As editors on Windows write it."""
    path = tmp_path / "corrections.toml"
    station.corral.settings.pipeline["corrections"] = str(path)
    entry = f'[[correction]]\nnight = 2026-11-20\nset = {{ filter = "R" }}\n{WHY}'
    path.write_text(entry, encoding="utf-8-sig")
    station.put("a.fits", kind="science")
    assert station.load().failures == []
    assert station.frames()["a.fits"].filter == "R"


def test_filter_is_corrected_by_path_and_the_file_stays(both, listed) -> None:
    """The row says what is believed, the correction what was read, why, and who says so."""
    place = both.put("2026-11-20/m33-1.fits", kind="science")
    both.put("2026-11-20/m31-1.fits", kind="science", pixels=1)
    before = place.read_bytes()
    both.load()
    report = listed('path = "2026-11-20/m33-*"\nset = { filter = "R" }')
    assert report.partitions == {"2026-11-20"}
    assert {path: frame.filter for path, frame in both.frames().items()} == {
        "2026-11-20/m33-1.fits": "R",
        "2026-11-20/m31-1.fits": "V",
    }
    (row,) = both.rows(Correction)
    assert (row.field, row.old, row.new) == ("filter", "V", "R")
    assert (row.reason, row.author) == ("see the log", "A. Observer")
    assert place.read_bytes() == before


def test_frames_that_come_later_are_corrected_as_they_come(both, listed) -> None:
    """The list holds for what is not there yet, without being read again."""
    listed('night = 2026-11-20\nkind = "science"\nset = { filter = "R" }')
    both.put("a.fits", kind="science")
    both.put("b.fits", kind="flat", pixels=1)
    both.load()
    assert {path: frame.filter for path, frame in both.frames().items()} == {
        "a.fits": "R",
        "b.fits": "V",
    }


def test_withdrawn_correction_gives_back_what_the_header_says(both, listed) -> None:
    """An empty list withdraws all; what was believed once stays on record."""
    both.put("a.fits", kind="science", cards={"OBJECT": "M33"})
    listed('path = "*"\nset = { filter = "R", object = "", exptime_s = 30 }')
    frame = both.frames()["a.fits"]
    assert (frame.filter, frame.object, frame.exptime_s) == ("R", None, 30.0)
    listed()
    frame = both.frames()["a.fits"]
    assert (frame.filter, frame.object, frame.exptime_s) == ("V", "M33", 60.0)
    assert standing(both) == {}
    assert all(row.withdrawn_at is not None for row in both.rows(Correction))
    assert len(both.rows(CorrectionList)) == 2


def test_later_entries_go_before_earlier_ones(both, listed) -> None:
    """A rule for the night, and an exception that gives one frame back what its header says."""
    both.put("a.fits", kind="science")
    both.put("b.fits", kind="science", pixels=1)
    listed()
    sha256 = both.frames()["a.fits"].sha256
    listed(
        'night = 2026-11-20\nset = { filter = "R" }',
        f'sha256 = "{sha256[:12]}"\nset = {{ filter = "V" }}',
    )
    assert {path: frame.filter for path, frame in both.frames().items()} == {
        "a.fits": "V",
        "b.fits": "R",
    }
    assert list(standing(both)) == [("b.fits", "filter")]


def test_veto_takes_a_frame_out_and_its_twin_takes_its_place(both, listed, make_frame) -> None:
    """A frame that is not accepted says why; another header of the exposure is used instead."""
    for name in ("x", "y"):
        both.put(f"{name}.fits", make_frame(cards={"OBJECT": name}))
    both.load()
    used = next(frame for frame in both.rows(Frame) if frame.accepted)
    listed(f'sha256 = ["{used.sha256}"]\nset = {{ accepted = false }}')
    state = {frame.id: (frame.accepted, frame.set_aside) for frame in both.rows(Frame)}
    assert state.pop(used.id) == (False, "vetoed")
    assert set(state.values()) == {(True, None)}


def test_clock_that_was_wrong_all_night_is_shifted(both, listed) -> None:
    """Every frame by the same seconds; one that thereby falls into another night moves there."""
    noon = datetime(2026, 11, 21, 16, 40, tzinfo=UTC)  # local noon is at 16:29 UTC
    both.put("a.fits", at=noon)
    both.load()
    assert both.frames()["a.fits"].partition_key == "2026-11-21"
    report = listed('path = "*"\nset = { shift_s = -3600 }')
    frame = both.frames()["a.fits"]
    assert frame.observed_at == noon - timedelta(hours=1)
    assert frame.partition_key == "2026-11-20"
    # Both nights have something to do: one has lost a frame, one has won it.
    assert report.partitions == {"2026-11-20", "2026-11-21"}
    listed()
    assert both.frames()["a.fits"].partition_key == "2026-11-21"


def test_kind_corrected_to_bias_carries_no_filter(both, listed) -> None:
    """As no bias does; withdrawn, the filter is back."""
    both.put("a.fits", kind="flat")
    listed('path = "a.fits"\nset = { kind = "bias", exptime_s = 0 }')
    frame = both.frames()["a.fits"]
    assert (frame.kind, frame.filter) == ("bias", None)
    listed()
    frame = both.frames()["a.fits"]
    assert (frame.kind, frame.filter) == ("flat", "V")


def test_list_that_makes_no_sense_leaves_the_last_one_in_force(both, listed) -> None:
    """It is a failure to be mended; frames that come are corrected as before."""
    both.put("a.fits", kind="science")
    listed('path = "*"\nset = { filter = "R" }')
    report = listed('path = "*"\nset = { filtre = "R" }')
    (failure,) = report.failures
    assert failure.failure_class == "configuration"
    assert "filtre" in failure.message
    both.put("b.fits", kind="science", pixels=1)
    assert both.load().done == 1
    assert {frame.filter for frame in both.rows(Frame)} == {"R"}
    assert listed('path = "*"\nset = { filter = "I" }').standing == []
    assert {frame.filter for frame in both.rows(Frame)} == {"I"}


def test_list_that_is_gone_withdraws_nothing(both, listed, tmp_path) -> None:
    """A disk that is not mounted must not change what is believed."""
    both.put("a.fits", kind="science")
    listed('path = "*"\nset = { filter = "R" }')
    (tmp_path / "corrections.toml").unlink()
    assert [failure.failure_class for failure in both.load().failures] == ["configuration"]
    assert both.frames()["a.fits"].filter == "R"
    del both.corral.settings.pipeline["corrections"]
    assert both.load().standing == []
    assert both.frames()["a.fits"].filter == "R"


def test_same_list_again_changes_nothing(both, listed) -> None:
    """Also when it is written otherwise but says the same."""
    both.put("a.fits", kind="science")
    listed('path = "*"\nset = { filter = "R" }')
    assert both.load().done == 0
    before = [row.content() for row in [*both.rows(Frame), *both.rows(Correction)]]
    report = listed('# a remark\npath = "*"\nset = {filter="R"}')
    assert report.partitions == set()
    assert [row.content() for row in [*both.rows(Frame), *both.rows(Correction)]] == before


def test_correction_outlives_a_header_read_anew(both, listed, tmp_path) -> None:
    """The profile changes what is read; what is believed against it still holds."""
    from include.toritos.instrument import SHIPPED

    both.put("a.fits", kind="science", cards={"FILTER": "Clear", "CHANNEL": "B"})
    listed('path = "*"\nset = { filter = "R" }')
    own = tmp_path / "profiles"
    own.mkdir()
    shipped = (SHIPPED / "toritos.toml").read_text()
    (own / "toritos.toml").write_text(shipped.replace('["FILTER"]', '["CHANNEL"]'))
    both.corral.settings.pipeline["profiles"] = str(own)
    both.load()
    assert standing(both) == {("a.fits", "filter"): ("B", "R")}
    assert both.frames()["a.fits"].filter == "R"
    listed()
    assert both.frames()["a.fits"].filter == "B"


def test_filter_corrected_from_v_to_r_remakes_both_groups(site, small_plan, run_all, tmp_path):
    """The flats of both filters, and the images made with them; bias and dark stay."""
    folder = site.settings.inbox / "2026-11-20"
    simulate_night(replace(small_plan, flats={"V": 4, "R": 3}, size_px=128), folder)
    run_all(site)
    with site.read() as session:
        query = select(Frame).where(Frame.kind == "flat", Frame.filter == "V")
        wrong = session.scalars(query.order_by(Frame.observed_at)).first()
    path = tmp_path / "corrections.toml"
    path.write_text(f'[[correction]]\npath = "{wrong.path}"\nset = {{ filter = "R" }}\n{WHY}')
    site.settings.pipeline["corrections"] = str(path)
    reports = run_all(site)
    assert reports["load"].partitions == {"2026-11-20"}
    done = {name: report.done for name, report in reports.items()}
    assert (done["load"], done["MasterBias"], done["MasterDark"], done["MasterFlat"]) == (
        1,
        0,
        0,
        2,
    )
    assert (done["ReduceScience"], done["CheckQuality"], done["NightGate"]) == (5, 5, 1)
    with site.read() as session:
        query = select(Product).where(Product.kind == "master_flat", Product.current)
        combined = {row.filter: row.metrics["combined_count"] for row in session.scalars(query)}
    assert combined == {"V": 3, "R": 4}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[correction]]\n" + WHY + "set = { filter = 'R' }", "names no frames"),
        ("[[correction]]\npath = '*'\nset = {}\n" + WHY, "sets nothing"),
        ("[[correction]]\npath = '*'\nset = { filter = 'R' }\nauthor = 'x'", "lacks the key"),
        ("[[correction]]\nsha256 = 'abc'\nset = { filter = 'R' }\n" + WHY, "eight digits"),
        ("[[correction]]\npath = '*'\nset = { accepted = true }\n" + WHY, "accepted"),
        ("[[correction]]\npath = '*'\nset = { kind = 'biass' }\n" + WHY, "biass"),
        ("[[correction]]\npath = '*'\nset = { exptime_s = -1 }\n" + WHY, "exptime_s"),
        (
            "[[correction]]\npath = '*'\nset = { observed_at = 2026-11-21T03:04:05 }\n" + WHY,
            "offset",
        ),
        ("[[correction]]\nnight = 'x'\nset = { filter = 'R' }\n" + WHY, "night"),
        ("[[corrections]]\n" + WHY, "nothing else"),
        ("correction = 3", "nothing else"),
        ("[[correction", "corrections not read"),
    ],
)
def test_entry_that_makes_no_sense_is_refused(text, message) -> None:
    """The message names what is wrong."""
    with pytest.raises(ConfigurationError, match=message):
        parse(text, where="corrections.toml")


def test_file_that_is_no_text_is_a_fault_of_the_installation(station, tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are told of, and change nothing."""
    path = tmp_path / "corrections.toml"
    path.write_bytes(b"\xff\xfe")
    station.corral.settings.pipeline["corrections"] = str(path)
    assert [failure.failure_class for failure in station.load().failures] == ["configuration"]
