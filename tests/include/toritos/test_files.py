"""A frame is read only from a file that holds what was registered."""

from __future__ import annotations

import os

import pytest

from include.corral.errors import BadData, UpstreamMissing
from include.toritos.files import place_of
from models import Frame


@pytest.fixture
def find(station):
    """Where the only frame of the station is found."""

    def found():
        with station.corral.read() as session:
            frame = session.query(Frame).order_by(Frame.id).first()
            return place_of(frame, station.corral.settings)

    return found


def test_untouched_file_is_taken_at_its_word(station, find, monkeypatch) -> None:
    """Its hash is not computed again for every step."""
    place = station.put("a.fits")
    station.load()
    monkeypatch.setattr("include.toritos.files._holds", None)
    assert find() == place


def test_touched_file_with_the_same_content_is_read(station, find) -> None:
    """What was copied or restored holds the same: the time of the file does not matter."""
    place = station.put("a.fits")
    station.load()
    os.utime(place, (1, 1))
    assert find() == place


def test_file_with_another_content_is_not_read(station, find) -> None:
    """A changed file of the same size would give numbers that belong to another frame."""
    station.put("a.fits", pixels=1)
    station.load()
    station.put("a.fits", pixels=2)
    with pytest.raises(BadData, match="something else"):
        find()


def test_copy_is_read_where_the_first_place_has_changed(station, find) -> None:
    """One content, two places: any that still holds it will do."""
    station.put("a.fits", pixels=1)
    copy = station.put("b/b.fits", pixels=1)
    station.load()
    station.put("a.fits", pixels=2)
    assert find() == copy


def test_moved_file_is_found_once_it_was_seen(station, find) -> None:
    """Nights are moved into an archive below the inbox."""
    place = station.put("a.fits")
    station.load()
    archived = station.corral.settings.inbox / "2026"
    archived.mkdir()
    place.rename(archived / "a.fits")
    with pytest.raises(UpstreamMissing, match="not in the inbox"):
        find()
    station.load()
    assert find() == archived / "a.fits"


def test_pipe_in_the_place_of_a_file_is_not_opened(station, find) -> None:
    """It would block for ever."""
    place = station.put("a.fits")
    station.load()
    place.unlink()
    os.mkfifo(place)
    with pytest.raises(BadData):
        find()
