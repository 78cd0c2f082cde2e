"""ois and properimage at work, in an environment of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.worker import Finish, Outcome, Work

KERNEL_PX = 17
# Sigma of the Gaussian that is missing between the two images.
SIGMA_PX = 1.27
WIDTHS, DEGREES = (0.7, 1.5, 3.0), (3, 2, 0)


def _load(folder: Path) -> tuple[Any, Any, Any]:
    names = ("science", "reference", "science_var")
    science, reference, var = (np.load(folder / f"{name}.npy") for name in names)
    return science.astype(np.float64), reference.astype(np.float64), var


def _work(folder: Path, subtract: Callable[[Any, Any], Any]) -> Work:
    science, reference, var = _load(folder)

    def work() -> Finish:
        difference = subtract(science, reference)
        return lambda: _outcome(difference, var)

    return work


def _outcome(difference: Any, var: Any) -> Outcome:
    """How noisy the difference is compared with the science image alone."""
    ratio = np.ma.filled(np.ma.asarray(difference).real, np.nan) / np.sqrt(var)
    ratio = ratio[np.isfinite(ratio)]
    width = 1.4826 * np.median(np.abs(ratio - np.median(ratio)))
    return Outcome(f"difference over sigma of the science image {width:.2f} wide")


def _ois(folder: Path, **options: Any) -> Work:
    import ois

    def subtract(science: Any, reference: Any) -> Any:
        return ois.optimal_system(
            science, reference, kernelshape=(KERNEL_PX, KERNEL_PX), bkgdegree=2, **options
        )[0]

    return _work(folder, subtract)


def alard_lupton(task: str, folder: Path, size: int) -> Work:
    """One Gaussian of 2 px times a parabola: the default of ois."""
    return _ois(folder, method="Alard-Lupton", gausslist=[{}])


def three_gaussians(task: str, folder: Path, size: int) -> Work:
    """The Gaussians of the kernel that this project fits."""
    gaussians = [
        {"sx": width * SIGMA_PX, "sy": width * SIGMA_PX, "modPolyDeg": degree}
        for width, degree in zip(WIDTHS, DEGREES, strict=True)
    ]
    return _ois(folder, method="Alard-Lupton", gausslist=gaussians)


def bramich(task: str, folder: Path, size: int) -> Work:
    """A kernel pixel by pixel, 11 × 11: the default of ois."""
    import ois

    def subtract(science: Any, reference: Any) -> Any:
        return ois.optimal_system(
            science, reference, kernelshape=(11, 11), bkgdegree=2, method="Bramich"
        )[0]

    return _work(folder, subtract)


def properimage(task: str, folder: Path, size: int) -> Work:
    """ZOGY, as properimage does it by default."""
    from properimage.operations import subtract

    return _work(folder, lambda science, reference: subtract(reference, science, align=False)[0])
