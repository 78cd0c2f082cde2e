"""The lab: an installation with the tables of the tests, and processes that work in it."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.corral.corral import Corral
from tests.include.corral.lab import make_tables
from tests.include.corral.lab_worker import main

# Forked: a hundred kills must not cost a hundred imports.
FORK = multiprocessing.get_context("fork")


class Worker:
    """A process that drains one step of the lab."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self._answer, answer = FORK.Pipe(duplex=False)
        self.process = FORK.Process(target=main, args=(answer, arguments))
        self.process.start()
        answer.close()

    def signal(self, signum: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process.pid is not None
        os.kill(self.process.pid, signum)

    def end(self, timeout_s: float = 60) -> int | None:
        """Wait for its end, and give its exit code."""
        self.process.join(timeout_s)
        return self.process.exitcode

    def result(self) -> tuple[int, int, int]:
        """Wait for its end, and give how many units were done, failed and lost."""
        assert self.end() == 0
        answer: tuple[int, int, int] = self._answer.recv()
        return answer

    def clear(self) -> None:
        """End it, whatever it is doing."""
        self.process.kill()
        self.process.join()
        self._answer.close()
        self.process.close()


Start = Callable[..., Worker]


@pytest.fixture
def lab(corral: Corral) -> Corral:
    """An installation with pebbles."""
    make_tables(corral)
    return corral


@pytest.fixture
def start(lab: Corral) -> Iterator[Start]:
    """Start a process that drains one step of the lab; it is ended with the test."""
    running: list[Worker] = []

    def start_one(
        step: str,
        *,
        die: str = "",
        after: int = 0,
        mark: Path | None = None,
        lease_s: float = 900,
        **parameters: Any,
    ) -> Worker:
        arguments = {"step": step, "die": die, "after": after, "mark": mark}
        settings = replace(lab.settings, lease_s=lease_s)
        running.append(Worker({**arguments, "settings": settings, "parameters": parameters}))
        return running[-1]

    yield start_one
    for worker in running:
        worker.clear()
