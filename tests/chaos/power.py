"""What a disk may hold after the power failed, from the system calls of a process.

The model is stricter than most filesystems: what was written to a file is there after an fsync of
the file; a name is there after an fsync of its folder. Of the rest any part may be there, writes in
any order and torn between sectors; of the names in one folder, those up to some moment.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from tests.chaos.syscalls import Call

TRACED = "openat,read,write,pwrite64,lseek,ftruncate,fsync,fdatasync,rename,mkdir,unlink"
SECTOR = 512
_QUOTED = re.compile(r'[<"]((?:\\x[0-9a-f]{2})*)[>"]')
_FOLDER = -1


@dataclass(frozen=True, slots=True)
class Op:
    """One change, or one promise of the disk.

    Attributes
    ----------
    place
        The file's number, or the folder's path.
    data
        What is written; None cuts the file at `offset`.
    """

    what: Literal["write", "name", "sync", "sync_folder"]
    place: int | str
    offset: int = 0
    data: bytes | None = None
    name: str = ""
    target: int | None = None


@dataclass
class Recorded:
    """The changes that a process made below one folder, in their order."""

    root: Path
    ops: list[Op] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    contents: dict[int, bytes] = field(default_factory=dict)
    names: dict[str, dict[str, int]] = field(default_factory=dict)

    def start(self, before: Path) -> None:
        """Take what lies below `before` as what the disk held when it began."""
        self.names[""] = {}
        for path in sorted(before.rglob("*")):
            relative = path.relative_to(before)
            if path.name.endswith("-shm"):
                continue
            number = _FOLDER if path.is_dir() else len(self.numbers)
            if path.is_dir():
                self.names[str(relative)] = {}
            else:
                self.numbers[str(relative)] = number
                self.contents[number] = path.read_bytes()
            self.names[_folder(str(relative))][relative.name] = number

    def take(self, calls: Sequence[Call]) -> None:
        """Read them one by one."""
        for call in calls:
            texts = [_unhexed(text) for text in _QUOTED.findall(call.arguments)]
            self._take(call, texts)

    def _take(self, call: Call, texts: list[bytes]) -> None:
        descriptor = call.arguments.partition("<")[0]
        if call.name == "openat":
            self._open(call, texts)
        elif call.name == "lseek":
            self.positions[descriptor] = call.result
        elif call.name == "read":
            self.positions[descriptor] = self.positions.get(descriptor, 0) + call.result
        elif (path := self._below(texts[0])) is None:
            return
        elif call.name in {"mkdir", "unlink", "rename"}:
            self._rename(call.name, path, texts)
        else:
            self._change(call, path, descriptor, texts[-1][: call.result])

    def _rename(self, what: str, path: str, texts: list[bytes]) -> None:
        if what == "mkdir":
            self._name(path, _FOLDER)
            return
        number = self.numbers.pop(path, None)
        if what == "rename":
            final = self._below(texts[1])
            assert final is not None, "renamed to another place"
            assert number is not None, f"{path} was not seen to be made"
            self.numbers[final] = number
            self._name(final, number)
        self._name(path, None)

    def _open(self, call: Call, texts: list[bytes]) -> None:
        self.positions[str(call.result)] = 0
        path = self._below(texts[1])
        if path is None or "O_CREAT" not in call.arguments or path in self.numbers:
            return
        self.numbers[path] = len(self.numbers) + 1000 * (1 + len(self.ops))
        self._name(path, self.numbers[path])

    def _change(self, call: Call, path: str, descriptor: str, data: bytes) -> None:
        number = self.numbers.get(path)
        if call.name in {"fsync", "fdatasync"}:
            folder = "" if path == "." else path
            self.ops.append(Op("sync", number) if number is not None else Op("sync_folder", folder))
            return
        assert number is not None, f"{path} was not seen to be made"
        last = call.arguments.rpartition(", ")[2]
        if call.name == "write":
            offset = self.positions.get(descriptor, 0)
            self.positions[descriptor] = offset + call.result
        else:
            offset = int(last)
        self.ops.append(Op("write", number, offset, None if call.name == "ftruncate" else data))

    def _below(self, path: bytes) -> str | None:
        """Path relative to the root; None where it is elsewhere, or shared memory."""
        place = PurePosixPath(path.decode())
        if not place.is_relative_to(self.root) or place.name.endswith("-shm"):
            return None
        return str(place.relative_to(self.root))

    def _name(self, path: str, target: int | None) -> None:
        name = PurePosixPath(path).name
        self.ops.append(Op("name", _folder(path), name=name, target=target))


def lay_out(recorded: Recorded, end: int, place: Path, *, kept: float, dice: random.Random) -> None:
    """Put into `place` what the disk may hold when the power fails after `end` changes.

    Each write that was not synced is kept with the chance `kept`; half of these are torn.
    """
    writes: defaultdict[int | str, list[Op]] = defaultdict(list)
    names = {folder: dict(entries) for folder, entries in recorded.names.items()}
    held: defaultdict[int | str, list[Op]] = defaultdict(list)
    loose: defaultdict[int | str, list[Op]] = defaultdict(list)
    for op in recorded.ops[:end]:
        if op.what == "write":
            loose[op.place].append(op)
        elif op.what == "name":
            held[op.place].append(op)
        elif op.what == "sync":
            writes[op.place] += loose.pop(op.place, [])
        else:
            _enter(names, held.pop(op.place, []))
    for number, some in loose.items():
        for op in some:
            writes[number] += _survivors(op, kept, dice)
    for some in held.values():
        _enter(names, some[: round(len(some) * min(1.0, dice.uniform(0, 2) * kept))])
    _write_out(recorded, names, writes, "", place)


def _enter(names: dict[str, dict[str, int]], ops: Sequence[Op]) -> None:
    for op in ops:
        entries = names.setdefault(str(op.place), {})
        if op.target is None:
            entries.pop(op.name, None)
        else:
            entries[op.name] = op.target


def _survivors(op: Op, kept: float, dice: random.Random) -> Iterator[Op]:
    if dice.random() >= kept:
        return
    if op.data is None or dice.random() < 0.5:
        yield op
        return
    for start in range(0, len(op.data), SECTOR):
        if dice.random() < 0.5:
            yield Op("write", op.place, op.offset + start, op.data[start : start + SECTOR])


def _write_out(
    recorded: Recorded,
    names: dict[str, dict[str, int]],
    writes: dict[int | str, list[Op]],
    folder: str,
    place: Path,
) -> None:
    place.mkdir(exist_ok=True)
    for name, number in names.get(folder, {}).items():
        path = f"{folder}/{name}".lstrip("/")
        if number == _FOLDER:
            _write_out(recorded, names, writes, path, place / name)
        else:
            content = bytearray(recorded.contents.get(number, b""))
            for op in writes.get(number, []):
                _apply(content, op)
            (place / name).write_bytes(content)


def _apply(content: bytearray, op: Op) -> None:
    end = op.offset + len(op.data or b"")
    content.extend(bytes(max(0, end - len(content))))
    if op.data is None:
        del content[op.offset :]
    else:
        content[op.offset : end] = op.data


def _unhexed(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _folder(path: str) -> str:
    parent = str(PurePosixPath(path).parent)
    return "" if parent == "." else parent
