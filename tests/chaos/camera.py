"""Frames for an inbox, the ways in which they come, and what has become of them."""

from __future__ import annotations

import gzip
import io
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from astropy.io import fits
from sqlalchemy import select

from include.corral.audit import audit
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.settings import Settings
from include.toritos.account import account
from include.toritos.loader import FitsInbox
from include.toritos.pipeline import TORITOS
from models import Frame, Product, Rejection

MIDNIGHT = datetime(2026, 11, 21, 4, 30, tzinfo=UTC)
MTIME = 1_795_000_000


def frame_bytes(pixels: int, *, observer: str = "A", at: str = "", size: int = 32) -> bytes:
    """A bias frame in the dialect of TORITOS: equal numbers give equal pixels."""
    rng = np.random.default_rng(pixels)
    unit = fits.PrimaryHDU(rng.integers(900, 1100, (size, size), dtype=np.uint16))
    unit.header["IMAGETYP"] = "Bias Frame"
    unit.header["EXPTIME"] = 0.0
    unit.header["DATE-OBS"] = at or MIDNIGHT.strftime("%Y-%m-%dT%H:%M:%S")
    unit.header["CCD-TEMP"] = -20.0
    unit.header["XBINNING"] = unit.header["YBINNING"] = 1
    unit.header["OBSERVER"] = observer
    stream = io.BytesIO()
    unit.writeto(stream)
    return stream.getvalue()


def copied(inbox: Path, first: Path, name: str, _number: int) -> None:
    """The same bytes under another name."""
    shutil.copy(first, inbox / name)


def in_another_night(inbox: Path, first: Path, name: str, number: int) -> None:
    """The same bytes in the folder of another night."""
    folder = inbox / f"19{number % 100:02}-01-01"
    folder.mkdir(exist_ok=True)
    shutil.copy(first, folder / name)


def hard_linked(inbox: Path, first: Path, name: str, _number: int) -> None:
    """The same file."""
    os.link(first, inbox / name)


def linked(inbox: Path, first: Path, name: str, _number: int) -> None:
    """A symbolic link, which is never followed."""
    (inbox / name).symlink_to(first)


def zipped(inbox: Path, first: Path, name: str, number: int) -> None:
    """The same pixels in other bytes."""
    (inbox / f"{name}.gz").write_bytes(gzip.compress(first.read_bytes(), 1 + number % 9, mtime=0))


def with_other_header(inbox: Path, first: Path, name: str, number: int) -> None:
    """The same pixels, and another observer."""
    with fits.open(first, memmap=False) as whole:
        whole[0].header["OBSERVER"] = f"B{number}"
        whole.writeto(inbox / name)


def renamed(inbox: Path, first: Path, name: str, _number: int) -> None:
    """The file has gone to another name, and come back as a copy."""
    first.rename(inbox / name)
    shutil.copy(inbox / name, first)


Way = Callable[[Path, Path, str, int], None]
WAYS: tuple[Way, ...] = (
    copied,
    in_another_night,
    hard_linked,
    linked,
    zipped,
    with_other_header,
    renamed,
)


@contextmanager
def empty_site(template: Path, **options: str) -> Iterator[Corral]:
    """An installation on a copy of an empty SQLite database, in a folder that goes with it."""
    with TemporaryDirectory(prefix="corral-site-") as folder:
        home = Path(folder)
        shutil.copy(template, home / "corral.db")
        corral = Corral(Settings.below(home, pipeline={"still_s": "0", **options}))
        corral.settings.inbox.mkdir()
        try:
            yield corral
        finally:
            corral.close()


def load(corral: Corral) -> int:
    """Trigger the loader; give how many files it looked at."""
    report = drain(corral, FitsInbox())
    assert not report.failures
    return report.done


def reduce(corral: Corral) -> None:
    """Load, and do what is to be done for every night; what waits for frames waits."""
    load(corral)
    for step in TORITOS.steps:
        drain(corral, step())


def frames(corral: Corral) -> list[Frame]:
    """Every frame there is."""
    with corral.read() as session:
        return list(session.scalars(select(Frame).order_by(Frame.id)))


def refused(corral: Corral) -> dict[str, tuple[str, str]]:
    """Verdict and reason of every file that is refused now."""
    query = select(Rejection).where(Rejection.resolved_at.is_(None))
    with corral.read() as session:
        return {row.path: (row.verdict, row.reason) for row in session.scalars(query)}


def made(corral: Corral) -> set[tuple[str, str]]:
    """Kind and content of every current product."""
    with corral.read() as session:
        query = select(Product.kind, Product.sha256).where(Product.current)
        return {(kind, sha256) for kind, sha256 in session.execute(query)}


def faults(corral: Corral) -> list[str]:
    """Broken promises, exposures that are used twice, and files that the account does not know."""
    found = [str(each) for each in audit(corral, promises=TORITOS.promises)]
    used = Counter(frame.pixel_sha256 for frame in frames(corral) if frame.accepted)
    found += [f"pixels {pixels} are used {n} times" for pixels, n in used.items() if n > 1]
    with corral.read() as session:
        rows = account(session)
    return found + [
        f"account of {row.night} is out by {row.difference}" for row in rows if row.difference
    ]
