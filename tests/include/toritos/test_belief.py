"""One content, one exposure: what is believed, whatever the order of arrival."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from include.corral.corral import Corral
from include.corral.settings import Settings
from models import Frame, Sighting


def believed(station) -> dict[str, tuple]:
    """What counts of every frame, in terms that do not depend on ids."""
    sha256 = {frame.id: frame.sha256 for frame in station.rows(Frame)}
    return {
        frame.sha256: (
            frame.path,
            frame.kind,
            frame.filter,
            frame.partition_key,
            frame.accepted,
            frame.set_aside,
            sha256.get(frame.superseded_by_id),
            sha256.get(frame.same_pixels_as_id),
        )
        for frame in station.rows(Frame)
    }


def test_one_content_under_two_names_is_one_frame(both, make_frame) -> None:
    """Every name is a sighting; the frame is where the first name in order is."""
    for path in ("2026-11-20/b.fits", "copy/z.fits", "2026-11-20/a.fits"):
        both.put(path, make_frame())
        both.load()
    (frame,) = both.rows(Frame)
    assert frame.path == "2026-11-20/a.fits"
    assert {row.path for row in both.rows(Sighting, Sighting.current)} == {
        "2026-11-20/a.fits",
        "2026-11-20/b.fits",
        "copy/z.fits",
    }


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_one_exposure_under_two_headers_is_used_once(both, make_frame, order) -> None:
    """Both are frames and know of each other; the one with the lesser hash is used."""
    contents = [make_frame(), make_frame(cards={"OBJECT": "again"})]
    for number in order:
        both.put(f"f{number}.fits", contents[number])
        both.load()
    used, other = sorted(both.rows(Frame), key=lambda frame: frame.sha256)
    assert used.pixel_sha256 == other.pixel_sha256
    assert (used.accepted, used.set_aside, used.same_pixels_as_id) == (True, None, None)
    assert (other.accepted, other.set_aside) == (False, "same_pixels")
    assert other.same_pixels_as_id == used.id


def test_compressed_copy_is_the_same_exposure(station, make_frame) -> None:
    """A frame and its gzip are two contents and one exposure."""
    station.put("a.fits", make_frame())
    station.put("a.fits.gz", gzip.compress(make_frame()))
    station.load()
    assert sorted(frame.accepted for frame in station.rows(Frame)) == [False, True]


def test_changed_file_is_a_new_frame_that_supersedes(both) -> None:
    """The old frame stays on record, out of use, and says what took its place."""
    both.put("a.fits", pixels=1)
    both.load()
    both.put("a.fits", pixels=2)
    both.load()
    old, new = both.rows(Frame)
    assert (old.accepted, old.set_aside, old.superseded_by_id) == (False, "superseded", new.id)
    assert (new.accepted, new.set_aside) == (True, None)


def test_content_that_is_still_elsewhere_is_not_superseded(both) -> None:
    """A file that changes takes its old content out of use only where that is nowhere else."""
    both.put("a.fits", pixels=1)
    both.put("b.fits", pixels=1)
    both.load()
    both.put("a.fits", pixels=2)
    both.load()
    assert {path: frame.accepted for path, frame in both.frames().items()} == {
        "a.fits": True,
        "b.fits": True,
    }
    both.put("b.fits", pixels=2)
    both.load()
    old, new = both.rows(Frame)
    assert (old.accepted, old.superseded_by_id) == (False, new.id)


def test_content_that_comes_back_is_used_again(both, make_frame) -> None:
    """A, then B, then A in one file: A is in use, B superseded by it."""
    for pixels in (1, 2, 1):
        both.put("a.fits", pixels=pixels)
        both.load()
    first, second = both.rows(Frame)
    assert (first.accepted, first.superseded_by_id) == (True, None)
    assert (second.accepted, second.superseded_by_id) == (False, first.id)
    assert [row.current for row in both.rows(Sighting)] == [False, False, True]


def test_twin_of_a_superseded_frame_takes_its_place(both, make_frame) -> None:
    """Of two headers of one exposure, the one whose file is still there is used."""
    contents = {name: make_frame(cards={"OBJECT": name}) for name in ("x", "y")}
    for name, content in contents.items():
        both.put(f"{name}.fits", content)
    both.load()
    used = next(frame for frame in both.rows(Frame) if frame.accepted)
    both.put(used.path, pixels=9)
    both.load()
    state = {frame.id: (frame.accepted, frame.set_aside) for frame in both.rows(Frame)}
    assert state.pop(used.id) == (False, "superseded")
    assert set(state.values()) == {(True, None)}


def test_file_that_turns_bad_takes_nothing_away(both) -> None:
    """What was registered stands until good content takes its place."""
    place = both.put("a.fits")
    both.load()
    place.write_bytes(place.read_bytes()[:5000])
    both.load()
    (frame,) = both.rows(Frame)
    assert (frame.accepted, frame.set_aside) == (True, None)
    assert both.refused() == {"a.fits": ("WAIT", "truncated_data")}
    both.put("a.fits")
    both.load()
    assert both.refused() == {}
    assert len(both.rows(Frame)) == 1


def test_belief_does_not_depend_on_the_order_of_arrival(tmp_path, make_frame, station) -> None:
    """Copies, twins, nights and kinds, in twenty orders and any number of loads: one result."""
    twins = [make_frame(pixels=3, cards={"OBJECT": name}) for name in ("x", "y", "z")]
    files = {f"n/{number}.fits": make_frame(pixels=number) for number in (1, 2)}
    files |= {f"copy/{number}.fits": files["n/1.fits"] for number in (1, 9)}
    files |= {f"twin{number}.fits": content for number, content in enumerate(twins)}
    files |= {"a.fits.gz": gzip.compress(twins[0], mtime=0), "flat.fits": make_frame("flat")}
    results = []
    for seed in range(20):
        order = random.Random(seed)
        paths = order.sample(sorted(files), len(files))
        for other in _fresh(tmp_path / str(seed), station):
            while paths:
                for path in paths[: order.randint(1, 9)]:
                    other.put(path, files[path])
                    paths.remove(path)
                other.load()
            results.append(believed(other))
    for result in results:
        assert result == results[0]
    assert sum(state[4] for state in results[0].values()) == 4


def _fresh(folder, station) -> Iterator:
    corral = Corral(Settings.below(folder, pipeline={"still_s": "0"}))
    corral.settings.inbox.mkdir(parents=True)
    yield type(station)(corral)
    corral.close()


def test_every_frame_has_a_current_sighting_or_a_successor(station) -> None:
    """What is out of use says why, what is in use is somewhere."""
    for pixels in (1, 2, 3):
        station.put("a.fits", pixels=pixels)
        station.load()
    with station.corral.read() as session:
        current = set(session.scalars(select(Sighting.frame_id).where(Sighting.current)))
    frames = station.rows(Frame)
    assert {frame.id for frame in frames if frame.accepted} == current
    assert {frame.superseded_by_id for frame in frames if not frame.accepted} == current
