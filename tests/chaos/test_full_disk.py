"""The disk is really full, of bytes, of files, of what one file may hold; then it is not."""

from __future__ import annotations

import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from include.toritos.loader import FitsInbox
from include.toritos.steps import MasterBias, ReduceScience
from tests.chaos.child import TOLD, Child
from tests.chaos.homes import Home
from tests.chaos.night import recover
from tests.chaos.trials import Trials, have_no_patience

pytestmark = pytest.mark.chaos
KINDS = (FitsInbox, MasterBias, ReduceScience)
FAULT = "F7 disk full, for bytes, files and one file"


@contextmanager
def small_disk(place: Path, options: str) -> Iterator[None]:
    """Mount a disk of little size; skip where that is not allowed."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("disks may not be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


def enlarge(place: Path) -> None:
    """Let the disk have room again."""
    options = "remount,size=64m,nr_inodes=4096"
    subprocess.run(["mount", "-o", options, str(place)], check=True)


def try_to_work(trials: Trials, home: Home, what: str) -> None:
    """Trigger where there is no room: it may fail, by an error that says to try again."""

    def work() -> None:
        have_no_patience()
        trials.work(home)

    said = trials.home.place / "said.txt"
    code = Child(work, said=said).end()
    trials.injected += 1
    if code not in {0, TOLD}:
        trials.violations.append(f"{what}: ended with {code}: {said.read_text()}")


@pytest.mark.parametrize(
    "options", ["size=4k", "size=64k", "size=128k", "nr_inodes=2", "nr_inodes=5"]
)
@pytest.mark.parametrize("kind", [MasterBias, ReduceScience], ids=lambda kind: kind.name)
def test_store_on_a_full_disk(prepared_sqlite, ledger, tmp_path, kind, options) -> None:
    """Nothing half written can be seen; when there is room, the work is done."""
    trials = Trials(FAULT, prepared_sqlite[kind], [kind])
    copy = trials.home.copy()
    place = tmp_path / "disk"
    with small_disk(place, options):
        home = Home(copy.place, replace(copy.settings, products=place / "products"))
        enlarge(place)
        subprocess.run(["cp", "-a", f"{copy.settings.products}/.", place / "products"], check=False)
        _shrink(place, options)
        try_to_work(trials, home, options)
        enlarge(place)
        trials.take(options, recover(home, trials.wanted, trials.kinds))
    copy.remove()
    trials.close(ledger)


def _shrink(place: Path, options: str) -> None:
    """Leave as much room as is said, beyond what is there."""
    used = subprocess.run(
        ["df", "--output=used,iused", "-k", place], check=True, capture_output=True, text=True
    )
    kilobytes, files = map(int, used.stdout.split()[-2:])
    what, _, number = options.partition("=")
    more = int(number.rstrip("k"))
    kilobytes = max(4, kilobytes + more)  # none at all would mean: no limit
    limit = f"size={kilobytes}k" if what == "size" else f"nr_inodes={files + more}"
    subprocess.run(["mount", "-o", f"remount,{limit}", str(place)], check=True)


@pytest.mark.parametrize("room_k", [0, 16, 64, 200])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_database_on_a_full_disk(prepared_sqlite, ledger, tmp_path, kind, room_k) -> None:
    """What was committed stands; when there is room, the work is done."""
    trials = Trials(FAULT, prepared_sqlite[kind], [kind])
    copy = trials.home.copy()
    place = tmp_path / "disk"
    with small_disk(place, "size=64m"):
        for file in copy.place.glob("corral.db*"):  # none where nothing was loaded yet
            shutil.copy(file, place)
        _shrink(place, f"size={room_k}k")
        url = f"sqlite:///{place / 'corral.db'}"
        home = Home(copy.place, replace(copy.settings, database_url=url))
        try_to_work(trials, home, f"{room_k} k")
        enlarge(place)
        trials.take(f"{room_k} k", recover(home, trials.wanted, trials.kinds))
    copy.remove()
    trials.close(ledger)


@pytest.mark.parametrize("limit_k", [1, 16, 40, 100, 400])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_no_file_may_grow(prepared_sqlite, ledger, kind, limit_k) -> None:
    """As a quota does, and older filesystems: what is written beyond the limit is refused."""
    trials = Trials(FAULT, prepared_sqlite[kind], [kind])

    def work(home: Home) -> None:
        have_no_patience()
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_k << 10, limit_k << 10))
        trials.work(home)

    trials.one(f"{limit_k} k", inside=work, may_raise=True)
    trials.injected = 1
    trials.close(ledger)
