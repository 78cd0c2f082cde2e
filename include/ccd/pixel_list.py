"""Pixels that are known to be bad, as a text file that people can read and edit.

Each line is a rectangle: first column, last column, first row, last row of the trimmed frame, from
1 on, the limits included; what follows a ``#`` is a remark. It is the form of IRAF's ``fixpix``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from include.ccd.errors import ProfileError


def read_pixel_list(path: Path, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Mask (ny, nx) of the listed pixels of a trimmed frame.

    Raises
    ------
    ProfileError
        The file cannot be read, a line is not four numbers, or a rectangle leaves the frame.
    """
    mask = np.zeros(shape, np.bool_)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ProfileError(f"the list of bad pixels {path.name} cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].split()
        if not text:
            continue
        where = f"{path.name}, line {number}"
        try:
            x1, x2, y1, y2 = (int(part) for part in text)
        except ValueError as error:
            raise ProfileError(f"{where} is not four whole numbers: {line!r}") from error
        if not (1 <= x1 <= x2 <= shape[1] and 1 <= y1 <= y2 <= shape[0]):
            raise ProfileError(
                f"{where} is no rectangle of a frame of {shape[1]} by {shape[0]}: {line!r}"
            )
        mask[y1 - 1 : y2, x1 - 1 : x2] = True
    return mask


def write_pixel_list(mask: npt.NDArray[Any], path: Path, *, remark: str) -> None:
    """Write a list that `read_pixel_list` turns into the same mask.

    Pixels next to one another in a row share a line.
    """
    lines = [f"# {line}" for line in remark.splitlines()]
    for y, row in enumerate(np.asarray(mask, np.bool_), 1):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row.view(np.int8), [0]])))
        lines += [f"{first + 1} {last} {y} {y}" for first, last in edges.reshape(-1, 2)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
