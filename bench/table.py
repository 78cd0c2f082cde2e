"""What a part of the benchmark hands back: tables, and figures beside their bounds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

Sense = Literal["at least", "at most"]


def say(line: str) -> None:
    """Tell the person who waits."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@dataclass
class Table:
    """A titled table of words."""

    title: str
    headers: Sequence[str]
    rows: list[list[str]] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        """Append a line."""
        self.rows.append(list(cells))

    def markdown(self) -> str:
        """As Markdown."""
        lines = [self.headers, ["---"] * len(self.headers), *self.rows]
        return f"**{self.title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


@dataclass
class Judged:
    """A figure and the bound that it is held against."""

    what: str
    measured: float
    sense: Sense
    bound: float
    unit: str = "×"

    @property
    def met(self) -> bool:
        """Whether the figure is on the right side."""
        if self.sense == "at least":
            return self.measured >= self.bound
        return self.measured <= self.bound

    def cells(self) -> list[str]:
        """What, bound, measured, verdict."""
        bound = f"{self.sense} {self.bound:g} {self.unit}"
        verdict = "met" if self.met else "**not met**"
        return [self.what, bound, f"{self.measured:.3g} {self.unit}", verdict]


@dataclass
class Report:
    """All that a part has found."""

    title: str
    about: str
    tables: list[Table] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    measured_at: str = ""
    load: float = 0.0

    def judge(self, what: str, measured: float, sense: Sense, bound: float, unit: str) -> None:
        """Hold a figure against a bound."""
        self.judged.append(Judged(what, measured, sense, bound, unit))

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """The report that `dataclasses.asdict` has taken apart."""
        tables = [Table(**each) for each in values.pop("tables")]
        judged = [Judged(**each) for each in values.pop("judged")]
        return cls(**values, tables=tables, judged=judged)

    def markdown(self) -> str:
        """A section of the results."""
        when = f"Measured {self.measured_at}; load of the machine before: {self.load:.1f}."
        parts = [f"## {self.title}", f"{self.about} {when}"]
        parts += [table.markdown() for table in self.tables]
        if self.judged:
            verdicts = Table("Judged", ("figure", "bound", "measured", "verdict"))
            verdicts.rows = [judged.cells() for judged in self.judged]
            parts.append(verdicts.markdown())
        parts += [f"- {note}" for note in self.notes]
        return "\n\n".join(parts)


Part = Callable[[], Report]
