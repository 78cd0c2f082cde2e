"""Files of the store that no row names: what processes that died have left, and what is strange."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import select

from include.corral.corral import Corral
from include.corral.store import STAGING
from models.product import Product

# Names the database that the store belongs to; see `include.corral.orphans`.
MARK = ".corral-store"
_CONTENT_NAMED = re.compile(r"-[0-9a-f]{12}(\.[A-Za-z0-9]+)*$")


def orphans(corral: Corral) -> list[str]:
    """Give the files below the products' root that no row names; staged ones among them.

    They are no violation: nobody can find them. What is being written right now is among them.

    Returns
    -------
    list of str
        Paths relative to the root, in byte order.
    """
    return [path for path, _ in unnamed(corral)]


def unnamed(corral: Corral) -> Generator[tuple[str, os.DirEntry[str]]]:
    """Walk along files and rows, both in order; memory does not grow with their number."""
    root = corral.settings.products
    in_order: Any = Product.path
    if corral.engine.dialect.name == "postgresql":
        in_order = Product.path.collate("C")  # bytes, as SQLite has it
    query = select(Product.path).order_by(in_order).execution_options(yield_per=1000)
    # In a transaction: PostgreSQL sends rows by portions in no other way.
    with corral.lookup() as session, closing(session.scalars(query)) as rows:
        names = iter(rows)
        named = next(names, None)
        for path, entry in files_below(root):
            while named is not None and named < path:
                named = next(names, None)
            if path not in (named, MARK):
                yield path, entry


def is_ours(path: str) -> bool:
    """Tell whether the store made it: a staged file, or one named by its content."""
    return path.startswith(f"{STAGING}/") or _CONTENT_NAMED.search(path) is not None


def files_below(root: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Give all files, in byte order of their paths relative to `root`; no link is followed."""
    if root.is_dir():
        yield from _files_below(os.fspath(root), "")


def _files_below(folder: str, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=_name)
    except FileNotFoundError:  # it went while we walked
        return
    for entry in found:
        path = prefix + _name(entry)
        if path.endswith("/"):
            yield from _files_below(entry.path, path)
        else:
            yield path, entry


def _name(entry: os.DirEntry[str]) -> str:
    return f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name
