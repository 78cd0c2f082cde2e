"""Registering frames and scanning an inbox: this project, and ccdproc's ImageFileCollection.

This project reads every byte of every frame, hashes it, checks its structure, understands its
header and commits it to a database that survives a power cut; an ImageFileCollection reads headers
into memory, and reads them again when it is asked again. Every contender runs in a process of its
own, from files in the page cache.
"""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from bench.table import Report, Table, say
from bench.worker import memory_kb
from tools import postgres

PER_FOLDER = 1000
SIZE_PX = 64
MANY = 2000
NIGHT = date(2024, 11, 20)


@dataclass(frozen=True)
class Setting:
    """An inbox, and where its rows go; without a database, ccdproc is asked."""

    home: Path
    database: str | None = None


@dataclass(frozen=True)
class Result:
    """What something took."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def make_frames(inbox: Path, *, frames: int, size: int) -> None:
    """Write bias frames of noise, in the dialect of TORITOS, a thousand to a folder."""
    from include.toritos.simulator import NightPlan, simulate_night

    plan = NightPlan(night=NIGHT, size_px=size, biases=1, darks={}, flats={}, science={})
    with tempfile.TemporaryDirectory() as one:
        simulate_night(plan, Path(one))
        raw = next(Path(one).iterdir()).read_bytes()
    padded = -(-2 * size * size // 2880) * 2880
    header, padding = raw[: len(raw) - padded], bytes(padded - 2 * size * size)
    rng = np.random.default_rng(1)
    for number in range(frames):
        folder = inbox / f"{number // PER_FOLDER:04}"
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 2000, size * size, dtype=np.uint16).astype(">i2").tobytes()
        (folder / f"bias-{number:07}.fits").write_bytes(header + pixels + padding)


def make_known(setting: Setting, *, files: int) -> None:
    """Write files of one byte, and the rows that say that they are known."""
    from sqlalchemy import insert

    from include.toritos.campaign import Nights
    from include.toritos.instrument import digest_of_reading, profile_of
    from models import Frame, Sighting

    with corral_of(setting) as corral:
        profile = profile_of("toritos", corral.settings)
        now = datetime.now(UTC)
        common = {
            "size_bytes": 1,
            "kind": "bias",
            "instrument": profile.name,
            "read_by": digest_of_reading(profile),
            "width_px": 1,
            "height_px": 1,
            "camera": profile.camera.name,
            "binning": "1x1",
            "exptime_s": 0.0,
            "observed_at": now,
            "loaded_at": now,
        }
        for first in range(0, files, PER_FOLDER):
            folder = f"{first // PER_FOLDER:04}"
            (corral.settings.inbox / folder).mkdir(parents=True, exist_ok=True)
            numbers = range(first, min(files, first + PER_FOLDER))
            paths = {number: f"{folder}/bias-{number:07}.fits" for number in numbers}
            seen = [_touch(corral.settings.inbox, path) for path in paths.values()]
            with corral.write() as session:
                night = Nights(session, corral.settings).on(profile.name, NIGHT)
                contents = [
                    {**common, "id": k + 1, "sha256": f"{k:064x}", "path": path}
                    | {"night_id": night.id}
                    for k, path in paths.items()
                ]
                session.execute(insert(Frame), contents)
                rows = zip(paths, seen, strict=True)
                of_frames = [{**row, "frame_id": k + 1, "seen_at": now} for k, row in rows]
                session.execute(insert(Sighting), of_frames)


def _touch(inbox: Path, path: str) -> dict[str, Any]:
    (inbox / path).write_bytes(b"x")
    state = (inbox / path).lstat()
    names = {"size_bytes": state.st_size, "mtime_ns": state.st_mtime_ns, "inode": state.st_ino}
    return {"path": path, **names}


@contextmanager
def corral_of(setting: Setting) -> Iterator[Any]:
    """Give an installation whose steps listen for frames, as they do in life."""
    from include.corral.corral import Corral
    from include.corral.drain import drain
    from include.corral.settings import Settings
    from include.toritos.pipeline import TORITOS

    options = {"still_s": "0"}
    database = setting.database if setting.database != "sqlite" else None
    corral = Corral(Settings.below(setting.home, database_url=database, pipeline=options))
    corral.settings.inbox.mkdir(parents=True, exist_ok=True)
    for step in (*TORITOS.steps, *TORITOS.alerts):
        drain(corral, step())
    yield corral
    corral.close()


def ours(setting: Setting) -> Iterator[Callable[[], object]]:
    """Load what is new; the same again scans what is known."""
    from include.corral.drain import drain
    from include.toritos.loader import FitsInbox

    def load() -> None:
        report = drain(corral, FitsInbox())
        if report.outputs.keys() - {"frame", "sighting"} or report.failures:
            raise AssertionError(report.summary())

    with corral_of(setting) as corral:
        yield load


def ccdproc(setting: Setting) -> Iterator[Callable[[], object]]:
    """Collect the headers of every folder, as ccdproc's documentation does for one."""
    from ccdproc import ImageFileCollection

    warnings.simplefilter("ignore")
    folders = sorted((setting.home / "inbox").iterdir())
    yield lambda: [ImageFileCollection(folder).summary for folder in folders]


def measure(setting: Setting, repeat: int) -> list[Result]:
    """Do it, and do it again; in the calling process."""
    logging.disable()
    contender = ccdproc if setting.database is None else ours
    results = []
    for work in contender(setting):
        for _ in range(repeat):
            Path("/proc/self/clear_refs").write_text("5")
            before = memory_kb("VmRSS")
            start, cpu_start = time.perf_counter(), time.process_time()
            work()
            seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
            results.append(Result(seconds, cpu, (memory_kb("VmHWM") - before) / 1024))
    return results


def apart(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call it in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments, **named).result()


def contenders(home: Path, server: str | None) -> Iterator[tuple[str, Setting]]:
    """Those that can be measured here."""
    yield "this project, SQLite", Setting(home, "sqlite")
    if server is not None:
        yield "this project, PostgreSQL", Setting(home, server)
    yield "ccdproc (headers alone)", Setting(home)


@dataclass
class _Book:
    """Where results are written down."""

    report: Report
    table: Table

    def tell(self, task: str, name: str, files: int, result: Result) -> None:
        """Append a line."""
        rate = f"{files / result.seconds:.0f}"
        numbers = (f"{result.seconds:.2f}", f"{result.cpu_seconds:.2f}", rate)
        self.table.add(task, name, str(files), *numbers, f"{result.peak_mb:.0f}")
        say(f"  {task} {files}: {name} {result.seconds:.2f} s")


def compare_loading(book: _Book, home: Path, server: str | None, *, frames: int) -> None:
    """Two lines for each contender: all files new, then all files known."""
    make_frames(home / "inbox", frames=frames, size=SIZE_PX)
    for name, setting in contenders(home, server):
        first, second = apart(measure, setting, 2)
        book.tell("load", name, frames, first)
        book.tell("scan again", name, frames, second)
        if setting.database is not None and frames >= MANY:
            rate = frames / first.seconds
            book.report.judge(f"{frames} frames by {name}", rate, "at least", 1000, "a second")


def measure_scan(book: _Book, home: Path, server: str | None, *, files: int) -> None:
    """One line for each database: the median of five scans of an inbox that is known."""
    for name, setting in contenders(home, server):
        if setting.database is not None:
            make_known(setting, files=files)
            results = apart(measure, setting, 5)
            middle = sorted(results, key=lambda result: result.seconds)[2]
            book.tell("scan of known", name, files, middle)
            what = f"scan of {files:,} known files by {name}"
            book.report.judge(what, middle.seconds, "at most", files / 100_000, "s")


def run(*, quick: bool) -> Report:
    """A few frames, many frames, and an inbox of 100,000 known files."""
    frames, known = (200, 2000) if quick else (2000, 100_000)
    report = Report(
        "Loading",
        f"Frames of {SIZE_PX}²; SQLite and PostgreSQL wait for the disk at each commit.",
    )
    table = Table("Loading", ("work", "contender", "files", "s", "CPU s", "files/s", "peak MB"))
    report.tables.append(table)
    book = _Book(report, table)
    with tempfile.TemporaryDirectory() as made, a_server(Path(made)) as server:
        for part, count in (("small", frames // 10), ("large", frames)):
            with server_database(server, part) as database:
                compare_loading(book, Path(made, part), database, frames=count)
        with server_database(server, "known") as database:
            measure_scan(book, Path(made, "known"), database, files=known)
        if server is None:
            report.notes.append("PostgreSQL's server is not installed here.")
    return report


@contextmanager
def a_server(home: Path) -> Iterator[str | None]:
    """Give a durable PostgreSQL server, or None where it is not installed."""
    if postgres.server_binaries() is None:
        yield None
        return
    home.chmod(0o755)
    (home / "server").mkdir()
    with postgres.server(home / "server", durable=True) as url:
        yield url


@contextmanager
def server_database(server: str | None, name: str) -> Iterator[str | None]:
    """Give a database of its own on the server."""
    if server is None:
        yield None
        return
    from sqlalchemy import create_engine, text

    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE bench_{name}"))
    yield server.rpartition("/")[0] + f"/bench_{name}"
    engine.dispose()
