"""Fixtures that every test may use: databases, an installation, real frames."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from include.corral.corral import Corral
from include.corral.settings import Settings
from models.schema import upgrade
from models.session import make_engine
from tests.chaos.tally import (  # noqa: F401 - hooks of pytest
    pytest_report_header,
    pytest_runtest_logreport,
    pytest_terminal_summary,
)
from tests.databases import CleanDatabase, empty_database
from tools import postgres

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real frames that stands beside the project, or a skip that says so."""
    folder = Path(os.environ.get("CORRAL_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(
            "the real frames are not here (shared/data beside the project, or CORRAL_REAL_DATA)"
        )
    return folder


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a PostgreSQL server of this session's own, on loopback."""
    if postgres.server_binaries() is None:
        pytest.skip("PostgreSQL's server binaries are not installed")
    # Not below pytest's own folder: any other session of pytest closes that to the server's user.
    with TemporaryDirectory(prefix="corral-postgres-") as home, postgres.server(Path(home)) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """URL of an empty PostgreSQL database."""
    with empty_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def clean_postgres(postgres_server: str) -> Iterator[CleanDatabase]:
    """A PostgreSQL database with the schema, to be cleaned before each use."""
    with empty_database(postgres_server) as url:
        database = CleanDatabase(url)
        yield database
        database.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database with the schema, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "corral.db"
    engine = make_engine(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def corral(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Corral]:
    """An empty installation, once on SQLite and once on PostgreSQL."""
    home = tmp_path / "corral"
    home.mkdir()
    if request.param == "postgresql":
        url = request.getfixturevalue("clean_postgres").clean()
    else:
        url = None
        shutil.copy(request.getfixturevalue("sqlite_template"), home)
    installation = Corral(Settings.below(home, database_url=url))
    installation.settings.inbox.mkdir(parents=True)
    yield installation
    installation.close()
