"""A file is there whole, or not at all."""

from __future__ import annotations

import os

import pytest

from include.corral.whole_file import write_whole


def test_file_takes_the_place_of_the_one_before(tmp_path) -> None:
    """Others may read it; nothing else is left behind."""
    path = tmp_path / "reports" / "a.html"
    for content in (b"before", b"after"):
        write_whole(path, content)
    assert path.read_bytes() == b"after"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch) -> None:
    """A full disk, for example."""

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.html"
    write_whole(path, b"before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"after")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
