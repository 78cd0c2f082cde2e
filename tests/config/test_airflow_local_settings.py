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


def test_numba_has_registered_what_it_knows_before_the_fork():
    """A fork's first kernel then has nothing to register."""
    code = (
        "import airflow_local_settings; from numba.core.registry import cpu_target;"
        "known = cpu_target.typing_context; before = len(known._functions);"
        "known.refresh(); print(before > 100, len(known._functions) == before)"
    )
    assert _run(code, "scheduler").stdout == "True True\n"


def test_a_numba_that_is_another_stops_nobody():
    """What is prepared here is none of its public names."""
    code = (
        "import numba.core.registry as it; del it.cpu_target; "
        "import airflow_local_settings; print('up')"
    )
    ended = _run(code, "scheduler")
    assert "numba not prepared" in ended.stderr
    assert ended.stdout == "up\n"
