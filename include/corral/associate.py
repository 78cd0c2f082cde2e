"""Which product goes with a row: nearest in time among those that match, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from include.corral.errors import UpstreamMissing
from models.product import Product

LISTED_WHEN_NOTHING_FITS = 20


@dataclass(frozen=True, kw_only=True)
class Use:
    """A product that a step's result is made from, and the rule by which it is found.

    Attributes
    ----------
    role
        Under which the step finds it, ``"bias"``.
    kind
        Of product, ``"master_bias"``.
    exact
        Columns that must be equal.
    within
        Columns that may differ by at most so much. What is not known is not held against it.
    at_least
        Columns in which the product must not lie below the row by more than so much.
    prefer
        Columns in which a product that differs by at most so much goes before all others.
    max_age_days
        Greatest distance in time.
    missing
        ``stop``: the unit fails as waiting for it; ``flag``: go on without, and say so.
    """

    role: str
    kind: str
    exact: tuple[str, ...] = ()
    within: Mapping[str, float] = field(default_factory=dict)
    at_least: Mapping[str, float] = field(default_factory=dict)
    prefer: Mapping[str, float] = field(default_factory=dict)
    max_age_days: float = 30.0
    missing: Literal["stop", "flag"] = "stop"

    def refusal(self, row: Any, product: Product) -> str | None:
        """Say why `product` does not go with `row`; None when it does."""
        days = _days_apart(row, product)
        if days > self.max_age_days:
            return f"{days:.1f} days away, at most {self.max_age_days:g}"
        for name in self.exact:
            has, wanted = getattr(product, name), getattr(row, name)
            if has != wanted:
                return f"{name} is {has}, wanted {wanted}"
        for name, tolerance in self.within.items():
            if (apart := _apart(row, product, name)) is not None and abs(apart) > tolerance:
                return f"{name} is {apart:+g} off, at most {tolerance:g}"
        for name, tolerance in self.at_least.items():
            if (apart := _apart(row, product, name)) is not None and apart < -tolerance:
                return f"{name} is {-apart:g} too small"
        return None

    def level(self, row: Any, product: Product) -> int:
        """Count the preferences that `product` does not meet: 0 is best."""
        apart = ((_apart(row, product, name), most) for name, most in self.prefer.items())
        return sum(1 for distance, most in apart if distance is None or abs(distance) > most)


@dataclass(frozen=True, slots=True)
class Association:
    """What was found for one role, and what was considered on the way, nearest first."""

    use: Use
    taken: Product | None
    considered: tuple[tuple[Product, str], ...]

    def as_json(self) -> dict[str, Any]:
        """Give it as the ledger keeps it."""
        return {
            "role": self.use.role,
            "kind": self.use.kind,
            "taken": self.taken.id if self.taken else None,
            "considered": [
                {"product": product.id, "verdict": verdict} for product, verdict in self.considered
            ],
        }

    def require(self, row: Any) -> None:
        """Stop where the rule says so.

        Raises
        ------
        UpstreamMissing
            If nothing was found and the rule is ``stop``.
        """
        if self.taken is None and self.use.missing == "stop":
            nearest = "; ".join(f"{p!r}: {verdict}" for p, verdict in self.considered[:3])
            raise UpstreamMissing(
                f"no {self.use.kind} for {row!r} ({len(self.considered)} considered"
                f"{': ' + nearest if nearest else ''}). It is made when one is there; "
                "or set the profile's policy for it to 'flag'."
            )


def choose(row: Any, use: Use, candidates: Iterable[Product]) -> Association:
    """Take the best candidate for `row`: preferences first, then time, then the hash.

    The order in which candidates were made, or are given, has no influence.

    Parameters
    ----------
    row
        With the columns that `use` names, and ``observed_at``.
    use
        The rule.
    candidates
        Products of the kind.

    Returns
    -------
    Association
        What was considered: everything nearer in time than what was taken, and why not.
    """
    nearest = sorted(
        candidates,
        key=lambda product: (_days_apart(row, product), product.sha256, product.id),
    )
    considered: list[tuple[Product, str]] = []
    taken, place, best = None, 0, len(use.prefer) + 1
    for product in nearest:
        refusal = use.refusal(row, product)
        considered.append((product, refusal or "a better match was further away"))
        if refusal is None and (level := use.level(row, product)) < best:
            taken, place, best = product, len(considered) - 1, level
            if level == 0:  # what is further away cannot be better
                break
    if taken is None:
        return Association(use, None, tuple(considered[:LISTED_WHEN_NOTHING_FITS]))
    considered[place] = (taken, f"taken (level {best})")
    return Association(use, taken, tuple(considered[: place + 1]))


class Associator:
    """Finds associations for many rows with few queries: candidates are read once per kind.

    Parameters
    ----------
    session
        For reading products.
    rows
        All rows that will be asked for.

    Attributes
    ----------
    reach_days
        The greatest distance in time at which a product was looked for so far.
    """

    def __init__(self, session: Session, rows: Sequence[Any]) -> None:
        self._session = session
        times = [row.observed_at for row in rows if row.observed_at is not None]
        self._span = (min(times), max(times)) if times else None
        self._candidates: dict[tuple[str, float], list[Product]] = {}
        self.reach_days = 0.0

    def find(self, row: Any, use: Use) -> Association:
        """Give the association of `row` under `use`."""
        self.reach_days = max(self.reach_days, use.max_age_days)
        return choose(row, use, self._read(use))

    def _read(self, use: Use) -> list[Product]:
        key = (use.kind, use.max_age_days)
        if key not in self._candidates:
            assert self._span is not None
            age = timedelta(days=use.max_age_days)
            query = select(Product).where(
                Product.kind == use.kind,
                Product.current,
                Product.observed_at.between(self._span[0] - age, self._span[1] + age),
            )
            self._candidates[key] = list(self._session.scalars(query))
        return self._candidates[key]


def _days_apart(row: Any, product: Product) -> float:
    seconds: float = (product.observed_at - row.observed_at).total_seconds()
    return abs(seconds) / 86400


def _apart(row: Any, product: Product, name: str) -> float | None:
    """Product minus row in the column `name`; None when either is not known."""
    has, wanted = getattr(product, name), getattr(row, name)
    return None if has is None or wanted is None else float(has) - float(wanted)
