"""Databases to measure on: a file, and a PostgreSQL server of our own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def postgres() -> Iterator[str | None]:
    """URL of an empty database on loopback, durable as it comes; None without the binaries."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not places:
        yield None
        return
    home = Path(tempfile.mkdtemp(prefix="corral-bench-"))
    home.chmod(0o755)
    # PostgreSQL refuses to run as root.
    user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    if user:
        shutil.chown(home, "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    control = [*user, str(places[-1] / "pg_ctl"), "-D", f"{home}/data", "-w"]
    options = f"-p {port} -k {home} -c listen_addresses=127.0.0.1"
    initdb = [str(places[-1] / "initdb"), "-D", f"{home}/data", "-A", "trust", "-U", "corral"]
    try:
        _run([*user, *initdb])
        _run([*control, "-o", options, "-l", f"{home}/log", "start"])
        yield f"postgresql://corral@127.0.0.1:{port}/postgres"
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            _run([*control, "-m", "fast", "stop"])
        shutil.rmtree(home, ignore_errors=True)


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, cwd="/")  # noqa: S603 - our own
