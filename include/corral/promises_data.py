"""What rows of frames, products and alerts promise, as queries that find where it does not hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import distinct, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from include.corral.violation import Promise, Violation
from models.alert import Alert
from models.delivery import AttemptOutcome, Delivery, DeliveryAttempt, DeliveryStatus
from models.frame import Frame, Rejection, Sighting
from models.product import Product, ProductInput

VERDICTS = ("WAIT", "QUARANTINE", "GONE")


def frames_were_seen(session: Session) -> Iterator[Violation]:
    """I5: a frame is known by a path at which it was seen; the schema keeps its content unique."""
    unseen = select(Frame.id).where(~exists().where(Sighting.frame_id == Frame.id))
    for frame_id in session.scalars(unseen):
        yield Violation("I5", f"frame {frame_id}", "was never seen anywhere")


def pixels_are_used_once(session: Session) -> Iterator[Violation]:
    """I6: of frames with the same pixels one is used, and no product takes them twice."""
    query = (
        select(func.min(Frame.id), func.count())
        .where(Frame.accepted, Frame.pixel_sha256.is_not(None))
        .group_by(Frame.pixel_sha256)
        .having(func.count() > 1)
    )
    for frame_id, number in session.execute(query):
        yield Violation("I6", f"frame {frame_id}", f"{number} accepted frames have its pixels")
    taken = (
        select(Product.id, ProductInput.role)
        .join(ProductInput, ProductInput.product_id == Product.id)
        .join(Frame, ProductInput.frame_id == Frame.id)
        .where(Product.current, Frame.pixel_sha256.is_not(None))
        .group_by(Product.id, ProductInput.role)
        .having(func.count() > func.count(distinct(Frame.pixel_sha256)))
    )
    for product_id, role in session.execute(taken):
        yield Violation("I6", f"product {product_id}", f"has the same pixels twice as {role}")


def frames_set_aside_are_out(session: Session) -> Iterator[Violation]:
    """I7: a frame whose file holds something else, or that another stands for, is in no step."""
    replaced = or_(Frame.superseded_by_id.is_not(None), Frame.set_aside.is_not(None))
    for frame_id in session.scalars(select(Frame.id).where(replaced, Frame.accepted)):
        yield Violation("I7", f"frame {frame_id}", "is superseded or set aside, and accepted")


def paths_are_counted_once(session: Session) -> Iterator[Violation]:
    """I24: what lies at a path is a frame or is refused, not both: the sums are those of files."""
    refused = (Rejection.path == Sighting.path, Rejection.resolved_at.is_(None))
    query = select(Sighting.id, Sighting.path).where(Sighting.current, exists().where(*refused))
    for sighting_id, path in session.execute(query):
        yield Violation("I24", f"sighting {sighting_id}", f"{path} is a frame, and refused")


def rejections_have_reasons(session: Session) -> Iterator[Violation]:
    """I9: a file that was refused waits or is bad, and it is said why."""
    unclear = or_(Rejection.verdict.not_in(VERDICTS), Rejection.reason == "")
    query = select(Rejection.id, Rejection.verdict).where(or_(unclear, Rejection.evidence == ""))
    for rejection_id, verdict in session.execute(query):
        message = f"{verdict or 'no verdict'}, without a reason or of no known kind"
        yield Violation("I9", f"rejection {rejection_id}", message)


def sent_alerts_were_taken(session: Session) -> Iterator[Violation]:
    """I14: every channel of an alert has its delivery, and what counts as sent was taken."""
    there = select(func.count(Delivery.id)).where(Delivery.alert_id == Alert.id).scalar_subquery()
    for alert_id, channels, number in session.execute(select(Alert.id, Alert.channels, there)):
        if number < len(set(channels)):
            message = f"{number} of {len(set(channels))} channels are to be tried"
            yield Violation("I14", f"alert {alert_id}", message)
    ended = {
        DeliveryStatus.SENT: AttemptOutcome.DELIVERED,
        DeliveryStatus.GIVEN_UP: AttemptOutcome.REFUSED,
    }
    query = select(Delivery.id, Delivery.status, DeliveryAttempt.outcome)
    query = query.outerjoin(Delivery.attempt).where(Delivery.status.in_(ended))
    for delivery_id, status, outcome in session.execute(query):
        if outcome != ended[DeliveryStatus(status)]:
            message = f"counts as {status}; its last attempt is {outcome or 'not there'}"
            yield Violation("I14", f"delivery {delivery_id}", message)


def provenance_closes(session: Session) -> Iterator[Violation]:
    """I23: from every product one comes to frames, and never in a circle."""
    source: Any = aliased(ProductInput)
    bare = select(Product.id).where(~exists().where(source.product_id == Product.id))
    for product_id in session.scalars(bare):
        yield Violation("I23", f"product {product_id}", "made from nothing that is recorded")
    # A product is made after its inputs, so that its id is the greater.
    later = select(source.product_id).where(source.input_product_id >= source.product_id)
    for product_id in session.scalars(later.distinct()):
        yield Violation("I23", f"product {product_id}", "made from a later product")


DATA: tuple[Promise, ...] = (
    frames_were_seen,
    pixels_are_used_once,
    frames_set_aside_are_out,
    paths_are_counted_once,
    rejections_have_reasons,
    sent_alerts_were_taken,
    provenance_closes,
)
