"""The audit: what the ledger promises, compared with what the database and the store hold.

It only reads. On a sound installation it finds nothing, at any moment, whatever was killed before;
each check names the promise (I1, I2, … of the reliability contract) that it looks at. What rows say
of each other is in ``promises_work`` and ``promises_data``; here are the files.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import select

from include.corral.corral import Corral
from include.corral.errors import ConfigurationError
from include.corral.promises_data import DATA
from include.corral.promises_work import WORK
from include.corral.stray import orphans
from include.corral.violation import Promise, Violation
from models.product import Product

__all__ = ["Violation", "audit", "orphans", "scrub"]

# Rows looked at in one transaction: nothing stays open while files are read.
ROWS = 1000
# Of one promise; a store that is not mounted breaks one of them a million times.
AT_MOST = 1000


def audit(
    corral: Corral,
    *,
    deep: bool = True,
    promises: Sequence[Promise] = (),
    at_most: int = AT_MOST,
) -> list[Violation]:
    """Look for broken promises.

    Parameters
    ----------
    corral
        The installation.
    deep
        Also read every product's file and compare its hash; otherwise its size only.
    promises
        Of the pipeline, beside those that every ledger makes.
    at_most
        How many violations of one promise are named; there may be more.

    Returns
    -------
    list of Violation
        Empty when all is well.
    """
    found: list[Violation] = []
    for promise in (*WORK, *DATA, *promises):
        with corral.read() as session:
            found += islice(promise(session), at_most)
    return found + list(islice(_files(corral, deep=deep), at_most))


def scrub(corral: Corral, *, after: int, seconds: float) -> tuple[list[Violation], int]:
    """Compare the hashes of as many products as fit into the time, in the order they were made.

    Parameters
    ----------
    corral
        The installation.
    after
        Id of the product at which the last call ended; 0 begins anew.
    seconds
        After which no further file is begun.

    Returns
    -------
    violations
        Of the files that were read.
    last
        Id of the last product; 0 when the end was reached.
    """
    began = time.monotonic()
    found: list[Violation] = []
    for row in _products(corral, after):
        found += _file(corral, row, deep=True)
        if time.monotonic() - began >= seconds:
            return found, row.id
    return found, 0


def _files(corral: Corral, *, deep: bool) -> Iterator[Violation]:
    """I1, I3: every product's file is there, whole."""
    root = corral.settings.products
    rows = _products(corral, 0)
    first = next(rows, None)
    if first is None:
        return
    if not root.is_dir():
        yield Violation("I3", str(root), "the products' root is missing, and every product with it")
        return
    yield from _file(corral, first, deep=deep)
    for row in rows:
        yield from _file(corral, row, deep=deep)


def _products(corral: Corral, after: int) -> Iterator[Any]:
    columns = (Product.id, Product.path, Product.sha256, Product.size_bytes)
    while rows := _next_products(corral, columns, after):
        yield from rows
        after = rows[-1].id


def _next_products(corral: Corral, columns: Sequence[Any], after: int) -> list[Any]:
    query = select(*columns).where(Product.id > after).order_by(Product.id).limit(ROWS)
    with corral.read() as session:
        return list(session.execute(query))


def _file(corral: Corral, row: Any, *, deep: bool) -> Iterator[Violation]:
    if not deep and _is_as_long(f"{corral.settings.products}/{row.path}", row.size_bytes):
        return
    subject = f"product {row.id}"
    try:
        place = corral.store.locate(row.path)
        if not place.is_file():
            yield Violation("I3", subject, f"its file {row.path} is missing")
        elif (size := place.stat().st_size) != row.size_bytes:
            yield Violation("I1", subject, f"{row.path}: {size} bytes, not {row.size_bytes}")
        elif deep and not corral.store.verify(row.path, row.sha256):
            yield Violation("I1", subject, f"{row.path}: its content has changed")
    except (OSError, ConfigurationError) as error:
        yield Violation("I3", subject, f"its file {row.path} cannot be read: {error}")


def _is_as_long(place: str, size_bytes: int) -> bool:
    """Tell, as fast as it can be told of a million, whether a plain file of that size is there."""
    try:
        state = os.lstat(place)
    except OSError:
        return False
    return stat.S_ISREG(state.st_mode) and state.st_size == size_bytes
