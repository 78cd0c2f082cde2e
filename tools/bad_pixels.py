"""Hot and dead pixels of a camera without dark frames, found on images whose stars move.

``python -m tools.bad_pixels FOLDER PROFILE LIST`` reads the science frames of a folder, on which
the field must drift or be dithered by many pixels, and writes those pixels that stand out of their
neighbours at the same place of the detector on most of them. A profile names such lists under
`bad_pixels` or `warm_pixels` of its section `[detector]`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter

from include.ccd.fits_reader import inspect
from include.ccd.pixel_list import write_pixel_list
from include.ccd.profile import Profile, load_profile
from include.ccd.raw import RawFrame
from include.ccd.robust import MAD_TO_SIGMA
from include.toritos.instrument import SHIPPED

BOX_PX = 7
CLIP_SIGMA = 3.0
FEWEST_FRAMES = 10

Array = npt.NDArray[Any]


def stands_out(frames: Array, *, sigma: float) -> npt.NDArray[np.bool_]:
    """Pixels (ny, nx) that lie off the median of their surroundings on most of the frames.

    Parameters
    ----------
    frames : float32 (n, ny, nx)
        Of one detector. A star covers a pixel on few of them.
    sigma : float
        Of the noise of one pixel of one frame: by how much.
    """
    own = np.stack([frame - median_filter(frame, BOX_PX) for frame in frames])
    middle = np.median(own, axis=0)
    noise = MAD_TO_SIGMA * float(np.median(np.abs(own - middle)))
    near = np.abs(own - middle) <= CLIP_SIGMA * noise
    count = np.maximum(near.sum(axis=0), 1)
    mean = np.where(near, own, 0.0).sum(axis=0) / count
    # Values are whole numbers: their mean tells more than their median does, where it is of many.
    level = np.where(count >= len(frames) // 4, mean, middle)
    return np.asarray(np.abs(level) > sigma * noise)


def read_frames(folder: Path, profile: Profile) -> Iterator[Array]:
    """The trimmed science frames of a folder, in ADU; other files are passed over."""
    for path in sorted(folder.iterdir()):
        found = inspect(path, profile=profile)
        header = found.header
        if header is None or header.kind != "science" or len(header.amplifiers) != 1:
            continue
        pixels = RawFrame(path, header, found.hdu).pixels()
        yield pixels[header.amplifiers[0].data.slices].astype(np.float32)


def main(argv: list[str] | None = None) -> int:
    """Find them and write the list."""
    parser = argparse.ArgumentParser(prog="python -m tools.bad_pixels", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("profile", help="name of a shipped one, or a file")
    parser.add_argument("list", type=Path)
    parser.add_argument("--sigma", type=float, default=3.0, help="of one pixel of one frame")
    parser.add_argument("--every", type=int, default=1, help="take every n-th frame only")
    given = parser.parse_args(argv)
    own = Path(given.profile)
    profile = load_profile(own if own.is_file() else SHIPPED / f"{given.profile}.toml")
    frames = np.stack(list(read_frames(given.folder, profile))[:: given.every])
    if len(frames) < FEWEST_FRAMES:
        sys.stderr.write(f"{len(frames)} frames; {FEWEST_FRAMES} are needed\n")
        return 1
    mask = stands_out(frames, sigma=given.sigma)
    remark = (
        f"{profile.camera.name}: {int(mask.sum())} pixels off their surroundings by more than\n"
        f"{given.sigma:g} sigma of one frame, on most of {len(frames)} frames; tools.bad_pixels\n"
        "first column, last column, first row, last row"
    )
    write_pixel_list(mask, given.list, remark=remark)
    sys.stdout.write(f"{int(mask.sum())} pixels of {mask.size} in {given.list}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
