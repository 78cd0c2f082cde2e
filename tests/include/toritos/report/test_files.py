"""A report is there whole, or not at all."""

from __future__ import annotations

import os
from datetime import date

import pytest

from include.corral.settings import Settings
from include.toritos.report.files import page_name, reports_folder, write_page


def test_page_takes_the_place_of_the_one_before(tmp_path) -> None:
    """Others may read it; nothing else is left behind."""
    path = tmp_path / "reports" / "2026-11-20.html"
    for text in ("before", "é after"):
        write_page(path, text)
    assert path.read_text(encoding="utf-8") == "é after"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_page_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch) -> None:
    """A full disk, for example."""

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.html"
    write_page(path, "before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_page(path, "after")
    assert path.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_reports_lie_beside_the_products_or_where_the_site_wants_them(tmp_path, bare_facts) -> None:
    """By the date of the night, or of both ends."""
    assert reports_folder(Settings.below(tmp_path)) == tmp_path / "reports"
    own = Settings.below(tmp_path, pipeline={"reports": str(tmp_path / "www")})
    assert reports_folder(own) == tmp_path / "www"
    assert page_name(bare_facts()) == "2026-11-20.html"
    assert page_name(bare_facts(last=date(2026, 11, 22))) == "2026-11-20_to_2026-11-22.html"
