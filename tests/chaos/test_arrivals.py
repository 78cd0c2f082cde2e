"""F10, F11, F13, F16: files come twice, in any order, by wrong clocks, and in every odd shape."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from include.corral.corral import Corral
from include.toritos.simulator import NightPlan, simulate_night
from tests.chaos.camera import (
    MTIME,
    WAYS,
    empty_site,
    faults,
    frame_bytes,
    frames,
    load,
    made,
    reduce,
    refused,
)
from tests.chaos.database_lab import differing

ORDERS = int(os.environ.get("CORRAL_CHAOS_ORDERS", "20"))
DELIVERIES = int(os.environ.get("CORRAL_CHAOS_DELIVERIES", "100"))
ROOT = Path(__file__).resolve().parents[2]
NIGHT = "2026-11-20"
CORRAL = "from include.toritos.pipeline import main; raise SystemExit(main())"

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]

deliveries = st.lists(
    st.tuples(
        st.integers(0, 2),  # which exposure
        st.sampled_from(WAYS),
        st.booleans(),  # load after it
    ),
    min_size=1,
    max_size=10,
)


def test_exposure_that_comes_again_is_used_once(sqlite_template, ledger, dice) -> None:
    """F10: in any of seven ways, up to ten times, with loads at any moment."""
    times, broken = Counter[str](), list[str]()

    @seed(dice.randrange(2**32))
    @settings(
        max_examples=DELIVERIES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(deliveries)
    def run(ways) -> None:
        with empty_site(sqlite_template) as corral:
            inbox = corral.settings.inbox
            for number in range(3):
                (inbox / f"{number}.fits").write_bytes(frame_bytes(number))
            for number, (which, way, is_loaded) in enumerate(ways):
                way(inbox, inbox / f"{which}.fits", f"again{number}.fits", number)
                times[way.__name__] += 1
                if is_loaded:
                    load(corral)
            load(corral)
            broken.extend(faults(corral))
            assert broken == []
            assert sum(frame.accepted for frame in frames(corral)) == 3
            links = sum(way.__name__ == "linked" for _, way, _ in ways)
            assert len(refused(corral)) == links
            assert load(corral) == 0

    try:
        run()
    finally:
        for name, number in times.items():
            ledger.add(f"F10 frame again: {name}", number, len(broken), 0.0)


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a whole small night."""
    folder = tmp_path_factory.mktemp("camera") / NIGHT
    plan = NightPlan(
        night=date.fromisoformat(NIGHT),
        size_px=64,
        biases=4,
        darks={60.0: 3},
        flats={"V": 3, "R": 3},
        science={"V": 3, "R": 3},
    )
    simulate_night(plan, folder)
    return folder


@pytest.fixture(scope="module")
def calm(camera, sqlite_template) -> set[tuple[str, str]]:
    """What is made of the night when all of it comes at once."""
    with empty_site(sqlite_template) as corral:
        shutil.copytree(camera, corral.settings.inbox / NIGHT)
        reduce(corral)
        return made(corral)


def test_order_of_arrival_leaves_no_trace(camera, calm, sqlite_template, ledger, dice) -> None:
    """F11: any order, in up to five parts, each killed once or not: the same files in the end."""
    files = sorted(camera.iterdir())
    broken, longest = list[str](), 0.0
    for number in range(ORDERS):
        with empty_site(sqlite_template) as corral:
            for part in _parts(_shuffled(files, number, dice), dice):
                for file in part:
                    _bring(file, corral.settings.inbox / NIGHT / file.name)
                if dice.random() < 0.5:
                    _reduce_and_die(corral, after_s=dice.uniform(0, 1.5))
                else:
                    reduce(corral)
            began = time.monotonic()
            reduce(corral)
            longest = max(longest, time.monotonic() - began)
            broken += faults(corral) + differing(calm, made(corral))
    ledger.add("F11 order of arrival, with kills", ORDERS, len(broken), longest)
    assert broken == []


def _shuffled(files: list[Path], number: int, dice: Random) -> list[Path]:
    """Any order; the first has its calibrations last, the second backwards."""
    if number == 0:
        return sorted(files, key=lambda file: not file.name.startswith("field"))
    return files[::-1] if number == 1 else dice.sample(files, len(files))


def _parts(files: list[Path], dice: Random) -> list[list[Path]]:
    cuts = sorted(dice.sample(range(1, len(files)), dice.randint(1, 4)))
    ends = [0, *cuts, len(files)]
    return [files[first:last] for first, last in pairwise(ends)]


def _bring(file: Path, place: Path) -> None:
    place.parent.mkdir(exist_ok=True)
    shutil.copy(file, place)


def _reduce_and_die(corral: Corral, *, after_s: float) -> None:
    """A process of its own works on the night, and is killed in the middle."""
    corral.close()
    pid = os.fork()
    if pid == 0:
        try:
            reduce(Corral(corral.settings))
        finally:
            os._exit(0)
    time.sleep(after_s)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


CLOCKS = {
    # Start of exposure by the camera, years by which the server is ahead, what becomes of it.
    "summer time begins": ("2026-09-06T04:00:00", 0, "2026-09-05"),
    "summer time ends": ("2026-04-05T03:30:00", 0, "2026-04-04"),
    "just before noon": ("2026-11-21T16:29:18", 0, "2026-11-20"),
    "just after noon": ("2026-11-21T16:29:20", 0, "2026-11-21"),
    "leap second": ("2016-12-31T23:59:60", 0, "2016-12-31"),
    "turn of the year": ("2026-01-01T02:00:00", 0, "2025-12-31"),
    "a battery that died": ("1980-01-01T00:00:00", 0, "too_early"),
    "one day behind": ("2026-11-19T23:00:00", 0, "2026-11-19"),
    "twenty years ahead": ("2046-11-20T23:00:00", 0, "too_late"),
    "end of 32 bits": ("2038-01-19T03:14:08", 14, "2038-01-18"),
    "end of 32 bits without sign": ("2106-02-07T06:28:16", 90, "2106-02-06"),
}


@pytest.mark.parametrize("name", CLOCKS)
def test_clock_of_the_camera(sqlite_template, ledger, monkeypatch, name) -> None:
    """F13: the night is that of the header, if it can be; a clock that is wrong is a reason."""
    at, ahead_years, becomes = CLOCKS[name]
    _set_clock(monkeypatch, timedelta(days=366 * ahead_years))
    with empty_site(sqlite_template) as corral:
        (corral.settings.inbox / "a.fits").write_bytes(frame_bytes(1, at=at))
        load(corral)
        found = [frame.partition_key for frame in frames(corral)]
        found += [reason for _, reason in refused(corral).values()]
        broken = faults(corral)
        ledger.add("F13 clock of the camera", 1, len(broken), 0.0)
        assert broken == []
        assert found == [becomes]
        assert load(corral) == 0


@pytest.mark.parametrize("hours", [1, -1, 24, -24, 24 * 3653, -24 * 3653])
def test_clock_of_the_database_jumps_between_two_loads(
    sqlite_template, ledger, monkeypatch, hours
) -> None:
    """F13: forwards or backwards: what is known stays known, and what is new comes in."""
    with empty_site(sqlite_template) as corral:
        inbox = corral.settings.inbox
        (inbox / "a.fits").write_bytes(frame_bytes(1, at="2016-01-01T03:00:00"))
        (inbox / "half.fits").write_bytes(frame_bytes(2)[:4000])
        load(corral)
        _set_clock(monkeypatch, timedelta(hours=hours))
        (inbox / "b.fits").write_bytes(frame_bytes(3, at="2016-01-01T04:00:00"))
        load(corral)
        broken = faults(corral)
        ledger.add("F13 clock of the database", 1, len(broken), 0.0)
        assert broken == []
        assert sorted(frame.path for frame in frames(corral)) == ["a.fits", "b.fits"]
        assert [*refused(corral)] == ["half.fits"]


def _set_clock(monkeypatch: pytest.MonkeyPatch, ahead: timedelta) -> None:
    real = Corral.now
    monkeypatch.setattr(Corral, "now", lambda corral: real(corral) + ahead)


@pytest.mark.parametrize("skew_s", [300, -300, 10**9, -(10**9), -(2 * 10**9), 2**32])
def test_clock_of_the_file_server_says_nothing(sqlite_template, ledger, skew_s) -> None:
    """F13: times of files are compared with themselves alone, before 1970 and after 2106 too."""
    with empty_site(sqlite_template) as corral:
        file = corral.settings.inbox / "a.fits"
        file.write_bytes(frame_bytes(1))
        os.utime(file, (MTIME + skew_s, MTIME + skew_s))
        assert load(corral) == 1
        assert load(corral) == 0
        file.write_bytes(frame_bytes(2))
        os.utime(file, (MTIME + skew_s + 7, MTIME + skew_s + 7))
        load(corral)
        broken = faults(corral)
        ledger.add("F13 clock of the file server", 1, len(broken), 0.0)
        assert broken == []
        assert [frame.set_aside for frame in frames(corral)] == ["superseded", None]


@pytest.mark.parametrize("granularity_s", [1, 2])
def test_file_rewritten_within_a_tick_of_its_clock_is_seen(
    sqlite_template, ledger, granularity_s
) -> None:
    """F13: equal size, equal time, other pixels: the next load looks twice."""
    with empty_site(sqlite_template) as corral:
        file = corral.settings.inbox / "a.fits"
        tick = (int(time.time()) - 5) // granularity_s * granularity_s
        for pixels in (1, 2):
            with file.open("r+b" if file.exists() else "wb") as stream:
                stream.write(frame_bytes(pixels))
            os.utime(file, (tick, tick))
            load(corral)
        assert load(corral) == 0
        broken = faults(corral)
        ledger.add("F13 coarse time of files", 1, len(broken), 0.0)
        assert broken == []
        assert [frame.set_aside for frame in frames(corral)] == ["superseded", None]


def _by_nobody_special(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `corral` without the power of root to pass over permissions."""
    command = [sys.executable, "-c", CORRAL, *words]
    if os.getuid() == 0:
        powers = "-dac_override,-dac_read_search"
        command = ["setpriv", f"--bounding-set={powers}", f"--inh-caps={powers}", *command]
    env = {**os.environ, "CORRAL_HOME": str(home), "CORRAL_STILL_S": "0"}
    return subprocess.run(
        command, check=False, env=env, cwd=ROOT, text=True, capture_output=True, timeout=120
    )


ODD = {
    "unreadable.fits": ("WAIT", "not_readable"),
    "closed": ("WAIT", "folder_not_readable"),
    "pipe.fits": ("QUARANTINE", "not_a_regular_file"),
    "socket.fits": ("QUARANTINE", "not_a_regular_file"),
    "folder.fits": ("QUARANTINE", "not_a_regular_file"),
    "broken.fits": ("QUARANTINE", "not_a_regular_file"),
    "loop.fits": ("QUARANTINE", "not_a_regular_file"),
    "link.fits": ("QUARANTINE", "not_a_regular_file"),
}
# Only root makes devices: one whose bytes never end.
DEVICES = {"zeros.fits": ("QUARANTINE", "not_a_regular_file")} if os.getuid() == 0 else {}
ODD |= DEVICES
GOOD = ("a.fits", "new\nline.fits", "not-utf8-\udcff.fits", "n" * 250 + ".fits", "\u2603.fits")


@pytest.mark.skipif(
    os.getuid() == 0 and shutil.which("setpriv") is None, reason="setpriv is not installed"
)
def test_odd_files_and_permissions_keep_nobody_waiting(sqlite_template, ledger) -> None:
    """F16: each is a rejection with a reason; the good ones come in; nothing is touched."""
    with empty_site(sqlite_template) as corral:
        home = corral.settings.inbox.parent
        _make_odd(corral.settings.inbox)
        before = _looks_of(corral.settings.inbox)
        loaded = _by_nobody_special(home, "load")
        broken = faults(corral)
        ledger.add("F16 permissions and types", len(ODD) + len(GOOD), len(broken), 0.0)
        assert loaded.returncode == 0, loaded.stderr
        assert broken == []
        assert refused(corral) == ODD
        assert sorted(frame.path for frame in frames(corral)) == sorted(GOOD)
        assert _looks_of(corral.settings.inbox) == before
        _open_what_was_closed(corral.settings.inbox)
        assert _by_nobody_special(home, "load").returncode == 0
        assert {"unreadable.fits", "closed/b.fits"} <= {frame.path for frame in frames(corral)}
        assert faults(corral) == []


def _make_odd(inbox: Path) -> None:
    for number, name in enumerate(GOOD):
        (inbox / name).write_bytes(frame_bytes(number))
    (inbox / "unreadable.fits").write_bytes(frame_bytes(10))
    (inbox / "unreadable.fits").chmod(0)
    (inbox / "closed").mkdir()
    (inbox / "closed" / "b.fits").write_bytes(frame_bytes(11))
    (inbox / "closed").chmod(0)
    os.mkfifo(inbox / "pipe.fits")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(inbox / "socket.fits"))
    (inbox / "folder.fits").mkdir()
    for name in DEVICES:
        os.mknod(inbox / name, stat.S_IFCHR | 0o644, os.makedev(1, 5))
    (inbox / "broken.fits").symlink_to("nowhere")
    (inbox / "loop.fits").symlink_to("loop.fits")
    (inbox / "link.fits").symlink_to("a.fits")


def _open_what_was_closed(inbox: Path) -> None:
    (inbox / "unreadable.fits").chmod(0o600)
    (inbox / "closed").chmod(0o700)


def _looks_of(inbox: Path) -> dict[str, tuple[int, ...]]:
    """What tells of each file whether anybody has written to it, moved it or changed its mode."""
    looks: dict[str, tuple[int, ...]] = {}
    for file in sorted(inbox.iterdir()):
        state = file.lstat()
        looks[file.name] = (state.st_mode, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    return looks


@pytest.mark.skipif(
    os.getuid() == 0 and shutil.which("setpriv") is None, reason="setpriv is not installed"
)
@pytest.mark.parametrize("closed", ["products", "corral.db"])
def test_place_that_cannot_be_written_is_said_so(sqlite_template, ledger, closed) -> None:
    """F16: store or database read-only: a failure with a reason, then the work is done."""
    with empty_site(sqlite_template) as corral:
        home = corral.settings.inbox.parent
        for number in range(5):
            (corral.settings.inbox / f"{number}.fits").write_bytes(frame_bytes(number))
        assert _by_nobody_special(home, "load").returncode == 0
        corral.settings.products.mkdir()
        place, mode = home / closed, (home / closed).stat().st_mode
        place.chmod(0o555 if place.is_dir() else 0o444)
        failed = _by_nobody_special(home, "run", "MasterBias")
        for each in home.glob(f"{closed}*"):  # SQLite gives its log the mode of the database
            each.chmod(mode)
        assert failed.returncode == 1
        assert "ermission" in failed.stdout or "readonly" in failed.stderr
        assert _by_nobody_special(home, "run", "MasterBias", "--retry-failed").returncode == 0
        broken = faults(corral)
        ledger.add("F16 permissions and types", 1, len(broken), 0.0)
        assert broken == []
        assert {kind for kind, _ in made(corral)} == {"master_bias"}
