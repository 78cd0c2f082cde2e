"""Nights on end in one process, which says after each what it has grown to.

``python -m tests.soak.nights HOME NIGHTS`` prints a line of JSON for each night. Its frames come in
three parts, the calibrations last, each followed by the loader, every step, every alert and the
sweep; a file breaks off, another one comes twice. The audit closes the night.
"""

from __future__ import annotations

import gc
import json
import shutil
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from include.corral.audit import audit
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.wants import portions
from include.toritos.account import account
from include.toritos.pipeline import TORITOS
from include.toritos.simulator import NightPlan
from models.product import Product
from tests.include.toritos.sky_night import PLAN, SkyNight, open_night

FIRST = date(2025, 1, 6)
PARTS = 3


@dataclass(frozen=True)
class Grown:
    """What a night has left, in the process and on the disk.

    Attributes
    ----------
    seconds
        From the first frame to the last result.
    missing
        Files of which the account does not know what became.
    failures
        Of units, by message; violations of promises among them.
    products
        Current ones of this night, by kind.
    """

    night: str
    seconds: float
    memory_mb: float
    descriptors: int
    threads: int
    database_mb: float
    missing: int
    failures: list[str]
    products: dict[str, int]


def main(home: Path, nights: int) -> None:
    """Work through `nights` nights of the same field, and print what each has left."""
    site = open_night(home, replace(PLAN, night=FIRST))
    for number in range(nights):
        plan = replace(PLAN, night=FIRST + timedelta(days=number))
        print(json.dumps(asdict(_one(site, plan))), flush=True)
    site.corral.close()


def _one(site: SkyNight, plan: NightPlan) -> Grown:
    frames = _spoilt(site.camera(plan))
    began = time.monotonic()
    failures: list[str] = []
    for some in portions(frames[::-1], -(-len(frames) // PARTS)):  # calibrations come last
        site.arrive(some)
        failures = _work(site.corral, plan.night.isoformat())  # what waited before does no more
    seconds = time.monotonic() - began  # the audit goes through all of history
    failures += [str(violation) for violation in audit(site.corral, promises=TORITOS.promises)]
    shutil.rmtree(site.home / "camera")
    return _grown(site, plan.night.isoformat(), seconds, failures)


def _spoilt(frames: list[Path]) -> list[Path]:
    """Let one frame break off in the middle, and one come under two names."""
    last = frames[-1]
    half = last.with_name(f"half-{last.name}")
    half.write_bytes(last.read_bytes()[:30_000])
    again = shutil.copy(frames[0], frames[0].with_name(f"again-{frames[0].name}"))
    return sorted([*frames, half, Path(again)])


def _work(corral: Corral, night: str) -> list[str]:
    """Do what Airflow's tasks do for a night; give what failed."""
    reports = [drain(corral, TORITOS.loader())]
    reports += [drain(corral, step(), partition=night) for step in TORITOS.steps]
    reports += [drain(corral, each()) for each in (*TORITOS.alerts, *TORITOS.sweeps)]
    return [failure.message for report in reports for failure in report.failures]


def _grown(site: SkyNight, night: str, seconds: float, failures: list[str]) -> Grown:
    gc.collect()
    with site.corral.read() as session:
        mine: Any = Product.in_partition(night)
        kinds = session.scalars(select(Product.kind).where(Product.current, mine)).all()
        missing = sum(abs(each.difference) for each in account(session))
    return Grown(
        night=night,
        seconds=round(seconds, 2),
        memory_mb=round(_memory_mb(), 1),
        descriptors=len(list(Path("/proc/self/fd").iterdir())),
        threads=threading.active_count(),
        database_mb=round((site.home / "site" / "corral.db").stat().st_size / 1e6, 2),
        missing=missing,
        failures=failures,
        products=dict(Counter(kinds)),
    )


def _memory_mb() -> float:
    """Give what the process holds of its own now."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) / 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
