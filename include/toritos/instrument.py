"""Profiles by name: those that ship with the pipeline, and those of the site."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from include.corral.errors import ConfigurationError
from include.corral.settings import Settings

if TYPE_CHECKING:
    from include.ccd.profile import Profile

SHIPPED = Path(__file__).parent / "profiles"
DEFAULT = "toritos"


def profile_name(settings: Settings) -> str:
    """Name of the profile by which new frames are read (``CORRAL_PROFILE``)."""
    return settings.pipeline.get("profile") or DEFAULT


def profile_of(name: str, settings: Settings) -> Profile:
    """Give the profile called `name`; the site's own folder goes before the shipped ones.

    Parameters
    ----------
    name
        File name without ``.toml``.
    settings
        Their pipeline option ``profiles`` (``CORRAL_PROFILES``) names the site's folder.

    Raises
    ------
    ConfigurationError
        If there is none, or it says something that makes no sense.
    """
    folders = profile_folders(settings)
    for folder in folders:
        path = folder / f"{name}.toml"
        if path.is_file():
            return _load(path, path.stat().st_mtime_ns)
    known = sorted({path.stem for folder in folders for path in folder.glob("*.toml")})
    raise ConfigurationError(
        f"profile {name!r} is not there; known are {', '.join(known)}. Set CORRAL_PROFILE to one "
        "of them, or put a file of your own into the folder that CORRAL_PROFILES names."
    )


def digest_of_reading(profile: Profile) -> str:
    """Digest of what decides how a header is read."""
    return profile.digest("site", "camera", "fields", "rules", "detector", "reading")


def profiles_hash(settings: Settings) -> str:
    """Hash of all profiles and lists of pixels there are; changes when any of them does."""
    digest = hashlib.sha256()
    for folder in profile_folders(settings):
        for path in sorted([*folder.glob("*.toml"), *folder.glob("*.pixels")]):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def profile_folders(settings: Settings) -> tuple[Path, ...]:
    """Give the folders in which profiles, and lists that they name, are looked for, in order."""
    own = settings.pipeline.get("profiles")
    return (Path(own), SHIPPED) if own else (SHIPPED,)


@cache
def _load(path: Path, _mtime_ns: int) -> Profile:
    from include.ccd.errors import CcdError
    from include.ccd.profile import load_profile

    try:
        return load_profile(path)
    except CcdError as error:
        raise ConfigurationError(str(error)) from error
