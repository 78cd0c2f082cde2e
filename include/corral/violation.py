"""What an audit finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that is not kept.

    Attributes
    ----------
    invariant
        Its number in the contract, ``"I3"``.
    subject
        The row or file.
    message
        What was found and what was expected.
    """

    invariant: str
    subject: str
    message: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.subject}: {self.message}"


# A query that finds where a promise does not hold.
Promise: TypeAlias = Callable[[Session], Iterator[Violation]]
