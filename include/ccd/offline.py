"""Astropy without the network."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def offline() -> Iterator[None]:
    """Let astropy use what it has: no download, no complaint that tables are old."""
    from astropy.utils import iers

    settings = {
        "auto_download": False,
        "auto_max_age": None,
        "iers_degraded_accuracy": "ignore",
    }
    with warnings.catch_warnings():
        # Years after the end of the table of leap seconds are "dubious": by a second.
        warnings.simplefilter("ignore")
        changed = [iers.conf.set_temp(name, value) for name, value in settings.items()]
        with changed[0], changed[1], changed[2]:
            yield
