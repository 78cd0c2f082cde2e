"""Catalogue B6.1: what is no plain file, and what does not stay the same while it is read."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.bad_fits.case import Case
from tests.bad_fits.frames import BLOCK, header
from tests.bad_fits.structure import plain


def grown_during(path: Path) -> None:
    """The camera writes on."""
    with path.open("ab") as file:
        file.write(b"more")


def shrunk_during(path: Path) -> None:
    """Somebody truncates the file: mapped, this would be SIGBUS."""
    os.truncate(path, BLOCK + 100)


def replaced_during(path: Path) -> None:
    """Another file takes the name; what is open stays what it was, the next scan sees the other."""
    other = path.with_name("other")
    other.write_bytes(b"x" * path.stat().st_size)
    other.replace(path)


def fifo(path: Path, content: bytes) -> None:
    """A pipe with nobody at the other end."""
    os.mkfifo(path)


def unix_socket(path: Path, content: bytes) -> None:
    """A socket, bound by way of its folder's descriptor: the path of a socket must be short."""
    folder = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(f"/proc/self/fd/{folder}/{path.name}")
    os.close(folder)


def directory(path: Path, content: bytes) -> None:
    """A folder."""
    path.mkdir()


def link_to(target: str) -> Callable[[Path, bytes], None]:
    """A symbolic link; what it points to is written when it stands beside."""

    def place(path: Path, content: bytes) -> None:
        if target == "beside":
            (path.parent / "beside").write_bytes(content)
        path.symlink_to(target)

    return place


def hard_link(path: Path, content: bytes) -> None:
    """A second name of the same file."""
    beside = path.parent / "beside"
    beside.write_bytes(content)
    path.hardlink_to(beside)


def sparse(size: int) -> Callable[[Path, bytes], None]:
    """The content, and nothing behind it up to a size: no disk is used."""

    def place(path: Path, content: bytes) -> None:
        path.write_bytes(content)
        os.truncate(path, size)

    return place


PLACES: Final = [
    Case(29, "fifo", "QUARANTINE", plain, "not_a_regular_file", place=fifo),
    Case(29, "socket", "QUARANTINE", plain, "not_a_regular_file", place=unix_socket),
    Case(29, "folder", "QUARANTINE", plain, "not_a_regular_file", place=directory),
    Case(29, "link", "QUARANTINE", plain, "not_a_regular_file", place=link_to("beside")),
    Case(29, "broken link", "QUARANTINE", plain, "not_a_regular_file", place=link_to("nowhere")),
    Case(
        29, "link to itself", "QUARANTINE", plain, "not_a_regular_file", place=link_to("frame.fits")
    ),
    Case(
        29,
        "link to a device",
        "QUARANTINE",
        plain,
        "not_a_regular_file",
        place=link_to("/dev/zero"),
    ),
    Case(29, "hard link", "OK", plain, place=hard_link),
    Case(29, "sparse and huge", "QUARANTINE", plain, "too_large", place=sparse(3 << 30)),
    Case(
        29,
        "sparse image",
        "FLAG",
        lambda rng: header({"NAXIS1": "4000", "NAXIS2": "1000"}),
        "blank_end constant_pixels",
        place=sparse(BLOCK + 2778 * BLOCK),
    ),
    Case(30, "grows while it is read", "WAIT", plain, "changed_while_reading", during=grown_during),
    Case(30, "is replaced while it is read", "OK", plain, during=replaced_during),
    Case(
        30, "shrinks while it is read", "WAIT", plain, "changed_while_reading", during=shrunk_during
    ),
]
