"""Removing cosmic rays: this project and astroscrappy on the same simulated frame.

``python -m bench.cosmic_rays --size 4096`` prints one table, see `bench.contest`. Recall and false
pixels are those of the known tracks among pixels that were not masked before. astroscrappy runs
with its defaults, once without and once with the mask of dead and hot pixels.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.contest import READ_NOISE_E, Setting, Work, print_table

WARM_UP_PX = 128
PLANES = ("sci", "var", "mask", "hit")
UNUSABLE, COSMIC = 1 | 2, 8
SATURATION_E = 95000.0


def make_frame(folder: Path, *, size: int, exptime_s: float) -> None:
    """Save one science frame, corrected with the true detector, and the pixels that were hit."""
    from include.toritos.simulator import NightPlan, Truth

    plan = NightPlan(
        night=date(2026, 11, 20),
        size_px=size,
        biases=0,
        darks={},
        flats={},
        science={"V": 1},
        exptime_s=exptime_s,
        seed=5,
    )
    truth = Truth(plan)
    detector, spec = truth.detector, plan.detector
    raw = truth.raw(0)
    collected = (raw - detector.bias_adu) * np.float32(spec.gain_e_per_adu)
    response = np.where(detector.dead, np.float32(1), detector.response("V"))
    sci = (collected - detector.dark_e_per_s * np.float32(exptime_s)) / response
    var = (np.maximum(collected, 0) + np.float32(spec.read_noise_e**2)) / response**2
    mask = np.where(detector.dead, 1, 0) | np.where(detector.hot, 2, 0)
    mask |= np.where(raw >= spec.saturation_adu, 4, 0)
    planes = (sci.astype("f4"), var.astype("f4"), mask.astype("u2"), truth.cosmic(0))
    for name, plane in zip(PLANES, planes, strict=True):
        np.save(folder / f"{name}.npy", plane)


def _remark(folder: Path, found: npt.NDArray[Any]) -> str:
    mask, hit = np.load(folder / "mask.npy"), np.load(folder / "hit.npy")
    judged = mask == 0
    recall = np.count_nonzero(found & hit & judged) / (np.count_nonzero(hit & judged) or 1)
    return f"recall {recall:.4f}, {np.count_nonzero(found & ~hit & judged)} false pixels"


def ours(task: str, folder: Path, size: int) -> Work:
    """Work of this project: the image is changed in place."""
    from include.ccd.cosmic_rays import remove_cosmic_rays
    from include.ccd.image import Image

    def work() -> Callable[[], str]:
        image = Image(*(np.load(folder / f"{name}.npy") for name in PLANES[:3]))
        remove_cosmic_rays(image)
        return lambda: _remark(folder, (np.asarray(image.mask) & COSMIC) != 0)

    return work


def bare(task: str, folder: Path, size: int) -> Work:
    """Work of astroscrappy, told of the read noise and the saturation level only."""
    return _astroscrappy(folder, masked=False)


def masked(task: str, folder: Path, size: int) -> Work:
    """Work of astroscrappy, told of dead and hot pixels, too."""
    return _astroscrappy(folder, masked=True)


def _astroscrappy(folder: Path, *, masked: bool) -> Work:
    import astroscrappy

    def work() -> Callable[[], str]:
        sci, mask = np.load(folder / "sci.npy"), np.load(folder / "mask.npy")
        unusable = (mask & UNUSABLE) != 0 if masked else None
        found, _ = astroscrappy.detect_cosmics(
            sci, inmask=unusable, readnoise=READ_NOISE_E, satlevel=SATURATION_E
        )
        return lambda: _remark(folder, found)

    return work


CONTENDERS = {"this project": ours, "astroscrappy": bare, "… with mask": masked}


def main(arguments: list[str] | None = None) -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--size", type=int, default=2048, help="a frame of SIZE x SIZE pixels")
    parser.add_argument("--exptime", type=float, default=300.0, help="seconds of cosmic rays")
    parser.add_argument("--repeat", type=int, default=3, help="runs, of which the median counts")
    parser.add_argument("--only", nargs="+", choices=tuple(CONTENDERS), default=tuple(CONTENDERS))
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as made:
        folders = Path(made, "frame"), Path(made, "tiny")
        setting = Setting(*folders, options.size, WARM_UP_PX, options.repeat)
        for folder, size in zip(folders, (options.size, WARM_UP_PX), strict=True):
            folder.mkdir()
            make_frame(folder, size=size, exptime_s=options.exptime)
        sys.stdout.write(f"a frame of {options.size}², median of {options.repeat} runs\n\n")
        print_table(setting, ["remove"], {name: CONTENDERS[name] for name in options.only})
    return 0


if __name__ == "__main__":
    sys.exit(main())
