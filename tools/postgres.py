"""A PostgreSQL server of one's own, on loopback, for tests and measurements."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

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
    user = "postgres" if os.getuid() == 0 else None
    if user:
        shutil.chown(home, "postgres")
    data = home / "data"
    initdb = [binaries / "initdb", "-D", data, "-A", "trust", "-U", "corral", "--no-sync"]
    _run(user, *initdb)
    port = _free_port()
    settings = {"listen_addresses": "127.0.0.1"} | ({} if durable else FAST)
    options = f"-p {port} -k {home} " + " ".join(f"-c {k}={v}" for k, v in settings.items())
    control = [binaries / "pg_ctl", "-D", data, "-w"]
    _run(user, *control, "-o", options, "-l", home / "server.log", "start")
    try:
        yield f"postgresql://corral@127.0.0.1:{port}/postgres"
    finally:
        _run(user, *control, "-m", "immediate", "stop")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _run(user: str | None, *command: object) -> None:
    """Run a command as `user`, or as oneself; what it says is in the error when it fails."""
    words = [str(word) for word in command]
    # The server goes on after pg_ctl: it must not hold a pipe that is waited for.
    with TemporaryFile() as said:
        code = subprocess.call(
            words,
            stdout=said,
            stderr=said,
            cwd="/",
            user=user,
            group=user,
            extra_groups=[] if user else None,
        )
        if code:
            said.seek(0)
            raise RuntimeError(f"{' '.join(words)}: {said.read().decode(errors='replace')}")
