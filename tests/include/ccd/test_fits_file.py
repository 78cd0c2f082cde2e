from __future__ import annotations

import gzip
import os
import socket
from pathlib import Path

import pytest

from include.ccd.errors import BadFits, Incomplete, Malformed, Unusable
from include.ccd.fits_file import CHUNK, GzipSource, open_regular


def code_of(error: pytest.ExceptionInfo[BadFits]) -> tuple[type[BadFits], str]:
    return error.type, error.value.code


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A file of several chunks and a bit."""
    path = tmp_path / "big.fits"
    path.write_bytes(os.urandom(3 * CHUNK + 1234))
    return path


def test_bytes_are_read_from_anywhere(big: Path) -> None:
    """Within the first chunk, across chunks, and over the end."""
    content = big.read_bytes()
    with open_regular(big) as source:
        for offset, size in ((0, 10), (CHUNK - 5, 10), (2 * CHUNK, CHUNK), (len(content) - 3, 10)):
            assert bytes(source.read(offset, size)) == content[offset : offset + size]
        assert source.reaches(1) == len(content)


def test_chunks_are_the_file_once_in_whole_blocks(big: Path) -> None:
    """Concatenated they are the file, and each begins at a FITS block."""
    with open_regular(big) as source:
        chunks = [(offset, bytes(chunk)) for offset, chunk in source.chunks()]

    assert b"".join(chunk for _, chunk in chunks) == big.read_bytes()
    assert all(offset % 2880 == 0 for offset, _ in chunks)


def test_reading_into_a_buffer_needs_all_of_it(big: Path) -> None:
    """A file that ends early is incomplete, never a half-filled buffer."""
    size = big.stat().st_size
    with open_regular(big) as source:
        buffer = bytearray(100)
        source.read_into(memoryview(buffer), size - 100)
        assert bytes(buffer) == big.read_bytes()[-100:]
        with pytest.raises(Incomplete) as caught:
            source.read_into(memoryview(buffer), size - 99)
    assert caught.value.code == "truncated_data"


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", ["fifo", "socket", "directory", "link", "device"])
def test_what_is_not_a_regular_file_is_never_opened(kind: str, tmp_path: Path) -> None:
    """A FIFO named .fits would block its reader for ever; a link leads elsewhere."""
    path = tmp_path / "frame.fits"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.close()
    elif kind == "directory":
        path.mkdir()
    elif kind == "link":
        target = tmp_path / "target"
        target.write_bytes(b"x" * 2880)
        path.symlink_to(target)
    else:
        path = Path("/dev/zero")
    with pytest.raises(Unusable) as caught, open_regular(path):
        pass
    assert caught.value.code == "not_a_regular_file"


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    """NUL bytes and overlong names are the sender's, not the disk's, fault."""
    for name in ("a\0b", "x" * 300):
        with pytest.raises(Unusable), open_regular(tmp_path / name):
            pass


def test_what_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    """Absent and empty files may still arrive."""
    empty = tmp_path / "empty.fits"
    empty.touch()
    with pytest.raises(Incomplete) as caught, open_regular(empty):
        pass
    assert caught.value.code == "empty"
    with pytest.raises(Incomplete) as caught, open_regular(tmp_path / "absent.fits"):
        pass
    assert caught.value.code == "not_readable"


def test_a_file_over_the_cap_is_not_opened(big: Path) -> None:
    """The cap holds before anything is read; at the cap is allowed."""
    size = big.stat().st_size
    with open_regular(big, max_bytes=size):
        pass
    with pytest.raises(Unusable) as caught, open_regular(big, max_bytes=size - 1):
        pass
    assert caught.value.code == "too_large"


def test_a_file_that_changes_while_it_is_read_is_waited_for(big: Path) -> None:
    """Whatever was read of it is not believed."""

    def read_while_it_grows() -> None:
        with open_regular(big) as source:
            source.read(0, 10)
            with big.open("ab") as file:
                file.write(b"more")

    with pytest.raises(Incomplete) as caught:
        read_while_it_grows()
    assert caught.value.code == "changed_while_reading"


def test_the_descriptor_is_closed_whatever_happens(big: Path) -> None:
    """A loader that sees ten thousand bad files must not run out of descriptors."""
    with pytest.raises(RuntimeError), open_regular(big) as source:
        raise RuntimeError
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(source.descriptor)


def unpack(path: Path, *, max_bytes: int = 1 << 30) -> tuple[bytes, set[str]]:
    with open_regular(path) as plain:
        source = GzipSource(plain, max_bytes=max_bytes)
        source.read(0, 1)
        return bytes(source.finish()), source.flags


@pytest.mark.parametrize("size", [0, 1, 2880, 3 * CHUNK + 17])
def test_a_gzip_file_is_its_content(tmp_path: Path, size: int) -> None:
    """Whatever its length, whole and in several members."""
    content = os.urandom(size)
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(content))
    assert unpack(path) == (content, set())

    path.write_bytes(gzip.compress(content) + gzip.compress(b"second"))
    assert unpack(path) == (content + b"second", set())


def test_only_what_is_asked_for_is_unpacked(tmp_path: Path) -> None:
    """A header costs a header, however much follows."""
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(bytes(200 * CHUNK)))
    with open_regular(path) as plain:
        source = GzipSource(plain, max_bytes=1 << 30)
        source.read(0, 2880)
        assert len(source._unpacked) <= 2 * CHUNK


@pytest.mark.parametrize("keep", [3, 12, 500, -5])
def test_a_cut_gzip_file_is_waited_for(tmp_path: Path, keep: int) -> None:
    """Cut in its header, its data or its checksum."""
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(os.urandom(5000))[:keep])
    with pytest.raises(Incomplete) as caught:
        unpack(path)
    assert code_of(caught) == (Incomplete, "truncated_gzip")


def test_a_corrupt_gzip_file_is_refused(tmp_path: Path) -> None:
    """Its own checksum tells."""
    packed = bytearray(gzip.compress(bytes(5000)))
    packed[-6] ^= 1
    path = tmp_path / "x.gz"
    path.write_bytes(packed)
    with pytest.raises(Malformed) as caught:
        unpack(path)
    assert code_of(caught) == (Malformed, "corrupt_gzip")


def test_a_gzip_bomb_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    """Unpacking stops at the cap, not at the end."""
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(bytes(64 << 20)))
    assert path.stat().st_size < 100_000
    with pytest.raises(Unusable) as caught:
        unpack(path, max_bytes=8 << 20)
    assert code_of(caught) == (Unusable, "too_large")


def test_dirt_after_a_gzip_stream_is_flagged(tmp_path: Path) -> None:
    """Zeros are padding, anything else is worth a flag."""
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"abc") + bytes(512))
    assert unpack(path) == (b"abc", set())
    path.write_bytes(gzip.compress(b"abc") + b"dirt")
    assert unpack(path) == (b"abc", {"trailing_bytes"})


def test_gzip_member_that_begins_at_the_end_of_a_chunk_is_read(tmp_path: Path) -> None:
    """Of the two bytes by which it is known, one is read before and one after."""
    plain = gzip.compress(b"first", mtime=0)
    room = CHUNK - 1 - len(plain) - 1
    named = plain[:3] + b"\x08" + plain[4:10] + b"n" * room + b"\0" + plain[10:]
    path = tmp_path / "a.fits.gz"
    path.write_bytes(named + gzip.compress(b"second", mtime=0))
    with open_regular(path) as source:
        unpacked = GzipSource(source, max_bytes=1 << 20)
        assert bytes(unpacked.finish()) == b"firstsecond"
        assert unpacked.flags == set()
