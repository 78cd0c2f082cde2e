"""Real frames, loaded with the profile of their camera and taken through the steps."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.settings import Settings
from include.toritos.instrument import SHIPPED
from include.toritos.pipeline import TORITOS

Reduce = Callable[..., Corral]


@pytest.fixture
def reduce(real_data: Path, tmp_path: Path) -> Iterator[Reduce]:
    """Load real frames with a profile, and run the steps up to the named one."""
    made: list[Corral] = []

    def reduced(folder: str, profile: str, *, last: str, extra: str = "", every: int = 1) -> Corral:
        own = tmp_path / "profiles"
        own.mkdir()
        text = (SHIPPED / f"{profile}.toml").read_text(encoding="utf-8")
        (own / f"{profile}.toml").write_text(text + extra, encoding="utf-8")
        options = {"profile": profile, "profiles": str(own)}
        corral = Corral(Settings.below(tmp_path / profile, pipeline=options))
        made.append(corral)
        corral.settings.inbox.mkdir(parents=True)
        for path in sorted((real_data / folder).iterdir())[::every]:
            shutil.copy(path, corral.settings.inbox)
        drain(corral, TORITOS.loader()).raise_for_policy("fail")
        names = [step.name for step in TORITOS.steps]
        for step in TORITOS.steps[: names.index(last) + 1]:
            drain(corral, step(), partition=None).raise_for_policy("fail")
        return corral

    yield reduced
    for corral in made:
        corral.close()
