"""One running Airflow for all system tests: scheduler, triggerer, DAG processor, API server."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.settings import Settings
from include.toritos.loader import FitsInbox
from include.toritos.simulator import NightPlan, simulate_night
from models import Product
from tests.bad_servers import BadSite
from tests.databases import empty_database
from tests.mail_office import Office
from tests.system.held import held
from tools import postgres
from tools.airflow_api import AirflowApi, Run
from tools.airflow_env import ROOT
from tools.processes import marked
from tools.stack import Stack

HERE = Path(__file__).parent
RECIPIENT = "night-shift@example.org"
RECEIVER_SECRET = "a-long-random-text"
PROJECT_DAGS = ("toritos_load", "toritos_night", "toritos_arrival")
MISHAPS = ("killed", "crash", "hungry", "bad", "again", "flaky", "endless", "slowreduce")
TEST_DAGS = ("kelvin", "past_nights", "dawdle", "notes", *(f"mishap_{name}" for name in MISHAPS))


@pytest.fixture(scope="session")
def mailbox() -> Iterator[Office]:
    """Takes every mail that the stack sends."""
    with Office() as box:
        yield box


@pytest.fixture(scope="session")
def receiver() -> Iterator[BadSite]:
    """Takes every message that the stack posts; it never fails."""
    with BadSite() as site:
        yield site


def _bundle(name: str, path: Path) -> dict[str, object]:
    classpath = "airflow.dag_processing.bundles.local.LocalDagBundle"
    return {"name": name, "classpath": classpath, "kwargs": {"path": str(path)}}


@pytest.fixture(scope="session")
def broken_dags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of DAG files for tests that put broken ones there."""
    return tmp_path_factory.mktemp("broken_dags")


@pytest.fixture(scope="session")
def metadata_database(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Airflow's own database as a site has it; with SQLite, writers starve on a busy machine."""
    if postgres.server_binaries() is None:
        print("Airflow keeps its metadata in SQLite: PostgreSQL's server is not installed")
        yield {}
        return
    with empty_database(request.getfixturevalue("postgres_server")) as url:
        driven = url.replace("postgresql:", "postgresql+psycopg:")  # the default asks for asyncpg
        yield {f"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN{kind}": driven for kind in ("", "_ASYNC")}


@pytest.fixture(scope="session")
def stack(
    tmp_path_factory: pytest.TempPathFactory,
    mailbox: Office,
    receiver: BadSite,
    broken_dags: Path,
    metadata_database: dict[str, str],
) -> Iterator[Stack]:
    """A healthy stack that has the project's DAGs and those of these tests, none of them paused."""
    home = tmp_path_factory.mktemp("airflow")
    bundles = [
        _bundle("dags-folder", ROOT / "dags"),
        _bundle("tests", HERE / "dags"),
        _bundle("broken", broken_dags),
    ]
    paths = (ROOT, ROOT / "plugins", ROOT / "config", HERE / "dags")
    extra = {
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "CORRAL_ALERT_TO": RECIPIENT,
        "CORRAL_CHANNELS": str(_channels(home, receiver)),
        "RECEIVER_SECRET": RECEIVER_SECRET,
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
    } | metadata_database
    installation = home / "corral"
    (installation / "inbox").mkdir(parents=True)
    _make_tables(installation)
    with Stack(home, smtp_port=mailbox.port, extra=extra) as running, running.api() as api:
        api.wait_for_dags(*PROJECT_DAGS, *TEST_DAGS)
        for dag_id in (*PROJECT_DAGS, *TEST_DAGS):
            if dag_id != "past_nights":  # it would begin before its frames are there
                api.unpause(dag_id)
        yield running
    assert marked(home) == []


def _channels(home: Path, receiver: BadSite) -> Path:
    """Write a site's file of channels."""
    path = home / "channels.toml"
    path.write_text(
        f'[email]\nto = "{RECIPIENT}"\nmessages_per_hour = 1000\n'
        f'[few]\nkind = "email"\nto = "{RECIPIENT}"\nmessages_per_hour = 5\n'
        f'[page]\nkind = "webhook"\nurl = "{receiver.url}"\nsecret = "env:RECEIVER_SECRET"\n'
    )
    return path


def _make_tables(installation: Path) -> None:
    sys.path.insert(0, str(HERE / "dags"))
    import kelvin
    import mishaps

    from models import Base

    corral = Corral(Settings.below(installation))
    tables = [m.__table__ for m in (kelvin.Reading, kelvin.Kelvin, mishaps.Sample, mishaps.Result)]
    Base.metadata.create_all(corral.engine, tables)
    corral.close()


@pytest.fixture(scope="session")
def api(stack: Stack) -> Iterator[AirflowApi]:
    """The REST API that the UI uses."""
    with stack.api() as client:
        yield client


@pytest.fixture(scope="session")
def everything_logged(api: AirflowApi) -> Callable[[Run, str], str]:
    """The log of a task's first try with all that belongs to its events: errors, reasons."""

    def read(run: Run, task_id: str) -> str:
        path = f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task_id}/logs/1"
        return json.dumps(api.get(path, full_content=True)["content"], ensure_ascii=False)

    return read


@pytest.fixture(scope="session")
def installation(stack: Stack) -> Iterator[Corral]:
    """The pipeline's own database, inbox and products, as the stack's tasks use them."""
    corral = Corral(Settings.from_env(stack.env))
    yield corral
    corral.close()


@pytest.fixture(scope="session")
def small_night(installation: Corral) -> Callable[..., str]:
    """Writes the frames of a small night into the inbox, and gives its key."""

    def simulate(night: date, *, science: int = 2) -> str:
        plan = NightPlan(
            night=night,
            size_px=256,
            biases=3,
            darks={60.0: 3},
            flats={"V": 3, "R": 3},
            science={"V": science, "R": science},
        )
        # The whole night comes at once: while it was written, the stack would begin with a part.
        inbox = installation.settings.inbox
        camera = inbox.parent / "camera" / night.isoformat()
        simulate_night(plan, camera)
        camera.rename(inbox / night.isoformat())
        return night.isoformat()

    return simulate


@pytest.fixture(scope="session")
def loaded_night(
    api: AirflowApi, installation: Corral, small_night: Callable[..., str]
) -> Callable[..., str]:
    """As `small_night`, with the frames loaded by nobody in the stack.

    A run of `toritos_load` that met one of them would announce the night, and `toritos_arrival`
    would do what the test is about to ask for.
    """

    def simulate(night: date, *, science: int = 2) -> str:
        with held(api, "toritos_load"):
            key = small_night(night, science=science)
            report = drain(installation, FitsInbox())
        assert not report.failures
        return key

    return simulate


@pytest.fixture(scope="session")
def products_of(installation: Corral) -> Callable[[str], Counter[str]]:
    """Counts the current products of a night by kind; their files are there."""

    def count(night: str) -> Counter[str]:
        query = select(Product).where(Product.in_partition(night), Product.current)
        with installation.read() as session:
            products = session.scalars(query).all()
        assert all(installation.store.locate(product.path).is_file() for product in products)
        return Counter(product.kind for product in products)

    return count
