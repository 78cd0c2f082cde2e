from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from include.ccd.errors import Malformed, Unusable
from include.ccd.fits_reader import inspect, read_pixels
from include.ccd.safe_reader import inspect_safely, read_pixels_safely, shared_reader
from tests.bad_fits.frames import empty_primary, extension, frame, packed, profile, random

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, bytes], Path]:
    """Write a file."""

    def write(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


Write = Callable[[str, bytes], Path]


def several(seed: int = 5) -> dict[str, bytes]:
    """Frames in every wrapping."""
    rng = random(seed)
    return {
        "plain.fits": frame(rng),
        "gzip.fits.gz": gzip.compress(frame(rng)),
        "tiles.fits.fz": packed(rng),
        "extension.fits": empty_primary() + extension(rng),
    }


def test_who_reads_makes_no_difference(write: Write) -> None:
    """Every value is that of `inspect` and `read_pixels`."""
    camera = profile("plain")
    for name, content in several().items():
        path = write(name, content)
        found = inspect(path, profile=camera)

        assert inspect_safely(path, profile=camera) == found
        pixels = read_pixels_safely(path, hdu=found.hdu)
        expected = read_pixels(path, hdu=found.hdu)
        assert pixels.dtype == expected.dtype
        np.testing.assert_array_equal(pixels, expected)


def test_only_a_plain_file_of_one_unit_is_read_here(write: Write) -> None:
    """Decompressors and everything with a structure run elsewhere."""
    reader = shared_reader()
    for name, content in several().items():
        reader.close()
        inspect_safely(write(name, content), profile=profile("plain"))

        assert (reader.pid is None) == (name == "plain.fits")


def test_an_error_comes_over_with_its_code(write: Write) -> None:
    """From the other process as from this one."""
    with pytest.raises(Unusable) as caught:
        inspect_safely(
            write("a.fits.gz", gzip.compress(frame(random(1)))),
            profile=profile("plain"),
            max_pixels=100,
        )
    assert caught.value.code == "too_many_pixels"


def test_what_nobody_thought_of_is_a_refusal_too(
    write: Write, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault of ours refuses one file, and is told in full in the log."""

    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("by nobody")

    monkeypatch.setattr("include.ccd.fits_reader.judge_pixels", broken)
    with pytest.raises(Malformed, match="ZeroDivisionError: by nobody") as caught:
        inspect_safely(write("a\nb.fits", frame(random(1))), profile=profile("plain"))
    assert caught.value.code == "reader_failed"
    assert "Traceback" in caplog.text
    assert "a\\nb.fits" in caplog.text


SCRIPT = """
import os, sys
from pathlib import Path
from include.ccd.profile import load_profile
from include.ccd.safe_reader import inspect_safely, shared_reader
camera = load_profile(Path(sys.argv[1]))
def look():
    inspect_safely(Path(sys.argv[2]), profile=camera)
    return shared_reader().pid
mine = look()
child = os.fork()
if child == 0:
    assert look() not in (None, mine)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert look() == mine
print(mine)
"""


def test_a_task_that_was_forked_has_its_own_reader_and_none_is_left(write: Write) -> None:
    """No warning, no orphan, no terminal; the task may end without a word (`os._exit`)."""
    path = write("a.fits.gz", gzip.compress(frame(random(1))))
    camera = ROOT / "tests" / "bad_fits" / "profiles" / "plain.toml"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(camera), str(path)],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        start_new_session=True,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert not Path(f"/proc/{done.stdout.strip()}").exists()
