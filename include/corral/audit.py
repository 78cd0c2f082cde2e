"""The audit: what the ledger promises, compared with what the database and the store hold.

It only reads. On a sound installation it finds nothing, at any moment, whatever was killed before;
each check names the promise (I1, I2, … of the reliability contract) that it looks at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from include.corral.corral import Corral
from include.corral.wants import derived_models
from include.corral.store import STAGING
from models.alert import Alert, AlertStatus, Delivery
from models.frame import Frame, Sighting
from models.product import Product, ProductInput
from models.session import database_now
from models.work import Outcome, StepRun, Unit, UnitRun, UnitStatus


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


def audit(corral: Corral, *, deep: bool = True) -> list[Violation]:
    """Look for broken promises.

    Parameters
    ----------
    corral
        The installation.
    deep
        Also read every product's file and compare its hash; otherwise its size only.

    Returns
    -------
    list of Violation
        Empty when all is well.
    """
    with corral.read() as session:
        found = [violation for check in _CHECKS for violation in check(session)]
        return found + list(_files(session, corral, deep=deep))


def orphans(corral: Corral) -> list[str]:
    """Give the files below the products' root that no row names; staged ones among them.

    They are no violation: nobody can find them. The sweep removes them.
    """
    root = corral.settings.products
    with corral.read() as session:
        known = set(session.scalars(select(Product.path)))
    files = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return sorted(path for path in files if path not in known or path.startswith(STAGING))


def _files(session: Session, corral: Corral, *, deep: bool) -> Iterator[Violation]:
    """I1, I3: every product's file is there, whole."""
    columns = (Product.id, Product.path, Product.sha256, Product.size_bytes)
    for product_id, path, sha256, size_bytes in session.execute(select(*columns)):
        place = corral.store.locate(path)
        if not place.is_file():
            yield Violation("I3", f"product {product_id}", f"its file {path} is missing")
        elif place.stat().st_size != size_bytes:
            size = place.stat().st_size
            yield Violation(
                "I1", f"product {product_id}", f"{path}: {size} bytes, not {size_bytes}"
            )
        elif deep and not corral.store.verify(path, sha256):
            yield Violation("I1", f"product {product_id}", f"{path}: its content has changed")


def _results_of_finished_attempts(session: Session) -> Iterator[Violation]:
    """I2: what can be seen was made by an attempt that is recorded as done."""
    for model in derived_models(session):
        query = select(model.id, UnitRun.outcome).join(UnitRun, model.unit_run_id == UnitRun.id)
        for row_id, outcome in session.execute(query.where(UnitRun.outcome != Outcome.DONE.value)):
            message = f"made by an attempt that is {outcome}"
            yield Violation("I2", f"{model.__tablename__} {row_id}", message)


def _one_result_per_unit(session: Session) -> Iterator[Violation]:
    """I10, I11: only the unit's last successful attempt has current results."""
    for model in derived_models(session):
        runs = func.count(func.distinct(model.unit_run_id))
        query = select(model.unit_id).where(model.current).group_by(model.unit_id).having(runs > 1)
        for unit_id in session.scalars(query):
            yield Violation("I10", f"unit {unit_id}", f"two current {model.__tablename__} results")
        void = select(model.id).join(Unit, model.unit_id == Unit.id)
        void = void.where(model.current, Unit.status == UnitStatus.VOID.value)
        for row_id in session.scalars(void):
            yield Violation("I10", f"{model.__tablename__} {row_id}", "current, its unit is void")


def _units_agree_with_attempts(session: Session) -> Iterator[Violation]:
    """I1, I12: a unit that is done has the attempt that did it, with the same fingerprint."""
    done = aliased(UnitRun)
    query = (
        select(Unit.id)
        .outerjoin(
            done,
            (done.unit_id == Unit.id)
            & (done.outcome == Outcome.DONE.value)
            & (done.fingerprint == Unit.fingerprint),
        )
        .where(Unit.status == UnitStatus.DONE.value, done.id.is_(None))
    )
    for unit_id in session.scalars(query):
        yield Violation("I1", f"unit {unit_id}", "done, but no attempt with its fingerprint is")
    twice = (
        select(UnitRun.unit_id, UnitRun.fence)
        .where(UnitRun.outcome.in_([Outcome.DONE.value, Outcome.FAILED.value]))
        .group_by(UnitRun.unit_id, UnitRun.fence)
        .having(func.count() > 1)
    )
    for unit_id, fence in session.execute(twice):
        yield Violation("I10", f"unit {unit_id}", f"two attempts ended with fence {fence}")


def _no_forgotten_claims(session: Session) -> Iterator[Violation]:
    """I4, I17: a lease that is over for long has been noticed."""
    now = database_now(session.connection())
    query = select(Unit.id, Unit.step, StepRun.lease_until).join(
        StepRun, Unit.step_run_id == StepRun.id
    )
    query = query.where(
        Unit.is_(UnitStatus.CLAIMED), StepRun.lease_until < now - timedelta(hours=1)
    )
    for unit_id, step, lease_until in session.execute(query):
        message = f"of {step}, held by nobody since {lease_until:%Y-%m-%d %H:%M} UTC"
        yield Violation("I17", f"unit {unit_id}", message)


def _frames_were_seen(session: Session) -> Iterator[Violation]:
    """I5: a frame is known by a path at which it was seen."""
    query = select(Frame.id).outerjoin(Sighting).where(Sighting.id.is_(None))
    for frame_id in session.scalars(query):
        yield Violation("I5", f"frame {frame_id}", "was never seen anywhere")


def _alerts_sent_were_delivered(session: Session) -> Iterator[Violation]:
    """I14: an alert that counts as sent was taken by every channel."""
    sent = select(Alert).where(Alert.status == AlertStatus.SENT.value)
    taken = select(Delivery.alert_id, Delivery.channel).where(Delivery.delivered)
    delivered: dict[int, set[str]] = {}
    for alert_id, channel in session.execute(taken):
        delivered.setdefault(alert_id, set()).add(channel)
    for alert in session.scalars(sent):
        if missing := set(alert.channels) - delivered.get(alert.id, set()):
            message = f"counts as sent; {', '.join(sorted(missing))} never took it"
            yield Violation("I14", f"alert {alert.id}", message)


def _provenance_closes(session: Session) -> Iterator[Violation]:
    """I23: from every product one comes to frames, and never in a circle."""
    inputs: dict[int, list[bool]] = {}
    columns = (ProductInput.product_id, ProductInput.frame_id, ProductInput.input_product_id)
    for product_id, frame_id, input_id in session.execute(select(*columns)):
        # A product is made after its inputs, so that its id is the greater.
        earlier = frame_id is not None or (input_id or 0) < product_id
        inputs.setdefault(product_id, []).append(earlier)
    for product_id in session.scalars(select(Product.id)):
        if product_id not in inputs:
            yield Violation("I23", f"product {product_id}", "made from nothing that is recorded")
        elif not all(inputs[product_id]):
            yield Violation("I23", f"product {product_id}", "made from a later product")


_CHECKS: tuple[Callable[[Session], Iterator[Violation]], ...] = (
    _results_of_finished_attempts,
    _one_result_per_unit,
    _units_agree_with_attempts,
    _no_forgotten_claims,
    _frames_were_seen,
    _alerts_sent_were_delivered,
    _provenance_closes,
)
