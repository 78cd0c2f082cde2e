from __future__ import annotations

import re
import shlex

import pytest

from tools.airflow_env import ROOT

Instruction = tuple[str, str]


@pytest.fixture(scope="module")
def instructions() -> list[Instruction]:
    """The Dockerfile as (keyword, arguments), continued lines joined, comments gone."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines if line.strip()]


def _sources(instructions: list[Instruction]) -> list[str]:
    words = [shlex.split(arguments) for keyword, arguments in instructions if keyword == "COPY"]
    return [word for copy in words for word in copy[:-1] if not word.startswith("--")]


def test_everything_copied_exists(instructions):
    """A build does not fail at a COPY because a folder was renamed."""
    sources = _sources(instructions)
    assert {"dags", "include", "models", "plugins", "config", "requirements.txt"} <= set(sources)
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_the_build_context_holds_what_is_copied_and_no_secret(instructions):
    """.dockerignore lets in exactly the sources of COPY: no .git, no .env, no home of a demo."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == set(_sources(instructions))
    assert "**/.env" in rules


def test_the_image_ends_as_an_unprivileged_user(instructions):
    """No component runs as root."""
    users = [arguments for keyword, arguments in instructions if keyword == "USER"]
    assert users
    assert users[-1] not in {"root", "0"}


def test_the_project_is_on_the_module_path(instructions):
    """Airflow does not find models/ and include/ in the image by itself."""
    (environment,) = [arguments for keyword, arguments in instructions if keyword == "ENV"]
    variables = dict(word.split("=", 1) for word in shlex.split(environment))
    assert variables["PYTHONPATH"].split(":") == ["/opt/airflow", "/opt/airflow/plugins"]


def test_the_image_has_the_airflow_that_is_pinned(instructions):
    """An upgrade of requirements.txt alone would install a second Airflow over the image's."""
    (base,) = [arguments for keyword, arguments in instructions if keyword == "ARG"]
    pinned = re.search(r"^apache-airflow==(.+)$", (ROOT / "requirements.txt").read_text(), re.M)
    assert pinned is not None
    assert f":{pinned[1]}-python3" in base


def test_an_image_that_cannot_import_itself_is_not_built(instructions):
    """The import check names what is really there."""
    checks = [text for keyword, text in instructions if keyword == "RUN" and "import " in text]
    modules = re.findall(r"[\w.]+", checks[0].split("import ", 1)[1])
    folders = (ROOT, ROOT / "plugins")
    found = [
        (folder / name.replace(".", "/")).with_suffix(".py").exists()
        or (folder / name.replace(".", "/")).is_dir()
        for name in modules
        for folder in folders
    ]
    assert sum(found) == len(modules) >= 4
