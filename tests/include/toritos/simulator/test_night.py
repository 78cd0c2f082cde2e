"""Files of a night repeat, stand on their own, and appear whole."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from include.toritos.simulator import (
    NightPlan,
    Truth,
    simulate_frame,
    simulate_night,
    write_frames,
)

SMALL = NightPlan(
    night=date(2026, 11, 20),
    size_px=64,
    biases=2,
    darks={60.0: 2, 20.0: 1},
    flats={"V": 1, "R": 1},
    science={"V": 2, "R": 1},
)


def _hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_equal_plans_make_equal_bytes(tmp_path: Path) -> None:
    """Two runs, every file."""
    simulate_night(SMALL, tmp_path / "a")
    simulate_night(SMALL, tmp_path / "b")
    assert len(_hashes(tmp_path / "a")) == 10
    assert _hashes(tmp_path / "a") == _hashes(tmp_path / "b")


def test_the_bytes_are_the_same_on_every_machine(tmp_path: Path) -> None:
    """One hash over a night; it changes with the simulator, or with the random streams of numpy."""
    simulate_night(SMALL, tmp_path)
    whole = "".join(digest for _, digest in sorted(_hashes(tmp_path).items()))
    assert hashlib.sha256(whole.encode()).hexdigest()[:16] == "3f6abb5cabc4f184"


@pytest.mark.parametrize("change", [{"seed": 2}, {"night": date(2026, 11, 21)}])
def test_another_seed_or_night_makes_other_files(tmp_path: Path, change: dict[str, Any]) -> None:
    """No file of one is a file of the other: a content belongs to one night."""
    simulate_night(SMALL, tmp_path / "a")
    simulate_night(replace(SMALL, **change), tmp_path / "b")
    first, second = _hashes(tmp_path / "a"), _hashes(tmp_path / "b")
    assert first.keys() == second.keys()
    assert not set(first.values()) & set(second.values())


def test_two_nights_show_one_camera_and_one_field() -> None:
    """Masters of one night serve the next, and its stars come back."""
    today, tomorrow = Truth(SMALL), Truth(replace(SMALL, night=date(2026, 11, 21)))
    assert np.array_equal(today.detector.response("V"), tomorrow.detector.response("V"))
    assert np.array_equal(today.detector.hot, tomorrow.detector.hot)
    assert np.array_equal(today.catalogue.x_px, tomorrow.catalogue.x_px)


def test_a_frame_does_not_depend_on_the_number_of_others(tmp_path: Path) -> None:
    """A longer night holds the shorter one, byte for byte."""
    simulate_night(SMALL, tmp_path / "few")
    more = replace(SMALL, biases=4, darks={60.0: 3, 20.0: 3}, science={"V": 4, "R": 3})
    simulate_night(more, tmp_path / "many")
    assert _hashes(tmp_path / "few").items() < _hashes(tmp_path / "many").items()


def test_a_late_frame_is_the_frame_of_a_longer_plan(tmp_path: Path) -> None:
    """What arrives after the night was planned is not special."""
    late = SMALL.exposure("bias", 3)
    path = simulate_frame(Truth(SMALL), late, tmp_path / "late")
    simulate_night(replace(SMALL, biases=3), tmp_path / "planned")
    assert path.read_bytes() == (tmp_path / "planned" / late.name).read_bytes()


def test_frames_appear_one_at_a_time(tmp_path: Path) -> None:
    """Each step of the iterator adds one complete file and leaves nothing else."""
    frames = write_frames(Truth(SMALL), tmp_path)
    for count in (1, 2, 3):
        path = next(frames)
        assert path.exists()
        assert len(list(tmp_path.iterdir())) == count


def test_a_frame_that_could_not_be_written_has_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fills in the middle leaves a hidden part, and the next call converges."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    truth, exposure = Truth(SMALL), SMALL.exposure("bias", 1)
    with monkeypatch.context() as patch:
        patch.setattr("include.toritos.simulator.night.write_fits", full)
        with pytest.raises(OSError, match="No space"):
            simulate_frame(truth, exposure, tmp_path)
    assert not (tmp_path / exposure.name).exists()
    simulate_frame(truth, exposure, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [exposure.name]


def test_the_truth_is_that_of_the_files(tmp_path: Path) -> None:
    """Pixels computed again from the plan are the pixels on disk; progress counts them."""
    lines: list[str] = []
    truth = simulate_night(SMALL, tmp_path, on_progress=lines.append)
    for exposure in truth.exposures:
        assert np.array_equal(fits.getdata(tmp_path / exposure.name), truth.raw(exposure))
    assert lines[0] == "1/10 bias-001.fit"
    assert lines[-1] == "10/10 field01-V-0002.fit"
