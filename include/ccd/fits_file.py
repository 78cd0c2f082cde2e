"""Files from the outside, opened without trust: one descriptor, no links, no devices, caps.

A name in an inbox may be a FIFO that blocks for ever, a link to somewhere else, a bomb that
unpacks to a thousand times its size, or a file that a camera is still writing. Nothing is
memory-mapped: a mapped file that shrinks kills the process (SIGBUS).
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from include.ccd.errors import Incomplete, Malformed, Unusable

CHUNK: Final = 364 * 2880
GZIP_MAGIC: Final = b"\x1f\x8b"
MAX_BYTES: Final = 1 << 30
MAX_TRAILING: Final = 16 << 20


class Source(Protocol):
    """The bytes of a FITS file, wherever they come from."""

    def reaches(self, end: int) -> int:
        """How many bytes there are, as far as that must be known to answer up to `end`."""

    def read(self, offset: int, size: int) -> bytes | memoryview:
        """Bytes from an offset on; fewer at the end."""


@contextlib.contextmanager
def open_regular(path: Path, *, max_bytes: int = MAX_BYTES) -> Iterator[PlainSource]:
    """A regular file, open for reading; it must not change until the block ends.

    Raises
    ------
    Unusable
        Not a regular file (never opened), or larger than `max_bytes`.
    Incomplete
        Absent, unreadable, empty, or changed while it was read.
    OSError
        The disk failed: the file's fault is not known.
    """
    before = _examine(path, max_bytes)
    try:
        # O_NONBLOCK: should a FIFO take the name's place just now, the open must not block
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path, flags)
    except OSError as error:
        raise _refusal(path, error) from error
    try:
        opened = os.fstat(descriptor)
        if _identity(opened) != _identity(before) or not stat.S_ISREG(opened.st_mode):
            raise Incomplete("changed_while_reading", f"{path.name!r:.80} was replaced")
        yield PlainSource(descriptor, opened.st_size)
        if _identity(os.fstat(descriptor)) != _identity(before):
            raise Incomplete("changed_while_reading", f"{path.name!r:.80} is still being written")
    finally:
        os.close(descriptor)


def _examine(path: Path, max_bytes: int) -> os.stat_result:
    try:
        found = path.lstat()
    except (OSError, ValueError) as error:
        raise _refusal(path, error) from error
    if not stat.S_ISREG(found.st_mode):
        kind = stat.filemode(found.st_mode)[0]
        raise Unusable("not_a_regular_file", f"{path.name!r:.80} is of type {kind!r}")
    if found.st_size == 0:
        raise Incomplete("empty", f"{path.name!r:.80} has no bytes yet")
    if found.st_size > max_bytes:
        message = f"{path.name!r:.80} has {found.st_size} bytes; at most {max_bytes}"
        raise Unusable("too_large", message)
    return found


def _refusal(path: Path, error: OSError | ValueError) -> Exception:
    if isinstance(error, FileNotFoundError | PermissionError):
        return Incomplete("not_readable", f"{path.name!r:.80}: {error.strerror}")
    if isinstance(error, ValueError) or error.errno in {errno.ELOOP, errno.ENAMETOOLONG}:
        return Unusable("not_a_regular_file", f"{path.name!r:.80}: {error}")
    return error


def _identity(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class PlainSource:
    """The bytes of an open file; its first chunk is read at most once."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.descriptor = descriptor
        self.size = size
        self._head: memoryview | None = None

    def reaches(self, end: int) -> int:
        """Size of the file in bytes."""
        return self.size

    def read(self, offset: int, size: int) -> bytes | memoryview:
        """Bytes from an offset on; fewer at the end of the file."""
        if offset + size <= CHUNK:
            if self._head is None:
                self._head = memoryview(os.pread(self.descriptor, CHUNK, 0))
            return self._head[offset : offset + size]
        parts = []
        while size > 0:
            part = os.pread(self.descriptor, size, offset)
            if not part:
                break
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_into(self, buffer: memoryview, offset: int) -> None:
        """Fill a buffer from an offset on.

        Raises
        ------
        Incomplete
            The file ends before the buffer is full.
        """
        done = 0
        while done < len(buffer):
            count = os.preadv(self.descriptor, [buffer[done:]], offset + done)
            if count == 0:
                raise Incomplete("truncated_data", "the file ends before its pixels do")
            done += count

    def chunks(self) -> Iterator[tuple[int, memoryview]]:
        """The whole file once, in chunks of whole FITS blocks, with their offsets.

        Raises
        ------
        Incomplete
            The file became shorter meanwhile.
        """
        offset = 0
        while offset < self.size:
            chunk = memoryview(self.read(offset, min(CHUNK, self.size - offset)))
            if not chunk:
                raise Incomplete("changed_while_reading", "the file became shorter")
            yield offset, chunk
            offset += len(chunk)


class GzipSource:
    """The bytes inside a gzip file, unpacked only as far as somebody asks.

    Parameters
    ----------
    plain : PlainSource
    max_bytes : int
        Unpacking stops here: a bomb is refused, not survived.
    """

    def __init__(self, plain: PlainSource, *, max_bytes: int) -> None:
        self._plain = plain
        self._max_bytes = max_bytes
        self._position = 0
        self._pending = b""
        self._inflater = zlib.decompressobj(wbits=31)
        self._unpacked = bytearray()
        self._ended = False
        self.flags: set[str] = set()

    def reaches(self, end: int) -> int:
        """Number of bytes unpacked, at least `end` unless there are fewer.

        Raises
        ------
        Incomplete
            The compressed stream stops in the middle.
        Malformed
            The compressed stream is corrupt.
        Unusable
            More than `max_bytes` come out.
        """
        while len(self._unpacked) < end and not self._ended:
            self._unpack(end - len(self._unpacked))
        return len(self._unpacked)

    def read(self, offset: int, size: int) -> bytes | memoryview:
        """Bytes from an offset on; fewer at the end."""
        self.reaches(offset + size)
        # a copy: a view would forbid the bytearray to grow
        return bytes(memoryview(self._unpacked)[offset : offset + size])

    def finish(self) -> bytearray:
        """All the bytes, after the checksum of the compressed stream has been verified."""
        self.reaches(min(self._max_bytes, len(self._unpacked) + MAX_TRAILING))
        if not self._ended:
            raise Unusable("too_large", "more unpacks than the headers account for")
        return self._unpacked

    def _unpack(self, wanted: int) -> None:
        packed: bytes | memoryview = self._pending
        if not packed:
            packed = self._plain.read(self._position, CHUNK)
            self._position += len(packed)
        if not packed:
            raise Incomplete("truncated_gzip", "the compressed stream stops in the middle")
        try:
            self._unpacked += self._inflater.decompress(packed, max(wanted, CHUNK))
        except zlib.error as error:
            raise Malformed("corrupt_gzip", str(error)) from error
        self._pending = self._inflater.unconsumed_tail
        if len(self._unpacked) > self._max_bytes:
            raise Unusable("too_large", f"unpacks to more than {self._max_bytes} bytes")
        if self._inflater.eof:
            self._after_member(self._inflater.unused_data)

    def _after_member(self, rest: bytes) -> None:
        """A gzip file may hold several members in a row; anything else there is padding or dirt."""
        if len(rest) < len(GZIP_MAGIC):
            more = bytes(self._plain.read(self._position, CHUNK))
            self._position += len(more)
            rest += more
        if rest.startswith(GZIP_MAGIC):
            self._inflater = zlib.decompressobj(wbits=31)
            self._pending = rest
            return
        self._ended = True
        if rest.strip(b"\0"):
            self.flags.add("trailing_bytes")
