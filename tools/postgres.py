"""A PostgreSQL server of one's own, on loopback, for tests and measurements."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Nothing here must survive a power cut, only a kill.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def server_binaries() -> Path | None:
    """Return the folder of initdb and pg_ctl, or None where the server is not installed."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists()), None)


@contextmanager
def server(home: Path, *, durable: bool = False) -> Iterator[str]:
    """Run a server that keeps its data in `home`, and yield the URL of its first database.

    `home` must lie where the user `postgres` may go. `durable` makes the server wait for the disk
    at each commit, as one does that holds real data.
    """
    binaries = server_binaries()
    if binaries is None:
        raise FileNotFoundError("PostgreSQL's server binaries are not installed")
    # PostgreSQL refuses to run as root.
    user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    if user:
        shutil.chown(home, "postgres")
    data = home / "data"
    initdb = [binaries / "initdb", "-D", data, "-A", "trust", "-U", "corral", "--no-sync"]
    _run(*user, *initdb)
    port = _free_port()
    settings = {"listen_addresses": "127.0.0.1"} | ({} if durable else FAST)
    options = f"-p {port} -k {home} " + " ".join(f"-c {k}={v}" for k, v in settings.items())
    control = [*user, binaries / "pg_ctl", "-D", data, "-w"]
    _run(*control, "-o", options, "-l", home / "server.log", "start")
    try:
        yield f"postgresql://corral@127.0.0.1:{port}/postgres"
    finally:
        _run(*control, "-m", "immediate", "stop")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True, cwd="/")
