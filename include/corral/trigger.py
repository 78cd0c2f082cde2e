"""Who set a step off, and which process it runs in."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

SOFTWARE = ("corral-airflow", "sqlalchemy", "numpy", "astropy", "numba")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What asked for a step: a task of Airflow, or, with nothing given, a person or a program."""

    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int = -1
    try_number: int = 1


def process_key(pid: int) -> str | None:
    """Name a process of this machine so that no other, before or after, has the same name.

    A process id is used again; together with the boot and the moment of its start it is not.

    Parameters
    ----------
    pid
        Of any process here.

    Returns
    -------
    str or None
        None when there is no such process.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name of the program may hold spaces and parentheses: count from its end.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":  # a zombie holds no work
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    return f"{boot}-{pid}-{fields[19]}"


def this_process() -> dict[str, str | int]:
    """Host, process id and process key of the caller, as a StepRun keeps them."""
    pid = os.getpid()
    return {"host": platform.node(), "pid": pid, "process_key": process_key(pid) or ""}


@cache
def software_versions() -> dict[str, str]:
    """Versions of what decides the numbers; read once, as reading them costs milliseconds."""
    found = {"python": platform.python_version()}
    for package in SOFTWARE:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
