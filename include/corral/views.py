"""What the ledger says, for a person: where a night stands, and what a product is made from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import String, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from include.corral.errors import ConfigurationError, FailureClass
from include.corral.ledger import last_failures
from include.corral.report import Failure, group_failures
from models.product import Product, ProductInput
from models.work import StepRun, Unit, UnitRun, UnitStatus


def status_lines(session: Session, steps: list[str], partition: str | None) -> Iterator[str]:
    """Give a table of units by step and state, and below it every failure that stands."""
    query = select(Unit.step, Unit.status, func.count()).group_by(Unit.step, Unit.status)
    if partition:
        query = query.where(or_(Unit.partition == partition, Unit.partition == ""))
    counts = {(step, status): number for step, status, number in session.execute(query)}
    states = [status.value for status in UnitStatus]
    yield f"{'step':<16}" + "".join(f"{state:>9}" for state in states) + "  last trigger"
    for step in steps:
        numbers = "".join(f"{counts.get((step, state), 0):>9}" for state in states)
        yield f"{step:<16}{numbers}  {_last_trigger(session, step, partition)}"
    for step in steps:
        failures = (
            Failure(run.unit.key, FailureClass(run.failure_class or "bug"), run.message or "")
            for run in last_failures(session, step, partition)
        )
        yield from (f"{step}: {line}" for line in group_failures(failures))


def _last_trigger(session: Session, step: str, partition: str | None) -> str:
    query = select(StepRun).where(StepRun.step == step).order_by(StepRun.id.desc()).limit(1)
    if partition:
        query = query.where(StepRun.partition.in_([partition, ""]))
    run = session.scalar(query)
    if run is None:
        return "never"
    return f"{run.started_at:%Y-%m-%d %H:%M:%S} UTC {run.outcome}"


def find_product(session: Session, name: str) -> Product:
    """Give the product with that id, hash, file name or path; the newest where several have it.

    Raises
    ------
    ConfigurationError
        If there is none.
    """
    path = type_coerce(Product.path, String)  # what a person types need not be a path
    ways = [
        path == name,
        path.endswith(f"/{name}", autoescape=True),
    ]
    if len(name) >= 8:
        ways.append(Product.sha256.startswith(name, autoescape=True))
    if name.isdecimal():
        ways.append(Product.id == int(name))
    query = select(Product).where(or_(*ways)).order_by(Product.current.desc(), Product.id.desc())
    product = session.scalars(query.limit(1)).first()
    if product is None:
        raise ConfigurationError(f"no product {name!r}: give its id, file name, path or sha256")
    return product


def explain_lines(session: Session, product: Product) -> Iterator[str]:
    """Say what a product is, what it was made from, and how its masters were chosen."""
    state = "current" if product.current else f"superseded by {product.superseded_by_id}"
    yield f"product {product.id}: {product.kind} of {product.partition_key}, {state}"
    yield f"  file         {product.path} ({product.size_bytes} bytes)"
    yield f"  sha256       {product.sha256}"
    yield f"  made by      {product.step} at {product.made_at:%Y-%m-%d %H:%M:%S} UTC"
    yield f"  fingerprint  {product.fingerprint}"
    if product.flags:
        yield f"  flags        {', '.join(product.flags)}"
    for name, value in sorted(product.metrics.items()):
        yield f"  {name:<28} {value:.6g}"
    yield "made from"
    query = select(ProductInput).where(ProductInput.product_id == product.id)
    for edge in session.scalars(query.order_by(ProductInput.id)):
        made_from: Any = edge.frame or edge.input_product
        yield f"  {edge.role:<8} {made_from!r} {made_from.path} {made_from.sha256[:12]}"
    run = session.get(UnitRun, product.unit_run_id)
    for association in (run.associations if run else None) or []:
        yield from _association_lines(session, association)


def _association_lines(session: Session, association: dict[str, Any]) -> Iterator[str]:
    taken = association["taken"]
    yield f"{association['role']}: {'product ' + str(taken) if taken else 'none'}; considered"
    for considered in association["considered"]:
        candidate = session.get(Product, considered["product"])
        where = f"{candidate.partition_key} {candidate.path}" if candidate else "gone"
        yield f"  {considered['product']:>6} {where}: {considered['verdict']}"
    if not association["considered"]:
        yield f"  no {association['kind']} at all"
