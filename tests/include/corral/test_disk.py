"""Disks are told of before they are full, and nothing is begun that may not fit."""

from __future__ import annotations

import pytest

from include.corral.corral import Corral
from include.corral.disk import GB, Room, ensure_space, room, rooms
from include.corral.drain import drain
from include.corral.errors import FailureClass, StorageTrouble
from include.corral.settings import Settings
from models.frame import Frame
from tests.include.corral.lab import Blob, Calibrate, add_frames, files

LIMITS = {
    "warning_free_gb": 100.0,
    "warning_free_fraction": 0.1,
    "critical_free_gb": 20.0,
    "critical_free_fraction": 0.02,
}


@pytest.mark.parametrize(
    ("total_gb", "free_gb", "inodes", "level"),
    [
        (8000, 120, 1.0, None),
        (8000, 99, 1.0, "warning"),
        (8000, 19, 1.0, "critical"),
        (100, 11, 1.0, None),
        (100, 9, 1.0, "warning"),
        (100, 1, 1.0, "critical"),
        (8000, 4000, 0.05, "warning"),
        (8000, 4000, 0.01, "critical"),
        (0, 0, 1.0, None),
    ],
)
def test_large_disks_are_judged_by_bytes_and_small_ones_by_fraction(
    total_gb, free_gb, inodes, level
) -> None:
    """And both by how many files they still take; a filesystem without a size is not judged."""
    assert Room(1, free_gb * GB, total_gb * GB, inodes).level(LIMITS) == level


def test_room_of_a_folder_that_is_not_there_yet_is_that_of_its_disk(tmp_path) -> None:
    """The store is made when it is first written to."""
    assert room(tmp_path / "a" / "b").device == tmp_path.stat().st_dev
    assert room(tmp_path / "a").total_bytes > 0


def test_each_disk_is_looked_at_once(tmp_path) -> None:
    """By the names of all that it holds; a database elsewhere is not on it."""
    assert list(rooms(Settings.below(tmp_path))) == ["products, inbox, database"]
    server = Settings.below(tmp_path, database_url="postgresql://corral@db/corral")
    assert list(rooms(server)) == ["products, inbox"]


def test_twice_what_is_expected_must_be_free(tmp_path) -> None:
    """More than that is not asked for."""
    corral = Corral(Settings.below(tmp_path))
    free = room(tmp_path).free_bytes
    ensure_space(corral, free // 4)
    with pytest.raises(StorageTrouble, match="GB free"):
        ensure_space(corral, free)


class HugeBlob(Blob):
    nbytes = 10**18


class Hoard(Calibrate):
    """As Calibrate, with files that no disk holds."""

    def process(self, work: Frame, run):
        yield run.product("hoard", HugeBlob("x"), inputs={"science": work}, like=work)


def test_file_that_cannot_fit_is_not_begun(lab: Corral) -> None:
    """The unit fails as one that may succeed later, and not a byte is written."""
    add_frames(lab, "a")
    report = drain(lab, Hoard())
    assert [failure.failure_class for failure in report.failures] == [FailureClass.RETRY]
    assert files(lab) == {}
