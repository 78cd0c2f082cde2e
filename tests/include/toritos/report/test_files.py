"""Where reports lie."""

from __future__ import annotations

from datetime import date

from include.corral.settings import Settings
from include.toritos.report.files import page_name, reports_folder


def test_reports_lie_beside_the_products_or_where_the_site_wants_them(tmp_path, bare_facts) -> None:
    """By the date of the night, or of both ends."""
    assert reports_folder(Settings.below(tmp_path)) == tmp_path / "reports"
    own = Settings.below(tmp_path, pipeline={"reports": str(tmp_path / "www")})
    assert reports_folder(own) == tmp_path / "www"
    assert page_name(bare_facts()) == "2026-11-20.html"
    assert page_name(bare_facts(last=date(2026, 11, 22))) == "2026-11-20_to_2026-11-22.html"
