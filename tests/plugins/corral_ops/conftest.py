"""An installation behind the connection `corral_default`, rows to work on, a mail server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.orm import Mapped, mapped_column

from include.corral.corral import Corral
from include.corral.errors import BadData, UpstreamMissing
from include.corral.loader import Loader
from include.corral.settings import Settings
from include.corral.step import Step
from models import Base
from tests.mail_office import Office, smtp_connection


class Reading(Base):
    __tablename__ = "glue_reading"
    id: Mapped[int] = mapped_column(primary_key=True)
    celsius: Mapped[float]
    day: Mapped[str]

    @property
    def partition_key(self) -> str:
        return self.day


class Kelvin(Base):
    __tablename__ = "glue_kelvin"
    id: Mapped[int] = mapped_column(primary_key=True)
    kelvin: Mapped[float]


class Thermometer(Loader):
    """Two readings a day; `faulty` names a line that cannot be read."""

    parameters = {"days": 2, "faulty": False}

    def generate(self, corral):
        for day in range(self.parameters["days"]):
            for value in (1.0, 2.0):
                yield Reading(celsius=value, day=f"2026-11-{20 + day}")

    def process(self, work, run):
        if self.parameters["faulty"] and work.celsius == 2.0:
            raise BadData("{{ 7*7 }} is not a temperature")
        return work


class ToKelvin(Step):
    """`below` fails readings under it: as bad data, or as waiting for something."""

    model = Reading
    parameters = {"below": -300.0, "waiting": False}

    def process(self, reading, run):
        if reading.celsius < self.parameters["below"]:
            raise (UpstreamMissing if self.parameters["waiting"] else BadData)("too cold")
        yield Kelvin(kelvin=reading.celsius + 273.15)


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Corral]:
    """What `corral_default` leads to; its tables are there and empty."""
    extra = {"home": str(tmp_path), "alert_to": "night@example.org, shift@example.org"}
    connection = {"conn_type": "corral", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_CORRAL_DEFAULT", json.dumps(connection))
    corral = Corral(Settings.below(tmp_path, pipeline={"alert_to": extra["alert_to"]}))
    corral.settings.inbox.mkdir()
    Base.metadata.create_all(corral.engine, [Reading.__table__, Kelvin.__table__])
    yield corral
    corral.close()


class OutletEvents(dict[Any, Any]):
    """Takes what a task announces, as Airflow's own accessor does."""

    def __missing__(self, asset: Any) -> Any:
        keys: list[str] = []
        self[asset] = SimpleNamespace(add_partitions=keys.extend, keys=keys)
        return self[asset]


@pytest.fixture
def make_context() -> Callable[..., dict[str, Any]]:
    """Gives the part of a task's context that the operators use."""

    def make(
        *, task_id: str = "task", try_number: int = 1, run_id: str = "run", **others: Any
    ) -> dict[str, Any]:
        task = SimpleNamespace(
            dag_id="dag",
            run_id=run_id,
            task_id=task_id,
            map_index=-1,
            try_number=try_number,
            log_url="http://127.0.0.1:8080/dags/dag/runs/run",
        )
        return {"ti": task, "run_id": run_id, "outlet_events": OutletEvents(), **others}

    return make


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """What `smtp_default` leads to."""
    with Office() as office:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", smtp_connection(office.port))
        yield office


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """`smtp_default` leads to where nobody listens."""
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", smtp_connection(1))
