"""Loaders: the only door by which data enter the stream."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from include.corral.grouping import short_key
from include.corral.processor import Processor, Rows
from models.base import Base, canonical_json

if TYPE_CHECKING:
    from include.corral.corral import Corral
    from include.corral.ledger import OpenRun
    from include.corral.run import Run
    from include.corral.work import LoaderWork


@dataclass(frozen=True, slots=True)
class Item:
    """Something that may enter the stream.

    Attributes
    ----------
    key
        Names it for ever: a file's path, say.
    stamp
        Changes when it does: a file's size and time, say. Equal stamps are not looked at twice.
    value
        What ``process`` is given.
    """

    key: str
    stamp: str
    value: Any
    partition: str = ""


class Loader(Processor):
    """Brings data in, each piece once, however often it is triggered.

    The plain way is to generate rows: a row whose content was loaded before is passed over. Where
    that is not enough (files, services), generate items and turn each into rows in ``process``.

    Examples
    --------
    >>> class Thermometer(Loader):                                # doctest: +SKIP
    ...     def generate(self, corral):
    ...         for line in open("thermometer.txt"):
    ...             yield Reading(value=float(line))
    """

    @abstractmethod
    def generate(self, corral: Corral) -> Iterable[Item | Base]:
        """Give what is there now, known or not; cheap, as it is called at every trigger."""

    def process(self, work: Any, run: Run) -> Rows:
        """Turn an item's value into rows; by default it is the row itself."""
        rows: Rows = work
        return rows

    def as_item(self, made: Item | Base) -> Item:
        """Give a generated row as item, named by its content.

        Names that no database takes (too long, not UTF-8) are changed into some that all take.
        """
        if isinstance(made, Item):
            return replace(made, key=short_key(made.key))
        key = hashlib.sha256(canonical_json([type(made).__name__, made.content()]).encode())
        return Item(key.hexdigest(), "", made)

    def fingerprint(self, item: Item) -> str:
        """Identity of what would be loaded; a row's content alone, whatever the version."""
        known = [item.key] if isinstance(item.value, Base) else [self.signature, item.stamp]
        return hashlib.sha256(canonical_json(known).encode()).hexdigest()

    def work(self, corral: Corral, run: OpenRun) -> LoaderWork:
        """Give the queue of this loader."""
        from include.corral.work import LoaderWork

        return LoaderWork(corral, self, run)
