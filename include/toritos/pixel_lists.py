"""Bad and warm pixels of a camera: lists that a profile names, beside the profile."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.corral.errors import ConfigurationError
from include.corral.settings import Settings
from include.toritos.instrument import profile_folders

if TYPE_CHECKING:
    import numpy.typing as npt

    from include.ccd.profile import Profile


def listed_pixels(
    profile: Profile, binning: str, shape: tuple[int, int], settings: Settings
) -> npt.NDArray[Any] | None:
    """Give the mask plane (ny, nx) of what is known of a trimmed frame; None if nothing is.

    Raises
    ------
    ConfigurationError
        If a list is missing, or says something that makes no sense.
    """
    paths = tuple(_paths(profile, binning, settings).items())
    stamps = tuple(path.stat().st_mtime_ns for _, path in paths)
    return _read(paths, stamps, shape) if paths else None


def pixel_lists_sha256(profile: Profile, binning: str, settings: Settings) -> dict[str, str]:
    """Give the digests of the lists for a binning, by what its pixels become.

    Raises
    ------
    ConfigurationError
        If one is missing.
    """
    paths = _paths(profile, binning, settings)
    return {bit: hashlib.sha256(path.read_bytes()).hexdigest() for bit, path in paths.items()}


def _paths(profile: Profile, binning: str, settings: Settings) -> dict[str, Path]:
    detector = profile.detector
    named = {"BAD": detector.bad_pixels, "WARM": detector.warm_pixels}
    return {
        bit: _path(names[binning], profile, settings)
        for bit, names in named.items()
        if binning in names
    }


def _path(name: str, profile: Profile, settings: Settings) -> Path:
    for folder in profile_folders(settings):
        if (path := folder / name).is_file():
            return path
    raise ConfigurationError(
        f"profile {profile.name!r} names the list of pixels {name}, which is not beside it"
    )


@cache
def _read(
    paths: tuple[tuple[str, Path], ...], _stamps: tuple[int, ...], shape: tuple[int, int]
) -> npt.NDArray[Any]:
    import numpy as np

    from include.ccd.errors import ProfileError
    from include.ccd.mask import MaskBit
    from include.ccd.pixel_list import read_pixel_list

    plane = np.zeros(shape, np.uint16)
    try:
        for bit, path in paths:
            plane[read_pixel_list(path, shape)] |= np.uint16(MaskBit[bit])
    except ProfileError as error:
        raise ConfigurationError(str(error)) from error
    return plane
