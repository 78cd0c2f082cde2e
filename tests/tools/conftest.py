"""One running Airflow for all tests of the tools, on DAGs of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tools.processes import marked
from tools.stack import Stack


@pytest.fixture(scope="session")
def probe_settings(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Settings that make an Airflow see the probes only: no plugin, no DAG of the project."""
    return {
        "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parent / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(tmp_path_factory.mktemp("plugins")),
        "AIRFLOW__CORE__PARALLELISM": "2",
    }


@pytest.fixture(scope="session")
def probe_stack(
    tmp_path_factory: pytest.TempPathFactory, probe_settings: Mapping[str, str]
) -> Iterator[Stack]:
    """A healthy stack (about 25 s to start); when it ends none of its processes is left."""
    home = tmp_path_factory.mktemp("a home with spaces")
    with Stack(home, extra=probe_settings) as stack:
        yield stack
    assert marked(home) == []
