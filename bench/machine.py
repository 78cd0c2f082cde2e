"""Which machine measured, and with what."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path

PACKAGES = (
    "numpy numba scipy astropy sqlalchemy psycopg apache-airflow sep ccdproc astroscrappy photutils"
).split()


def describe() -> list[str]:
    """Processor, memory, disk, Python and versions, a line each."""
    folder = tempfile.gettempdir()
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return [
        f"Processor: {_cpu()}, {os.cpu_count()} cores; {memory_gb:.0f} GB of memory",
        f"Disk: {_file_system(folder)} at the folder of temporary files",
        f"System: {platform.system()} {platform.release()}, Python {platform.python_version()}",
        f"Versions: {versions}",
    ]


def _cpu() -> str:
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return found.group(1).strip() if found else platform.processor() or platform.machine()


def _file_system(folder: str) -> str:
    told = subprocess.run(  # noqa: S603
        ["df", "--output=fstype,size", "-BG", folder],  # noqa: S607
        check=False,
        capture_output=True,
        text=True,
    )
    lines = told.stdout.splitlines()
    return " of ".join(lines[-1].split()) if len(lines) > 1 else "unknown"
