"""Frames appear in a folder one by one, each complete from the moment its name exists."""

from __future__ import annotations

import filecmp
from collections.abc import Callable, Iterator
from pathlib import Path

from include.toritos.simulator.headers import write_fits
from include.toritos.simulator.plan import Exposure, NightPlan
from include.toritos.simulator.truth import Truth


def simulate_frame(truth: Truth, exposure: Exposure, folder: Path) -> Path:
    """Write one frame; a plan need not hold it (``plan.exposure(...)`` makes late arrivals).

    If the process dies inside, no file of that name exists, or the one of before does; what is
    left of the attempt is a hidden ``.part`` file that the next call overwrites. A file that is
    there with the same content is not touched.

    Parameters
    ----------
    truth : Truth
        The night; keep it between frames, since it holds the planes of the detector.
    exposure : Exposure
        What is taken.
    folder : Path
        Where the file goes; made when it is missing.

    Returns
    -------
    Path
        The file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pixels, conditions = truth.raw(exposure), truth.conditions(exposure)
    partial = folder / f".{exposure.name}.part"
    with partial.open("wb") as file:
        write_fits(file, pixels, plan=truth.plan, exposure=exposure, conditions=conditions)
    path = folder / exposure.name
    if path.exists() and filecmp.cmp(partial, path, shallow=False):
        partial.unlink()
        return path
    return partial.replace(path)


def write_frames(truth: Truth, folder: Path) -> Iterator[Path]:
    """Write the frames of a night in the order of the camera, one at each step of the iterator.

    Parameters
    ----------
    truth : Truth
        The night.
    folder : Path
        Where the files go.

    Yields
    ------
    Path
        The file that now exists.
    """
    for exposure in truth.exposures:
        yield simulate_frame(truth, exposure, folder)


def simulate_night(
    plan: NightPlan, folder: Path, *, on_progress: Callable[[str], None] | None = None
) -> Truth:
    """Write every frame of a night and return its truth.

    Parameters
    ----------
    plan : NightPlan
        The night.
    folder : Path
        Where the files go; nights do not share one, because the camera numbers each anew.
    on_progress : callable, optional
        Called with one line of text after each frame.

    Returns
    -------
    Truth
        What a perfect reduction of the files would find.
    """
    truth = Truth(plan)
    for number, path in enumerate(write_frames(truth, folder), start=1):
        if on_progress is not None:
            on_progress(f"{number}/{len(truth.exposures)} {path.name}")
    return truth
