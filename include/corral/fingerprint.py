"""The identity of a result: equal fingerprints, equal bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from include.corral.associate import Association, Associator
from models.base import canonical_json

if TYPE_CHECKING:
    from include.corral.step import Step


def associations(step: Step, rows: Sequence[Any], associator: Associator) -> list[Association]:
    """Find all products that a unit of these rows uses; the first row speaks for a group."""
    return [associator.find(rows[0], step.rule(use, rows[0])) for use in step.uses]


def fingerprint(step: Step, rows: Sequence[Any], found: Sequence[Association]) -> str:
    """Hash of everything that decides the result of a unit.

    Parameters
    ----------
    step
        Its name, version, parameters and configuration.
    rows
        The input, in any order; what the step does not need of it decides nothing.
    found
        The products used, from `associations`.

    Returns
    -------
    str
        sha256, 64 hexadecimal digits.
    """
    used: Mapping[str, str | None] = {
        association.use.role: association.taken.sha256 if association.taken else None
        for association in found
    }
    text = canonical_json(
        [
            step.signature,
            dict(step.configuration(rows)),
            sorted(row.content() for row in step.needed(rows)),
            used,
        ]
    )
    return hashlib.sha256(text.encode()).hexdigest()
