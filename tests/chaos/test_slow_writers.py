"""F12: files that come slowly are not loaded before they are whole."""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from include.corral.corral import Corral
from include.toritos.instrument import SHIPPED
from tests.chaos.camera import empty_site, faults, frame_bytes, frames, load, refused
from tests.chaos.database_lab import differing
from tests.chaos.slow_writers import PATTERNS, SHAPED, Pattern, Pen

FILES = int(os.environ.get("CORRAL_CHAOS_SLOW_FILES", "112"))
STILL_S = 1.0
WRITERS = 14
MARKER = ".done"

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]


@dataclass(frozen=True)
class Exposure:
    """A file that is to come: what it will hold, what was there before, and how it is written."""

    name: str
    content: bytes
    old: bytes
    pattern: Pattern
    pen: Pen

    def write(self, inbox: Path, *, marked: bool) -> None:
        """Write it, and say that it is done where the camera says so."""
        self.pattern(self.pen, inbox / self.name, self.old, self.content)
        if marked:
            (inbox / f"{self.name}{MARKER}").touch()

    @property
    def whole(self) -> set[str]:
        """Hashes of what was whole at any time."""
        kept = [self.content, self.old] if self.old else [self.content]
        return {hashlib.sha256(content).hexdigest() for content in kept}


def _exposures(dice: Random, *, marked: bool) -> list[Exposure]:
    """Every pattern equally often; without a marker, no long pause where no look could tell."""
    made = []
    for number in range(FILES):
        pattern = PATTERNS[number % len(PATTERNS)]
        pause_s = 0.3 if marked or pattern not in SHAPED else STILL_S / 5
        has_old = pattern.__name__ in {"in_place", "cut_and_rewritten"}
        made.append(
            Exposure(
                name=f"{number:03}-{pattern.__name__}.fits",
                content=frame_bytes(number, size=64),
                old=frame_bytes(1000 + number, size=64) if has_old else b"",
                pattern=pattern,
                pen=Pen(Random(dice.random()), pause_s),
            )
        )
    return made


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    """A folder with a profile of a camera that says when a file is complete."""
    text = (SHIPPED / "toritos.toml").read_text()
    (tmp_path / "marking.toml").write_text(f'{text}\n[arrival]\nmarker = "{MARKER}"\n')
    return tmp_path


@pytest.mark.parametrize("marked", [False, True], ids=["stillness", "marker"])
def test_no_file_is_loaded_before_it_is_whole(
    sqlite_template, profiles, ledger, dice, marked: bool
) -> None:
    """Seven patterns, random pauses, and a loader that looks all the time."""
    options = {"still_s": "0" if marked else str(STILL_S)}
    if marked:
        options |= {"profile": "marking", "profiles": str(profiles)}
    exposures = _exposures(dice, marked=marked)
    with empty_site(sqlite_template, **options) as corral:
        loads = _load_while_written(corral, exposures, marked=marked)
        began = time.monotonic()
        load(corral)
        early = _loaded_early(corral, exposures, marked=marked)
        used = {frame.path: frame.sha256 for frame in frames(corral) if frame.accepted}
        wanted = {each.name: hashlib.sha256(each.content).hexdigest() for each in exposures}
        broken = faults(corral) + differing(wanted.items(), used.items())
        kind = "marker" if marked else "stillness"
        violations = len(broken) + len(early)
        ledger.add(f"F12 slow writer ({kind})", FILES, violations, time.monotonic() - began)
        assert loads > 5
        assert early == []
        assert broken == []
        assert refused(corral) == {}


def _load_while_written(corral: Corral, exposures: list[Exposure], *, marked: bool) -> int:
    """Give how many loads there were until all was written."""
    inbox = corral.settings.inbox
    loads = 0
    with ThreadPoolExecutor(WRITERS) as pool:
        writing = [pool.submit(each.write, inbox, marked=marked) for each in exposures]
        while not all(one.done() for one in writing):
            load(corral)
            loads += 1
        for one in writing:
            one.result()
    return loads


def _loaded_early(corral: Corral, exposures: list[Exposure], *, marked: bool) -> list[str]:
    """Frames that hold what was never whole.

    A pause that the machine made longer than two looks lie apart is nobody's fault.
    """
    whole = set[str]().union(*(each.whole for each in exposures))
    stalled = {each.name for each in exposures if not marked and each.pen.longest_s > STILL_S / 2}
    return [
        frame.path
        for frame in frames(corral)
        if frame.sha256 not in whole and frame.path not in stalled
    ]
