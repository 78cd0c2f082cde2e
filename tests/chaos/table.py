"""The table of a chaos run: for each kind of fault how often, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field

PROPERTY = "chaos"
HEAD = ("fault", "times injected", "violations", "orphans swept", "longest recovery, s")


@dataclass
class Line:
    """Sums over all tests of one kind of fault."""

    injected: int = 0
    violations: int = 0
    orphans: int = 0
    recovery_s: float = 0.0


@dataclass
class Table:
    """Lines by fault."""

    lines: dict[str, Line] = field(default_factory=dict)

    def add(
        self, fault: str, injected: int, violations: int, recovery_s: float, orphans: int
    ) -> None:
        """Add to the line of `fault`."""
        line = self.lines.setdefault(fault, Line())
        line.injected += injected
        line.violations += violations
        line.orphans += orphans
        line.recovery_s = max(line.recovery_s, recovery_s)

    def __str__(self) -> str:
        rows = [HEAD, ("---", "--:", "--:", "--:", "--:")]
        rows += [
            (fault, str(it.injected), str(it.violations), str(it.orphans), f"{it.recovery_s:.2f}")
            for fault, it in sorted(self.lines.items())
        ]
        injected = sum(it.injected for it in self.lines.values())
        violations = sum(it.violations for it in self.lines.values())
        rows.append(("all", str(injected), str(violations), "", ""))
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)
