"""Frames that contenders work on, and what is known of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.contest import Setting

GAIN_E_PER_ADU, READ_NOISE_E = 1.5, 8.0
EXPTIME_S = 60.0
SATURATION_ADU = 60000.0
PROVENANCE: dict[str, Any] = {
    "step": "bench",
    "version": "1",
    "fingerprint": "0" * 64,
    "parameters": {},
    "inputs": [],
}


def science_header(size: int) -> Any:
    """What is known of a science frame of 60 s, size × size."""
    from include.ccd.header import Amplifier, FrameHeader, Section

    whole = Section.whole((size, size))
    return FrameHeader(
        kind="science",
        camera="bench",
        exptime_s=EXPTIME_S,
        observed_at=datetime(2024, 1, 1, tzinfo=UTC),
        width_px=size,
        height_px=size,
        saturation_adu=SATURATION_ADU,
        amplifiers=(Amplifier(whole, None, whole, GAIN_E_PER_ADU, READ_NOISE_E),),
    )


def simulated(size: int, *, exptime_s: float = EXPTIME_S) -> Any:
    """The truth of one science frame of the simulator."""
    from include.toritos.simulator import NightPlan, Truth

    return Truth(
        NightPlan(
            night=date(2026, 11, 20),
            size_px=size,
            biases=0,
            darks={},
            flats={},
            science={"V": 1},
            exptime_s=exptime_s,
            seed=5,
        )
    )


@contextmanager
def setting_of(
    make: Callable[[Path, int], None], *, size: int, tiny_size: int, repeat: int
) -> Iterator[Setting]:
    """Give folders of frames made by `make`, which go away."""
    with TemporaryDirectory(prefix="corral-bench-") as made:
        folders = Path(made, "frames"), Path(made, "tiny")
        for folder, side in zip(folders, (size, tiny_size), strict=True):
            folder.mkdir()
            if side:
                make(folder, side)
        yield Setting(*folders, size, tiny_size, repeat)
