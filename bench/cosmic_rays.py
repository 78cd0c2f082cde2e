"""Removing cosmic rays: this project and astroscrappy on the same simulated frame."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.contest import Contender, Result, contest, table_of
from bench.frames import READ_NOISE_E, setting_of, simulated
from bench.table import Report
from bench.worker import Finish, Outcome, Work

TINY_PX = 128
EXPTIME_S = 300.0
PLANES = ("sci", "var", "mask", "hit")
UNUSABLE, COSMIC = 1 | 2, 8
SATURATION_E = 95000.0
CONTENDERS = [
    Contender("this project", "bench.cosmic_rays:ours"),
    Contender("astroscrappy", "bench.cosmic_rays:bare"),
    Contender("astroscrappy with mask", "bench.cosmic_rays:masked"),
]


def make_frame(folder: Path, size: int) -> None:
    """Save one science frame, corrected with the true detector, and the pixels that were hit."""
    truth = simulated(size, exptime_s=EXPTIME_S)
    detector, spec = truth.detector, truth.plan.detector
    raw = truth.raw(0)
    collected = (raw - detector.bias_adu) * np.float32(spec.gain_e_per_adu)
    response = np.where(detector.dead, np.float32(1), detector.response("V"))
    sci = (collected - detector.dark_e_per_s * np.float32(EXPTIME_S)) / response
    var = (np.maximum(collected, 0) + np.float32(spec.read_noise_e**2)) / response**2
    mask = np.where(detector.dead, 1, 0) | np.where(detector.hot, 2, 0)
    mask |= np.where(raw >= spec.saturation_adu, 4, 0)
    planes = (sci.astype("f4"), var.astype("f4"), mask.astype("u2"), truth.cosmic(0))
    for name, plane in zip(PLANES, planes, strict=True):
        np.save(folder / f"{name}.npy", plane)


def _outcome(folder: Path, found: npt.NDArray[Any]) -> Outcome:
    mask, hit = np.load(folder / "mask.npy"), np.load(folder / "hit.npy")
    judged = mask == 0
    recall = np.count_nonzero(found & hit & judged) / (np.count_nonzero(hit & judged) or 1)
    false = np.count_nonzero(found & ~hit & judged)
    return Outcome(f"recall {recall:.4f}, {false} false pixels")


def ours(task: str, folder: Path, size: int) -> Work:
    """Work of this project: the image is changed in place."""
    from include.ccd.cosmic_rays import remove_cosmic_rays
    from include.ccd.image import Image

    def work() -> Finish:
        image = Image(*(np.load(folder / f"{name}.npy") for name in PLANES[:3]))
        remove_cosmic_rays(image)
        return lambda: _outcome(folder, (np.asarray(image.mask) & COSMIC) != 0)

    return work


def bare(task: str, folder: Path, size: int) -> Work:
    """Work of astroscrappy, told of the read noise and the saturation level only."""
    return _astroscrappy(folder, masked=False)


def masked(task: str, folder: Path, size: int) -> Work:
    """Work of astroscrappy, told of dead and hot pixels, too."""
    return _astroscrappy(folder, masked=True)


def _astroscrappy(folder: Path, *, masked: bool) -> Work:
    import astroscrappy

    def work() -> Finish:
        sci, mask = np.load(folder / "sci.npy"), np.load(folder / "mask.npy")
        unusable = (mask & UNUSABLE) != 0 if masked else None
        found, _ = astroscrappy.detect_cosmics(
            sci, inmask=unusable, readnoise=READ_NOISE_E, satlevel=SATURATION_E
        )
        return lambda: _outcome(folder, found)

    return work


def _numbers(result: Result) -> tuple[float, float]:
    recall, false = re.findall(r"[\d.]+", result.remark)
    return float(recall), float(false)


def run(*, quick: bool) -> Report:
    """One frame of 4096² and 300 s."""
    size = 512 if quick else 4096
    report = Report(
        "Cosmic rays",
        f"A calibrated frame of {size}² and {EXPTIME_S:.0f} s. Recall and false pixels are those "
        "of the known tracks among pixels that were not masked before. astroscrappy runs with its "
        "defaults, once without and once with the mask of dead and hot pixels.",
    )
    with setting_of(make_frame, size=size, tiny_size=TINY_PX, repeat=3) as setting:
        found = contest("cosmic rays", CONTENDERS, setting)
    us, peer = found["this project"], found["astroscrappy"]
    recall, false = _numbers(us)
    peer_recall, peer_false = _numbers(peer)
    report.judge("faster than astroscrappy", peer.seconds / us.seconds, "at least", 30, "×")
    # Equal to three digits, of which the last is noise.
    report.judge("recall less that of astroscrappy", recall - peer_recall, "at least", -0.001, "")
    report.judge("false pixels over those of astroscrappy", false / peer_false, "at most", 1, "×")
    report.tables = [table_of("Cosmic rays", {"cosmic rays": found})]
    return report
