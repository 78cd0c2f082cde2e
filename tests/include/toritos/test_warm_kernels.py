"""After warming up, the steps of a night compile nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
NIGHT = """
import importlib, pkgutil, sys
from datetime import date
from pathlib import Path

import include.ccd
from include.ccd.warmup import warm_up
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.settings import Settings
from include.toritos.pipeline import TORITOS
from include.toritos.loader import FitsInbox
from include.toritos.simulator import NightPlan, simulate_night


def signatures():
    names = [m.name for m in pkgutil.iter_modules(include.ccd.__path__) if "kernels" in m.name]
    modules = [importlib.import_module(f"include.ccd.{name}") for name in names]
    kernels = [k for module in modules for k in vars(module).values() if hasattr(k, "signatures")]
    return {(k.__name__, str(s)) for k in kernels for s in k.signatures}


def main():
    warm_up()
    warm = signatures()
    site = Corral(Settings.below(Path(sys.argv[1]), pipeline={"still_s": "0"}))
    plan = NightPlan(
        night=date(2026, 11, 20), size_px=256, biases=3, darks={60.0: 3}, flats={"V": 3},
        science={"V": 6}, exptime_s=60.0, seed=7,
    )
    simulate_night(plan, site.settings.inbox)
    done = {step.name: drain(site, step()).done for step in (FitsInbox, *TORITOS.steps)}
    site.close()
    assert done["ReduceScience"] == 6, done
    for name, signature in sorted(signatures() - warm):
        print(name, signature)


if __name__ == "__main__":
    main()
"""


def test_steps_of_a_night_find_their_kernels_compiled(tmp_path: Path) -> None:
    """No kernel meets types in a night that it has not met before."""
    script = tmp_path / "night.py"
    script.write_text(NIGHT)
    ended = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "site")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == ""
