"""The site's reference catalogues: files in a folder, and small ones that ship."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from include.corral.errors import ConfigurationError
from include.corral.settings import Settings

if TYPE_CHECKING:
    from include.ccd.reference_catalog import ReferenceCatalog

SHIPPED = Path(__file__).parent / "catalogs"


def catalog_path(name: str, settings: Settings) -> Path | None:
    """Find a catalogue by the name of its file; None where there is none.

    Parameters
    ----------
    name
        As the profile has it.
    settings
        Their pipeline option ``catalogs`` (``CORRAL_CATALOGS``) names the site's folder, which
        goes before the shipped ones.

    Raises
    ------
    ConfigurationError
        If the name is that of another folder.
    """
    if Path(name).name != name:
        raise ConfigurationError(f"catalogue {name!r}: name a file in the folder of catalogues")
    for folder in _folders(settings):
        if (path := folder / name).is_file():
            return path
    return None


def catalog_of(name: str, settings: Settings) -> ReferenceCatalog:
    """Give a catalogue; it is read once, and again when its file changes.

    Raises
    ------
    CatalogError
        If there is none of that name, or it cannot be read.
    """
    from include.ccd.reference_catalog import CatalogError

    path = catalog_path(name, settings)
    if path is None:
        raise CatalogError(
            f"there is no catalogue {name}: put it into the folder that CORRAL_CATALOGS names"
        )
    return _read(path, path.stat().st_mtime_ns)


def catalog_sha256(name: str, settings: Settings) -> str | None:
    """Give the digest of a catalogue's file; None where there is none."""
    path = catalog_path(name, settings)
    return None if path is None else _sha256(path, path.stat().st_mtime_ns)


def catalogs_stamp(settings: Settings) -> str:
    """Give a text that changes when any catalogue may have: names, sizes and times."""
    files = sorted(path for folder in _folders(settings) for path in folder.glob("*.*"))
    states = ((path.name, path.stat()) for path in files)
    return " ".join(f"{name}:{state.st_size}:{state.st_mtime_ns}" for name, state in states)


def _folders(settings: Settings) -> tuple[Path, ...]:
    own = settings.pipeline.get("catalogs")
    return (Path(own), SHIPPED) if own else (SHIPPED,)


@cache
def _read(path: Path, _mtime_ns: int) -> ReferenceCatalog:
    from include.ccd.reference_catalog import read_catalog

    return read_catalog(path)


@cache
def _sha256(path: Path, _mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
