"""The catalogue comes in through the loader: each file is accounted for and harms no other."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from include.corral.corral import Corral
from include.corral.drain import drain
from include.toritos.account import account
from include.toritos.loader import FitsInbox
from models.frame import Frame, Rejection, Sighting
from tests.bad_fits.case import ARRIVED_AT, Case
from tests.bad_fits.catalogue import CASES
from tests.bad_fits.frames import PROFILES, frame, header, pad, random, scene, store

# What happens while a file is read cannot be arranged here, and a folder is looked into.
LOADED = {
    case.id: case
    for case in CASES
    if case.profile == "plain" and case.during is None and case.name != "folder"
}


@pytest.fixture
def observatory(corral: Corral, monkeypatch: pytest.MonkeyPatch) -> Iterator[Corral]:
    """An installation that reads the camera of the catalogue, on the day of its frames."""
    options = {"profile": "plain", "profiles": str(PROFILES), "still_s": "0"}
    installation = Corral(replace(corral.settings, pipeline=options))
    real, since = Corral.now, datetime.now(UTC) - ARRIVED_AT
    monkeypatch.setattr(Corral, "now", lambda self: real(self) - since)
    yield installation
    installation.close()


def put(inbox: Path, name: str | bytes, content: bytes) -> Path:
    """A file comes to lie in the inbox."""
    path = inbox / os.fsdecode(name)
    path.write_bytes(content)
    return path


def found(corral: Corral) -> Mapping[str, tuple[str, str]]:
    """(verdict, flags or code) of every path there is a row of; one row each."""
    told: dict[str, tuple[str, str]] = {}
    with corral.read() as session:
        for sighting in session.scalars(select(Sighting)):
            flags = " ".join(sighting.frame.flags)
            assert sighting.path not in told
            told[sighting.path] = ("FLAG" if flags else "OK", flags)
        for row in session.scalars(select(Rejection)):
            assert row.path not in told
            told[row.path] = (row.verdict, row.reason)
    return told


def all_rows(corral: Corral, model: Any) -> list[Any]:
    """Rows of a table."""
    with corral.read() as session:
        return list(session.scalars(select(model)))


def in_folder(case: Case, inbox: Path, seed: int) -> str:
    """Make the file of a case in a folder of its own, and give its path in the inbox."""
    folder = inbox / f"{seed:03d}"
    folder.mkdir()
    return case.write(folder, seed).relative_to(inbox).as_posix()


def test_every_file_of_the_catalogue_is_a_frame_or_a_rejection(observatory: Corral) -> None:
    """One row each, of the right kind; a second load finds nothing to do; nothing is changed."""
    inbox = observatory.settings.inbox
    paths = {in_folder(case, inbox, seed): case for seed, case in enumerate(LOADED.values())}
    states = {path: state_of(inbox / path) for path in paths}

    report = drain(observatory, FitsInbox())

    assert (report.failed, report.failures) == (0, [])
    expected = {path: (case.verdict, case.why) for path, case in paths.items()}
    assert found(observatory) == expected
    assert len(expected) > 200
    total = account_of(observatory)
    assert (total.seen, total.difference) == (len(paths), 0)
    assert drain(observatory, FitsInbox()).done == 0
    assert {path: state_of(inbox / path) for path in paths} == states


def state_of(path: Path) -> tuple[int, ...]:
    """What would change if somebody wrote to a file, or gave it another mode or name."""
    state = path.lstat()
    return state.st_ino, state.st_mode, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def account_of(corral: Corral) -> Any:
    """The sum of the account of the inbox."""
    with corral.read() as session:
        return account(session)[-1]


def test_good_frames_among_bad_files_are_loaded_all(observatory: Corral) -> None:
    """In one folder, before and behind everything that is wrong."""
    inbox = observatory.settings.inbox
    for seed, case in enumerate(LOADED.values()):
        if case.verdict in {"WAIT", "QUARANTINE"} and case.place is None:
            put(inbox, f"{seed:03d}b.fits", case.make(random(seed)))
            put(inbox, f"{seed:03d}a.fits", frame(random(1000 + seed)))
            put(inbox, f"{seed:03d}c.fits", frame(random(2000 + seed)))

    assert drain(observatory, FitsInbox()).failed == 0

    loaded = {row.path for row in all_rows(observatory, Frame)}
    good = {path.name for path in inbox.iterdir() if path.stem[-1] in "ac"}
    assert len(good) > 200
    assert good <= loaded


def test_the_same_content_under_two_names_is_one_frame(observatory: Corral) -> None:
    """Row 82: two sightings, also when one is a hard link."""
    inbox = observatory.settings.inbox
    put(inbox, "a.fits", frame(random(1)))
    put(inbox, "b.fits", frame(random(1)))
    (inbox / "c.fits").hardlink_to(inbox / "a.fits")
    drain(observatory, FitsInbox())

    assert len(all_rows(observatory, Frame)) == 1
    assert [row.path for row in all_rows(observatory, Sighting)] == ["a.fits", "b.fits", "c.fits"]


def test_the_same_pixels_under_two_headers_are_two_frames_linked(observatory: Corral) -> None:
    """Row 83: one of them is used."""
    pixels = scene(random(1))
    for name, text in (("a.fits", "'M83     '"), ("b.fits", "'M84     '")):
        content = header({"OBJECT": text}) + pad(store(pixels))
        put(observatory.settings.inbox, name, content)
        drain(observatory, FitsInbox())

    first, second = all_rows(observatory, Frame)
    assert first.pixel_sha256 == second.pixel_sha256
    assert {first.same_pixels_as_id, second.same_pixels_as_id} & {first.id, second.id}
    assert [first.accepted, second.accepted].count(True) == 1


def test_new_content_under_an_old_name_takes_its_place(observatory: Corral) -> None:
    """Row 84: a bad file becomes a frame, a frame becomes another."""
    inbox = observatory.settings.inbox
    paths = []
    for content in (b"<html>", frame(random(1)), frame(random(2))):
        put(inbox, "new.fits", content).replace(inbox / "a.fits")
        drain(observatory, FitsInbox())
        standing = [row.reason for row in all_rows(observatory, Rejection) if not row.resolved_at]
        current = [row for row in all_rows(observatory, Sighting) if row.current]
        paths.append((standing, len(current)))

    assert paths == [(["not_fits"], 0), ([], 1), ([], 1)]
    first, second = sorted(all_rows(observatory, Frame), key=lambda row: row.id)
    assert (first.accepted, second.accepted) == (False, True)
