"""LocalExecutor's workers are forked from a scheduler that has the science libraries loaded.

Airflow imports this module at the start of each of its processes (it lies on the module path).
Every task is a fresh fork: without this each pays two to three seconds for the same imports.
Only libraries of others are loaded: a change of our own code then needs no new scheduler.
"""

import importlib
import sys

# Names listed here would be copied into airflow.settings.
__all__: list[str] = []

_LIBRARIES = (
    "astropy.coordinates",
    "astropy.io.fits",
    "astropy.stats",
    "astropy.table",
    "astropy.time",
    "astropy.utils.iers",
    "astropy.wcs.utils",
    "msgspec",
    "numba",
    "numpy",
    "scipy.interpolate",
    "scipy.linalg",
    "scipy.ndimage",
    "scipy.optimize",
    "scipy.sparse.csgraph",
    "scipy.spatial",
    "sep",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.orm",
)


def _preload(libraries: tuple[str, ...]) -> None:
    """Import what is installed; a library that is not there is for the task to miss."""
    for name in libraries:
        try:
            importlib.import_module(name)
        except ImportError as error:
            print(f"not preloaded: {name} ({error})", file=sys.stderr)  # noqa: T201


def _prepare_numba() -> None:
    """Let numba register what it knows: half a second before the first kernel of a process."""
    try:
        from numba.core.registry import cpu_target

        cpu_target.typing_context.refresh()
        cpu_target.target_context.refresh()
    except (ImportError, AttributeError) as error:
        print(f"numba not prepared: {error}", file=sys.stderr)  # noqa: T201


if "scheduler" in sys.argv:
    _preload(_LIBRARIES)
    _prepare_numba()
