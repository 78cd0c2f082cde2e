from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from include.ccd.errors import BadFits, Malformed, Unusable
from include.ccd.fits_content import Content, Request
from include.ccd.fits_file import open_regular
from include.ccd.reader_process import Limits, ReaderProcess

SABOTAGE = "tests.bad_fits.sabotage"
QUICK = Limits(memory_bytes=600 << 20, cpu_s=1, wall_s=120)
ROOT = Path(__file__).resolve().parents[3]

Ask = Callable[..., Content]


@pytest.fixture(scope="module")
def frame(tmp_path_factory: pytest.TempPathFactory, make_fits: Callable[..., bytes]) -> Path:
    """A good frame, gzip."""
    path = tmp_path_factory.mktemp("frames") / "frame.fits.gz"
    path.write_bytes(gzip.compress(make_fits()))
    return path


@pytest.fixture(scope="module")
def shared() -> Iterator[ReaderProcess]:
    """A reader process that does to itself what the name of the image says."""
    reader = ReaderProcess(QUICK, worker=SABOTAGE)
    yield reader
    reader.close()


@pytest.fixture
def reader(shared: ReaderProcess) -> ReaderProcess:
    """The same, alive or dead: whatever happened to it before must not matter."""
    return shared


@pytest.fixture
def ask(reader: ReaderProcess, frame: Path) -> Ask:
    """Have a file examined, with a deed done while it is."""

    def ask(deed: str | None = None) -> Content:
        with open_regular(frame) as plain:
            return reader.examine(plain, Request(hdu=deed))

    return ask


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pid: int, *, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while is_there(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_there(pid)


def test_one_process_serves_many_files(reader: ReaderProcess, ask: Ask) -> None:
    """It is started when it is first needed, and not again."""
    reader.close()
    assert reader.pid is None

    digests, pids = zip(*[(ask().sha256, reader.pid) for _ in range(20)], strict=True)

    assert len(set(digests)) == len(set(pids)) == 1
    assert pids[0] is not None


@pytest.mark.parametrize(
    ("deed", "code"),
    [
        ("crash", "reader_died"),
        ("killed", "reader_died"),
        ("leave", "reader_died"),
        ("eat", "reader_died"),
        ("flood", "reader_died"),
        ("lie", "reader_died"),
        ("spin", "reader_timeout"),
        ("raise", "reader_failed"),
    ],
)
def test_whatever_a_file_does_to_the_reader_it_is_refused_and_the_next_is_read(
    reader: ReaderProcess, ask: Ask, deed: str, code: str
) -> None:
    """Crash, end, exhaustion, endless loop, nonsense: one verdict, and no other file suffers."""
    with pytest.raises(BadFits) as caught:
        ask(deed)
    assert (caught.value.verdict, caught.value.code) == ("QUARANTINE", code)
    assert len(caught.value.message) > 20

    assert ask().shape == (48, 64)
    assert reader.pid is not None


@pytest.mark.parametrize("deed", ["hang", "stop"])
def test_a_disk_that_does_not_answer_is_not_the_files_fault(
    frame: Path, deed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting takes no processor time: it is a failure of the disk, tried again later."""
    monkeypatch.setattr("include.ccd.reader_process.END_S", 0.1)
    reader = ReaderProcess(Limits(wall_s=1), worker=SABOTAGE, grace_s=4)
    with open_regular(frame) as plain, pytest.raises(OSError, match="not be read within 1 s"):
        reader.examine(plain, Request(hdu=deed))
    assert reader.pid is None


def test_a_reader_that_somebody_else_killed_is_replaced(reader: ReaderProcess, ask: Ask) -> None:
    """Between two files, and in the middle of one: the file is not blamed."""
    ask()
    assert reader.pid is not None
    os.kill(reader.pid, signal.SIGKILL)
    assert ask().shape == (48, 64)

    first = reader.pid
    killer = threading.Timer(0.1, lambda: os.kill(first, signal.SIGKILL))
    killer.start()
    with pytest.raises(Unusable, match="more than 1 s of work"):
        ask("spin")  # the first attempt is killed, the second runs into its limit
    killer.join()


def test_an_answer_that_came_too_late_is_not_taken_for_the_next(
    reader: ReaderProcess, ask: Ask, tmp_path: Path, make_fits: Callable[..., bytes]
) -> None:
    """A task that is interrupted while it waits, by a timeout say, does not mix up two files."""

    def interrupt(number: int, stack: object) -> None:
        raise InterruptedError("enough")

    other = tmp_path / "other.fits.gz"
    other.write_bytes(gzip.compress(make_fits({"OBJECT": "'other'"})))
    expected = ask().sha256
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with open_regular(other) as plain, pytest.raises(InterruptedError, match="enough"):
            reader.examine(plain, Request(hdu="nap"))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    time.sleep(0.5)

    assert ask().sha256 == expected


def test_the_reader_cannot_write(reader: ReaderProcess, ask: Ask) -> None:
    """Not a byte, anywhere; a full disk elsewhere is no verdict on the file either."""
    with pytest.raises(OSError, match="File too large"):
        ask("write")


def test_the_reader_knows_no_secrets(
    reader: ReaderProcess, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the environment it gets what it needs to run; of open files, the one it reads."""
    monkeypatch.setenv("CORRAL_DATABASE", "postgresql://canary")
    reader.close()
    with Path(__file__).open("rb"):
        ask()
        environment = Path(f"/proc/{reader.pid}/environ").read_bytes()
        files = {str(link.readlink()) for link in Path(f"/proc/{reader.pid}/fd").iterdir()}

    assert b"canary" not in environment
    assert b"PYTHONPATH=" in environment
    assert not any(name.endswith((".gz", ".py")) for name in files)


def test_no_descriptors_are_left_behind(reader: ReaderProcess, ask: Ask) -> None:
    """Neither here nor there, whatever happened."""
    ask()
    before = len(list(Path("/proc/self/fd").iterdir()))
    theirs = len(list(Path(f"/proc/{reader.pid}/fd").iterdir()))
    for _ in range(20):
        ask()
    for deed in ("raise", "lie"):
        with pytest.raises(BadFits):
            ask(deed)
        ask()

    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert len(list(Path(f"/proc/{reader.pid}/fd").iterdir())) == theirs


def test_a_reader_is_replaced_after_some_thousand_files(
    reader: ReaderProcess, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What leaks in it cannot grow for ever."""
    monkeypatch.setattr("include.ccd.reader_process.FILES_PER_PROCESS", 3)
    reader.close()
    pids = []
    for _ in range(7):
        ask()
        pids.append(reader.pid)

    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]
    assert all(wait_until_gone(pid) for pid in set(pids[:6]) - {pids[-1]} if pid)


def test_closing_ends_the_process(reader: ReaderProcess, ask: Ask) -> None:
    """At once; nothing is left to be waited for, and closing again is harmless."""
    ask()
    pid = reader.pid
    assert pid is not None
    reader.close()
    reader.close()

    assert not is_there(pid)
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def test_a_reader_that_does_not_start_is_the_installations_fault(frame: Path) -> None:
    """Not the file's: it is tried again."""
    reader = ReaderProcess(worker="no.such.module")
    with open_regular(frame) as plain, pytest.raises(OSError, match="does not start"):
        reader.examine(plain, Request())


PARENT = """
import os, signal, sys, threading, time
from pathlib import Path
{before}
from include.ccd.fits_content import Request
from include.ccd.fits_file import open_regular
from include.ccd.reader_process import Limits, ReaderProcess
reader = ReaderProcess(Limits(), worker="tests.bad_fits.sabotage")
def ask(deed=None):
    with open_regular(Path(sys.argv[1])) as plain:
        return reader.examine(plain, Request(hdu=deed))
print(ask().shape, reader.pid, flush=True)
{after}
"""


def start(frame: Path, *, before: str = "", after: str = "") -> subprocess.Popen[str]:
    """A process of its own with a reader, without a terminal, as a task of Airflow is."""
    script = PARENT.format(before=before, after=textwrap.dedent(after))
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script, str(frame)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )


def reader_of(parent: subprocess.Popen[str]) -> int:
    assert parent.stdout is not None
    line = parent.stdout.readline()
    assert line.startswith("(48, 64)"), parent.communicate()
    return int(line.split()[-1])


@pytest.mark.parametrize("busy", ["", "ask('spin')", "ask('stop')"])
def test_no_reader_outlives_a_killed_parent(frame: Path, busy: str) -> None:
    """Idle, working or stopped: it ends with the process that started it."""
    with start(frame, after=f"{busy or 'time.sleep(60)'}") as parent:
        pid = reader_of(parent)
        time.sleep(0.2)
        parent.kill()
        parent.communicate()

    assert wait_until_gone(pid)


def test_a_forked_process_has_a_reader_of_its_own(frame: Path) -> None:
    """Airflow forks its tasks: the parent's reader is left alone, and goes on serving it."""
    after = """
    os.register_at_fork(after_in_child=reader.forget)
    mine = reader.pid
    child = os.fork()
    if child == 0:
        assert reader.pid is None
        ask()
        assert reader.pid != mine
        reader.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    ask()
    assert reader.pid == mine
    reader.close()
    """
    with start(frame, after=after) as parent:
        reader_of(parent)
        _, errors = parent.communicate(timeout=20)

    assert (parent.returncode, errors) == (0, "")


def test_a_process_without_standard_streams_has_a_reader(frame: Path) -> None:
    """A daemon has closed them: the channel may then be descriptor 0 itself."""
    with start(frame, before="os.close(0)", after="reader.close()") as parent:
        reader_of(parent)
        _, errors = parent.communicate(timeout=20)

    assert (parent.returncode, errors) == (0, "")


def test_a_thread_that_ends_does_not_take_the_reader_from_another(
    reader: ReaderProcess, ask: Ask
) -> None:
    """The kernel ends a child with the thread that made it: then there is a new one."""
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()

    assert ask().shape == (48, 64)
    assert isinstance(reader.pid, int)


def test_what_the_reader_did_not_expect_is_told(ask: Ask) -> None:
    """The evidence names the exception."""
    with pytest.raises(Malformed, match="KeyError: 'NAXIS3'"):
        ask("raise")
