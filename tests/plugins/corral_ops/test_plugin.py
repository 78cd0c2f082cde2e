from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from corral_ops.provider_info import get_provider_info
from tests.plugins.conftest import ROOT

HEAVY = ("numpy", "astropy", "numba", "scipy", "fastapi", "pandas", "aiosmtplib")


def test_airflow_finds_the_plugin_and_nothing_else_in_its_folder():
    """It would run any other file there as a module named by its stem, over the real one."""
    from airflow.plugins_manager import get_import_errors, get_plugin_info

    assert get_import_errors() == {}
    (info,) = [info for info in get_plugin_info() if info["name"] == "corral_ops"]
    assert info["timetables"] == ["corral_ops.timetable.NightTimetable"]
    assert sys.modules["models"].__file__ == str(ROOT / "models" / "__init__.py")
    assert not {"operators", "hook", "retry", "links"} & sys.modules.keys()


def test_the_plugin_brings_in_nothing_heavy():
    """Every process of Airflow loads it, the command line too."""
    program = (
        "import airflow, sys; before = set(sys.modules); import corral_ops.plugin;"
        "print(*(set(sys.modules) - before))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}", "AIRFLOW_HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert "corral_ops.timetable" in loaded
    assert [name for name in loaded if name.partition(".")[0] in HEAVY] == []


def test_the_provider_describes_its_connection_as_airflow_wants_it():
    """What does not fit the schema is dropped without a word in the UI."""
    import airflow

    schema = Path(airflow.__path__[0]) / "provider_info.schema.json"
    jsonschema.validate(get_provider_info(), json.loads(schema.read_text()))


@pytest.mark.parametrize("of", ["hook-class-name", "connection-type"])
def test_the_provider_names_the_hook(of):
    """The class and the type of connection that it opens."""
    from corral_ops.hook import CorralHook

    (kind,) = get_provider_info()["connection-types"]
    expected = {
        "hook-class-name": f"{CorralHook.__module__}.{CorralHook.__name__}",
        "connection-type": CorralHook.conn_type,
    }
    assert kind[of] == expected[of]
