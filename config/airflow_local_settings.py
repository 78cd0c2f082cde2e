"""LocalExecutor's workers are forked from a scheduler that has the science libraries loaded.

Airflow imports this module at the start of each of its processes (it lies on the module path).
Every task is a fresh fork: without this each pays about two seconds for the same imports.
Only libraries of others are loaded: a change of our own code then needs no new scheduler.
"""

import importlib
import sys

# Names listed here would be copied into airflow.settings.
__all__: list[str] = []

_LIBRARIES = (
    "numpy",
    "scipy.ndimage",
    "astropy.io.fits",
    "astropy.stats",
    "astropy.time",
    "astropy.wcs",
    "numba",
    "sep",
    "sqlalchemy.orm",
)


def _preload(libraries: tuple[str, ...]) -> None:
    """Import what is installed; a library that is not there is for the task to miss."""
    for name in libraries:
        try:
            importlib.import_module(name)
        except ImportError as error:
            print(f"not preloaded: {name} ({error})", file=sys.stderr)  # noqa: T201


if "scheduler" in sys.argv:
    _preload(_LIBRARIES)
