"""The parts of the benchmark, each a module with a function `run`."""

from __future__ import annotations

import importlib
import os
from datetime import UTC, datetime

from bench.table import Report

# Names of parts, and the modules whose `run` measures them.
PARTS = {
    "combine": "combining",
    "calibrate": "calibrating",
    "cosmic": "cosmic_rays",
    "whole": "whole_frame",
    "difference": "differencing",
    "coadd": "coadding",
    "large": "large_frames",
    "read": "reading",
    "loading": "loading",
    "queue": "queue_and_units",
    "original": "original_corral",
    "airflow": "airflow_night",
}


def measure(name: str, *, quick: bool) -> Report:
    """Measure a part in the calling process."""
    load = os.getloadavg()[0]
    report: Report = importlib.import_module(f"bench.{PARTS[name]}").run(quick=quick)
    report.measured_at = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    report.load = load
    return report
