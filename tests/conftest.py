"""Fixtures that every test may use: databases, an installation, real frames."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from include.corral.corral import Corral
from include.corral.settings import Settings

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real frames that stands beside the project, or a skip that says so."""
    folder = Path(os.environ.get("CORRAL_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the real frames are not here (shared/data beside the project, or CORRAL_REAL_DATA)")
    return folder


def _postgres_binaries() -> Path | None:
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists()), None)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a PostgreSQL server of this session's own, on loopback."""
    binaries = _postgres_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL's server binaries are not installed")
    home = tmp_path_factory.mktemp("postgres")
    # PostgreSQL refuses to run as root.
    user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    if user:
        shutil.chown(home, "postgres")
        for parent in list(home.parents)[:3]:
            parent.chmod(parent.stat().st_mode | 0o011)
    data = home / "data"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 -c fsync=on"
    initdb = [binaries / "initdb", "-D", data, "-A", "trust", "-U", "corral", "--no-sync"]
    subprocess.run([*user, *map(str, initdb)], check=True, capture_output=True, cwd="/")
    control = [*user, str(binaries / "pg_ctl"), "-D", str(data), "-w"]
    log = str(home / "server.log")
    subprocess.run(
        [*control, "-o", options, "-l", log, "start"], check=True, capture_output=True, cwd="/"
    )
    yield f"postgresql://corral@127.0.0.1:{port}/postgres"
    subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True, cwd="/")


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """URL of an empty PostgreSQL database."""
    name = f"corral_{uuid.uuid4().hex[:12]}"
    engine = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield postgres_server.rpartition("/")[0] + f"/{name}"
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def corral(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Corral]:
    """An empty installation, once on SQLite and once on PostgreSQL."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    installation = Corral(Settings.below(tmp_path / "corral", database_url=url))
    installation.settings.inbox.mkdir(parents=True)
    yield installation
    installation.close()
