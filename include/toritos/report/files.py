"""Where reports lie, and how one comes there whole."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from include.corral.settings import Settings
from include.toritos.report.facts import NightFacts


def reports_folder(settings: Settings) -> Path:
    """Give the folder of reports: ``reports`` beside the products, or ``CORRAL_REPORTS``."""
    own = settings.pipeline.get("reports")
    return Path(own).absolute() if own else settings.products.parent / "reports"


def write_page(path: Path, page: str) -> None:
    """Put a page at `path`, in place of the one that is there.

    If the process dies inside, the old page or the new one is there, whole.

    Parameters
    ----------
    path
        Its folder is made.
    page
        HTML.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        staged = Path(file.name)
        try:
            file.write(page)
            file.flush()
            os.fsync(file.fileno())
            # Reports are for people to see; a temporary file is for its owner alone.
            staged.chmod(0o644)
            staged.replace(path)
        except BaseException:
            staged.unlink(missing_ok=True)
            raise


def page_name(facts: NightFacts) -> str:
    """Give the file name of a page: that of the night, or of the first and the last."""
    return f"{facts.name.replace(' to ', '_to_')}.html"
