"""Where reports lie."""

from __future__ import annotations

from pathlib import Path

from include.corral.settings import Settings
from include.toritos.report.facts import NightFacts


def reports_folder(settings: Settings) -> Path:
    """Give the folder of reports: ``reports`` beside the products, or ``CORRAL_REPORTS``."""
    own = settings.pipeline.get("reports")
    return Path(own).absolute() if own else settings.products.parent / "reports"


def page_name(facts: NightFacts) -> str:
    """Give the file name of a page: that of the night, or of the first and the last."""
    return f"{facts.name.replace(' to ', '_to_')}.html"
