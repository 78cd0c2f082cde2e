from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from include.ccd.errors import BadFits
from tests.bad_fits.case import Case
from tests.bad_fits.catalogue import CASES, look, verdict

SEEDS = int(os.environ.get("CORRAL_BAD_FITS_SEEDS", "2"))
# rows of the catalogue that are about two files, not one: the loader's tests have them
ABOUT_TWO = {82, 83, 84}
NUMBERS = {
    *range(1, 9), 10, 11, 12, 13, 15, 16, 17, 18, 20, 21, 22, 24, 25, 27, 28, 29, 30,
    *range(31, 40), 42, 43, 44, 47, 48, 49, 50, 51, 52, 53, *range(55, 64), 65,
    67, 68, 70, 71, 72, 73, 75, 77, 78, 79, 80, 85, 86,
}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_every_bad_file_ends_in_its_verdict(case: Case, tmp_path: Path) -> None:
    """OK, FLAG, WAIT or QUARANTINE, for its own reason, and with the right values."""
    for seed in range(SEEDS):
        folder = tmp_path / str(seed)
        folder.mkdir()
        path = case.write(folder, seed)

        assert verdict(case, path) == (case.verdict, case.why)
        if case.values:
            header = look(case, path).header
            assert {name: getattr(header, name) for name in case.values} == case.values


def test_every_row_of_the_catalogue_has_a_case() -> None:
    """More than three per row, no two of one name."""
    assert {case.number for case in CASES} - {0} == NUMBERS
    assert not ABOUT_TWO & NUMBERS
    assert len(CASES) == len({case.id for case in CASES}) > 200


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.number in {18, 70, 29}], ids=lambda case: case.id
)
def test_a_bomb_takes_no_memory_here(case: Case, tmp_path: Path) -> None:
    """What it announces is never allocated; what it unpacks to, never in this process."""
    path = case.write(tmp_path, 1)
    tracemalloc.start()
    try:
        verdict(case, path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 12 << 20


def test_a_file_is_read_only(tmp_path: Path) -> None:
    """Content, time and mode of every file are what they were, whatever the verdict."""
    for index, case in enumerate(CASES):
        if case.place is not None or case.during is not None:
            continue
        folder = tmp_path / str(index)
        folder.mkdir()
        path = case.write(folder, 1)
        path.chmod(0o444)
        before = _state(path)
        verdict(case, path)
        assert _state(path) == before
        assert [each.name for each in folder.iterdir()] == [path.name]


def _state(path: Path) -> tuple[Any, ...]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_mode, found.st_ctime_ns


def test_the_evidence_is_fit_to_be_shown(tmp_path: Path) -> None:
    """Printable, short, and it can be stored in any database."""
    errors = []
    for index, case in enumerate(CASES):
        folder = tmp_path / str(index)
        folder.mkdir()
        path = case.write(folder, int(np.random.default_rng(index).integers(100)))
        try:
            look(case, path)
        except BadFits as error:
            errors.append(error)

    assert len(errors) > 100
    assert [error for error in errors if not error.message.isprintable()] == []
    assert max(len(error.message.encode()) for error in errors) < 500
    assert all(error.code.isidentifier() for error in errors)
