"""Far sides on this machine of the channels that the project has."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from include.corral.channel import Channel
from include.corral.channels.file import FileChannel
from include.corral.channels.voevent import VOEventChannel
from tests.include.corral.channels.conftest import Site, hang_up, status
from tests.include.corral.channels.contract import FarSide, Taken

Read = Callable[[dict[str, str], bytes], Taken]


class Web(FarSide):
    """A web server; `make` gives the channel for its URL, `read` what a request says."""

    def __init__(self, site: Site, make: Callable[..., Channel], read: Read) -> None:
        self.site, self._make, self._read = site, make, read
        self.accepted: list[int] = []
        self.reopen()

    def channel(self, **options: Any) -> Channel:
        return self._make(self.site.url, **options)

    def taken(self) -> list[Taken]:
        return [self._read(*self.site.requests[number]) for number in self.accepted]

    def close(self) -> None:
        self.site.answer = status(503)

    def reopen(self) -> None:
        self.site.answer = self._accepting(status(200))

    def break_off(self) -> bool:
        self.site.answer = self._accepting(hang_up)
        return True

    def refuse(self) -> bool:
        self.site.answer = status(422)
        return True

    def _accepting(
        self, answer: Callable[[BaseHTTPRequestHandler], None]
    ) -> Callable[[BaseHTTPRequestHandler], None]:
        def accept(handler: BaseHTTPRequestHandler) -> None:
            self.accepted.append(len(self.site.requests) - 1)
            answer(handler)

        return accept


class Blind(Web):
    """Behind a library that only tells whether it went well."""

    can_tell = False


class Disk(FarSide):
    """A folder that can be in the way."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._aside = folder.with_name("aside")

    def close(self) -> None:
        if self.folder.exists():
            self.folder.rename(self._aside)
        self.folder.write_text("a file where the folder should be")

    def reopen(self) -> None:
        self.folder.unlink()
        if self._aside.exists():
            self._aside.rename(self.folder)


class Lines(Disk):
    """A file of lines."""

    def channel(self, **options: Any) -> Channel:
        return FileChannel(path=str(self.folder / "alerts.jsonl"), **options)

    def taken(self) -> list[Taken]:
        path = self.folder / "alerts.jsonl"
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        return [read_json({}, line) for line in lines]


class Packets(Disk):
    """A folder of packets; one that comes twice takes its own place."""

    def channel(self, **options: Any) -> Channel:
        return VOEventChannel(stream="example.org/toritos", folder=str(self.folder), **options)

    def taken(self) -> list[Taken]:
        paths = sorted(self.folder.glob("*.xml")) if self.folder.is_dir() else []
        return [read_packet({}, path.read_bytes()) for path in paths]


def read_json(_headers: dict[str, str], body: bytes) -> Taken:
    """As a receiver of the webhook."""
    message = json.loads(body)
    return Taken(message["message_id"], f"{message['subject']}\n{message['text']}", len(body))


def read_note(_headers: dict[str, str], body: bytes) -> Taken:
    """As a chat: all it has of an identity stands at the end of the text."""
    note = json.loads(body)
    text = note["message"]
    return Taken(text.rpartition("#")[2], f"{note['title']}\n{text}", len(body))


def read_packet(_headers: dict[str, str], body: bytes) -> Taken:
    """As a broker."""
    root = ET.fromstring(body)
    texts = [root.findtext("Why/Description", ""), root.findtext("Description", "")]
    return Taken(root.attrib["ivorn"], "\n".join(texts), len(body))
