from __future__ import annotations

from pathlib import Path

import pytest

from tools.check_docs import check


@pytest.fixture
def project(tmp_path) -> Path:
    """A project with one module and one test."""
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "night.py").touch()
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_night.py").write_text("def test_noon():\n    pass\n")
    return tmp_path


def _complaints(project: Path, text: str) -> list[str]:
    document = project / "ARCHITECTURE.md"
    document.write_text(text)
    return check(document, root=project)


@pytest.mark.parametrize(
    "named",
    [
        "`include/night.py`",
        "`include/`",
        "`include/*.py`",
        "`include/night.py:12`",
        "`tests/test_night.py::test_noon`",
        "[night](include/night.py#noon)",
    ],
)
def test_what_exists_passes(project, named):
    """Files, folders, globs, lines, tests and links."""
    assert _complaints(project, f"See\n{named}\n") == []


@pytest.mark.parametrize(
    "named",
    [
        "`include/day.py`",
        "`include/*.toml`",
        "`OPERATIONS.md`",
        "`tests/test_night.py::test_midnight`",
        "[day](include/day.py)",
    ],
)
def test_what_is_missing_is_named(project, named):
    """A renamed file or test is noticed in the documents."""
    (complaint,) = _complaints(project, f"See\n{named}\n")
    assert "which is not there" in complaint


@pytest.mark.parametrize(
    "named",
    [
        "`numpy/astropy`",
        "`include/<pipeline>/loader.py`",
        "`/opt/airflow`",
        "`make test`",
        "`and/or`",
        "`.venv/bin/python`",
        "[Airflow](https://airflow.apache.org/docs)",
        "```\ninclude/day.py\n`include/day.py`\n```",
    ],
)
def test_what_is_no_path_of_the_project_is_left_alone(project, named):
    """Prose, placeholders, commands and other people's paths."""
    assert _complaints(project, f"See\n{named}\n") == []
