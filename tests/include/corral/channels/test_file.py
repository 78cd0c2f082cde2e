"""A file grows by whole lines."""

from __future__ import annotations

import json
import multiprocessing
import resource
import signal
from pathlib import Path

import pytest

from include.corral.channel import NotNow
from include.corral.channels.file import FileChannel
from tests.include.corral.channels.conftest import make_message

FORK = multiprocessing.get_context("fork")


def test_each_message_is_one_line_of_json(tmp_path: Path) -> None:
    """Whatever the text holds."""
    channel = FileChannel(path=str(tmp_path / "new" / "alerts.jsonl"))
    for body in ("a\nb", "ü {{ 7*7 }}"):
        channel.send(make_message(body=body))
    lines = channel.path.read_text().splitlines()
    assert [json.loads(line)["alerts"][0]["body"] for line in lines] == ["a\nb", "ü {{ 7*7 }}"]


def test_place_that_cannot_be_written_is_not_now(tmp_path: Path) -> None:
    """A disk may be mounted later."""
    (tmp_path / "file").write_text("")
    with pytest.raises(NotNow, match="alerts"):
        FileChannel(path=str(tmp_path / "file" / "alerts")).send(make_message())


def test_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    """The next message begins on a line of its own."""
    path = tmp_path / "alerts"
    path.write_bytes(b"whole\n")
    child = FORK.Process(target=send_too_much, args=(path,))
    child.start()
    child.join()
    assert child.exitcode == 0
    assert path.read_bytes() == b"whole\n"


def send_too_much(path: Path) -> None:
    """In a process whose files may have 100 bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    with pytest.raises(NotNow):
        FileChannel(path=str(path)).send(make_message())
