"""What a step is given beside its input: files to read, masters, and products to make."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy.orm import Session

from include.corral.associate import Association, Associator
from include.corral.claims import Claim
from include.corral.corral import Corral
from include.corral.disk import ensure_space
from include.corral.errors import StepContractError
from include.corral.fingerprint import associations, fingerprint
from include.corral.store import Payload, StagedFile, contained
from models.frame import Frame
from models.product import Product, ProductInput

Inputs: TypeAlias = Mapping[str, Any]


class Run:
    """One attempt at one unit, as the step sees it.

    Attributes
    ----------
    session
        For looking things up. It cannot write; rows to be written are yielded.
    """

    def __init__(
        self,
        corral: Corral,
        processor: Any,
        claim: Claim,
        *,
        session: Session,
        rows: Sequence[Any] = (),
        associator: Associator | None = None,
    ) -> None:
        self.corral = corral
        self.session = session
        self.claim = claim
        self.staged: list[StagedFile] = []
        self.remarks: list[str] = []
        self._processor = processor
        self._rows = list(rows)
        self._associator = associator
        self._found: list[Association] | None = None
        self._fingerprint = ""

    @property
    def found(self) -> list[Association]:
        """Products that go with the unit, and how they were chosen."""
        if self._associator is None or not self._rows:
            return []
        if self._found is None:
            self._found = associations(self._processor, self._rows, self._associator)
        return self._found

    @property
    def fingerprint(self) -> str:
        """Identity of the result: from the rows and products in hand, by the code that runs.

        It is not taken from the plan, which another version of the code may have made, from rows
        as they were then. Where the two differ, the next plan finds the result stale.
        """
        if not self._rows:  # an item of a loader
            return self.claim.fingerprint
        if not self._fingerprint:
            self._fingerprint = fingerprint(self._processor, self._rows, self.found)
        return self._fingerprint

    @cached_property
    def now(self) -> datetime:
        """The time, by the database's clock; the same during all of the unit."""
        return self.corral.now()

    def remark(self, text: str) -> None:
        """Put a decision on the record of this attempt, beside what it makes."""
        self.remarks.append(text)

    def considered(self) -> list[dict[str, Any]] | None:
        """Give how products were chosen, as the ledger keeps it; None where none were asked for."""
        return [association.as_json() for association in self._found or ()] or None

    def path(self, row: Frame | Product) -> Path:
        """Where the file of a frame or product is."""
        if isinstance(row, Product):
            return self.corral.store.locate(row.path)
        return contained(*self.corral.settings.inbox_of(row.path))

    def read(self, row: Frame | Product) -> Any:
        """Read the file of a frame or product, as the step reads files."""
        return self._processor.read(self.path(row), row)

    def associate(self, row: Any) -> dict[str, Product | None]:
        """Give the products that the step uses with `row`; how they were chosen is recorded.

        Parameters
        ----------
        row
            The input; of a group the first row, which speaks for all.

        Returns
        -------
        dict
            Role to product, None where there is none and the rule lets the work go on.

        Raises
        ------
        UpstreamMissing
            If one is missing and the rule is to stop.
        StepContractError
            If `row` is another one than that for which the plan was made.
        """
        if not self._rows or row is not self._rows[0]:
            raise StepContractError(
                f"{self._processor.name} asked for products that go with {row!r}, which is not the "
                "(first) row of its unit: what it is made from would not be on record"
            )
        for association in self.found:
            association.require(row)
        return {association.use.role: association.taken for association in self.found}

    def product(
        self,
        kind: str,
        payload: Payload,
        *,
        inputs: Inputs,
        like: Frame | Product,
        metrics: Mapping[str, float] | None = None,
        flags: Sequence[str] = (),
        **columns: Any,
    ) -> Product:
        """Stage a file and give the row that will make it visible; yield that row.

        Parameters
        ----------
        kind
            Of product.
        payload
            What the file holds; where it tells its ``nbytes``, there must be room for twice that.
        inputs
            Role to the frame or product, or list of them, that it was made from. None is left out.
        like
            Row whose night and camera set-up the product takes over.
        metrics, flags
            Numbers and remarks to remember; what is no number (NaN, infinite) is kept as None.
        columns
            Columns of Product that differ from those of `like`.

        Raises
        ------
        StorageTrouble, ConfigurationError
            If it cannot be written, or there is no room for it.
        """
        edges = [
            _edge(role, row)
            for role, rows in inputs.items()
            for row in (rows if isinstance(rows, list | tuple) else [rows])
            if row is not None
        ]
        ensure_space(self.corral, getattr(payload, "nbytes", 0))
        staged = self.corral.store.stage(
            payload,
            self._provenance(inputs),
            folder=f"{self.claim.partition or 'all'}/{kind}",
            name=_name(kind, like, columns),
        )
        self.staged.append(staged)
        return Product(
            **{
                **like.setup(),
                "night": like.night,
                "instrument": like.instrument,
                "kind": kind,
                "step": self._processor.name,
                "fingerprint": self.fingerprint,
                "sha256": staged.sha256,
                "path": str(staged.path),
                "size_bytes": staged.size_bytes,
                "metrics": {name: _finite(value) for name, value in (metrics or {}).items()},
                "flags": list(flags),
                "inputs": edges,
                "made_at": datetime.now(UTC),
                **columns,
            }
        )

    def _provenance(self, inputs: Inputs) -> dict[str, Any]:
        """What the file says of itself: enough to make it again, nothing that changes by itself."""
        named = [
            {"role": role, "sha256": row.sha256, "name": row.label}
            for role, rows in inputs.items()
            for row in (rows if isinstance(rows, list | tuple) else [rows])
            if row is not None
        ]
        return {
            "step": self._processor.name,
            "version": self._processor.version,
            "fingerprint": self.fingerprint,
            "parameters": dict(self._processor.parameters),
            "inputs": named,
        }

    def publish(self, rows: Sequence[Any]) -> None:
        """Give the files of the products among `rows` their final names."""
        named = {row.path for row in rows if isinstance(row, Product)}
        for staged in self.staged:
            if str(staged.path) in named:
                self.corral.store.publish(staged)

    def drop_staged(self) -> None:
        """Remove what was staged and is not published: no row names it."""
        for staged in self.staged:
            self.corral.store.discard(staged)


def _finite(value: float) -> float | None:
    """Give `value` as the database can keep it: JSON has neither NaN nor infinity."""
    return float(value) if math.isfinite(value) else None


def _edge(role: str, row: Frame | Product) -> ProductInput:
    if isinstance(row, Product):
        return ProductInput(role=role, input_product_id=row.id)
    return ProductInput(role=role, frame_id=row.id)


def _name(kind: str, like: Frame | Product, columns: Mapping[str, Any]) -> str:
    """Name that a person can read; the hash that the store adds makes it unique."""
    setup = {**like.setup(), **columns}
    if isinstance(like, Frame) and like.kind == "science":
        return f"{like.label}-{kind}"
    exposure = f"{setup['exptime_s']:g}s" if setup["exptime_s"] else None
    parts = [kind, setup["camera"], setup["binning"], setup["filter"], exposure]
    return "-".join(str(part) for part in parts if part)
