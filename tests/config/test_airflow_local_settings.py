from __future__ import annotations

import subprocess
import sys

import pytest

from tools.airflow_env import ROOT

REPORT = (
    "import airflow_local_settings, sys; print({'numpy', 'numba', 'sep'} <= sys.modules.keys())"
)


def _run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT / "config",
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.parametrize(
    ("component", "loaded"), [("scheduler", True), ("api-server", False), ("triggerer", False)]
)
def test_only_the_scheduler_loads_the_science_libraries(component, loaded):
    """Its forks are the tasks; every other component would only grow by 70 MB."""
    assert _run(REPORT, component).stdout == f"{loaded}\n"


def test_a_library_that_is_not_there_stops_nobody():
    """A scheduler without the science stack (tasks run elsewhere) starts, and says so."""
    code = "import sys; sys.modules['sep'] = None; import airflow_local_settings"
    assert "not preloaded: sep" in _run(code, "scheduler").stderr


def test_no_name_leaks_into_airflows_settings():
    """Airflow copies the public names of this module over its own."""
    assert (
        _run("from airflow_local_settings import *; print('sys' in globals())").stdout == "False\n"
    )
