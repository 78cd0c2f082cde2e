"""Where a pipeline lives: its database, its inbox, its products."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations
from pathlib import Path
from typing import Any, Self

from include.corral.errors import ConfigurationError

LEASE_S = 900.0


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All the kernel needs to know of an installation.

    Attributes
    ----------
    database_url
        SQLAlchemy URL, sqlite or postgresql.
    inbox
        Folder of raw frames; only ever read.
    more_inboxes
        Others beside it, with different names. In rows, a file of ``/mnt/nas`` has the path
        ``.nas/2026-11-20/a.fits``, which none of the first can have: names with a dot are hidden.
    products
        Root of the products' store, the one tree that steps write to.
    pipeline
        Options that are the pipeline's own (TORITOS: ``profile``, ``campaign``).
    lease_s
        How long a claimed unit is left to a worker that gives no sign of life.
    """

    database_url: str = field(repr=False)  # it may hold a password
    inbox: Path
    products: Path
    pipeline: Mapping[str, str]
    lease_s: float = LEASE_S
    more_inboxes: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        _refuse_ambiguous((self.inbox, *self.more_inboxes))

    @property
    def reports(self) -> Path:
        """Folder of reports: ``reports`` beside the products, or where ``CORRAL_REPORTS`` says."""
        own = self.pipeline.get("reports")
        return Path(own).absolute() if own else self.products.parent / "reports"

    @property
    def inboxes(self) -> dict[str, Path]:
        """Every inbox by what the paths of its files begin with in rows; the first by nothing."""
        return {"": self.inbox} | {f".{inbox.name}/": inbox for inbox in self.more_inboxes}

    def inbox_of(self, path: str) -> tuple[Path, str]:
        """Give the inbox of a raw file by its path in rows, and its path below that."""
        for prefix, inbox in self.inboxes.items():
            if prefix and path.startswith(prefix):
                return inbox, path.removeprefix(prefix)
        return self.inbox, path

    @classmethod
    def below(cls, home: str | Path, **changes: Any) -> Self:
        """Everything in one folder, with SQLite: the default of a laptop and of a test.

        Parameters
        ----------
        home
            Folder; made when something is first written.
        changes
            Fields that are to be otherwise; an empty or None one is left as it is.
        """
        home = Path(home).absolute()
        default = cls(
            database_url=f"sqlite:///{home / 'corral.db'}",
            inbox=home / "inbox",
            products=home / "products",
            pipeline={},
        )
        given = {name: value for name, value in changes.items() if value}
        if "inbox" in given:
            given["inbox"], *others = _folders(given["inbox"])
            given["more_inboxes"] = tuple(others)
        if "products" in given:
            given["products"] = Path(given["products"]).absolute()
        if "lease_s" in given:
            given["lease_s"] = _seconds(given["lease_s"])
        return replace(default, **given)

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Read ``CORRAL_HOME`` (default ``./.corral``) and what departs from it.

        ``CORRAL_DATABASE``, ``CORRAL_INBOX``, ``CORRAL_PRODUCTS``, ``CORRAL_LEASE_S``; any other
        ``CORRAL_…`` is an option of the pipeline: ``CORRAL_PROFILE`` becomes ``profile``. Several
        inboxes are separated by colons, as in ``PATH``.
        """
        own = {"HOME", "DATABASE", "INBOX", "PRODUCTS", "LEASE_S"}
        given = {
            key.removeprefix("CORRAL_"): value
            for key, value in env.items()
            if key.startswith("CORRAL_")
        }
        return cls.below(
            given.get("HOME") or ".corral",
            database_url=given.get("DATABASE"),
            inbox=given.get("INBOX"),
            products=given.get("PRODUCTS"),
            lease_s=given.get("LEASE_S"),
            pipeline={key.lower(): value for key, value in given.items() if key not in own},
        )


def _folders(given: str | Path) -> list[Path]:
    named = given.split(os.pathsep) if isinstance(given, str) else [given]
    return [Path(folder).absolute() for folder in named if folder]


def _refuse_ambiguous(inboxes: Sequence[Path]) -> None:
    """Refuse inboxes of one name, or one in another: files would have two paths, or one for two."""
    names = [inbox.name for inbox in inboxes[1:]]
    if len(set(names)) < len(names):
        raise ConfigurationError(
            f"inboxes {', '.join(map(str, inboxes))}: all after the first need names of their own, "
            "as the paths of their files begin with them"
        )
    for one, other in permutations(inboxes, 2):
        if other.is_relative_to(one):
            raise ConfigurationError(f"inbox {other} lies in inbox {one}; name only one of them")


def _seconds(value: object) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise ConfigurationError(f"lease_s is {value!r}; expected seconds, more than 0")
    return seconds
