"""Run the tests part by part and say how long each part took: `python -m tools.run_tests fast`."""

from __future__ import annotations

import subprocess
import sys

from tools.airflow_env import ROOT
from tools.progress import Stopwatch, print_progress

SLOW = ("system", "chaos", "soak", "bench")
PARTS: dict[str, tuple[str, ...]] = {
    # One file stays in one process: its fixtures are made once.
    "fast": ("-m", f"not ({' or '.join(SLOW)})", "-n", "2", "--dist", "loadfile"),
    # -s lets the waiting for Airflow be seen.
    "system": ("-m", "system", "-s", "-v"),
    # Prints its seed; SEED=… in the environment does the same again. A few tests take most of the
    # time, so that a process which has done its half takes from the other's.
    "chaos": ("-m", "chaos", "-n", "2", "--dist", "worksteal", "--timeout", "3600", "tests"),
    "soak": ("-m", "soak", "-s", "tests/soak"),
}
# Without a name: what every change has to pass.
DEFAULT = ("fast", "system")


def run_part(name: str, *, options: list[str]) -> int:
    """Return pytest's exit code for one part."""
    command = [sys.executable, "-m", "pytest", *PARTS[name], *options]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def main(argv: list[str]) -> int:
    """Run the named parts, all of them even when one fails; what begins with - is pytest's."""
    names = [word for word in argv if not word.startswith("-")] or list(DEFAULT)
    options = [word for word in argv if word.startswith("-")]
    if unknown := set(names) - PARTS.keys():
        print_progress(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
        return 2
    watch = Stopwatch()
    failed = []
    for name in names:
        with watch.part(f"tests: {name}"):
            if run_part(name, options=options):
                failed.append(name)
    print_progress(f"\nTook\n{watch.table()}")
    print_progress(f"failed: {', '.join(failed)}" if failed else "all tests passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
