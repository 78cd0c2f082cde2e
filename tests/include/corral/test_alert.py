"""A condition is met, somebody is told, once."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from include.corral.alert import Alert
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.outbox import enqueue, one_line
from include.corral.step import Step
from models import Alert as Row
from models import Delivery
from tests.include.corral.lab import Pebble, Weight, add_pebbles


class Heavy(Alert):
    """A pebble is too heavy for the scales."""

    model = Pebble
    conditions = (Pebble.value > 7,)
    channels = ("email", "pager")
    severity = "critical"

    def subject(self, row: Pebble) -> str:
        return f"pebble of {row.value} g"


def rows(corral: Corral) -> list[Row]:
    with corral.read() as session:
        return list(session.scalars(select(Row).order_by(Row.id)))


def test_each_matching_row_is_told_of_once(lab: Corral) -> None:
    """However often the rule is drained."""
    ids = add_pebbles(lab, range(10))
    for _ in range(3):
        drain(lab, Heavy())
    told = rows(lab)
    assert [alert.dedup_key for alert in told] == [f"Heavy:{i}" for i in ids[8:]]
    assert [alert.subject for alert in told] == ["pebble of 8 g", "pebble of 9 g"]
    first = told[0]
    assert (first.rule, first.severity, first.topic) == ("Heavy", "critical", first.dedup_key)
    assert (first.channels, first.body) == (
        ["email", "pager"],
        "A pebble is too heavy for the scales.",
    )
    with lab.read() as session:
        waiting = session.execute(select(Delivery.channel, Delivery.status, Delivery.urgency))
        assert set(waiting) == {("email", "pending", 0), ("pager", "pending", 0)}
    assert len({alert.message_id for alert in told}) == 2


def test_rows_of_one_cause_are_one_message(lab: Corral) -> None:
    """Equal keys in one batch, in different batches, and from another trigger."""

    class ByColour(Heavy):
        def dedup_key(self, row: Pebble) -> str:
            return f"colour {row.colour}"

    add_pebbles(lab, range(8, 20), colour="red")
    report = drain(lab, ByColour())
    assert (report.done, report.failed) == (12, 0)
    assert report.outputs["alert"] == 1
    add_pebbles(lab, range(8, 20), colour="red")
    assert drain(lab, ByColour()).outputs["alert"] == 0
    assert [alert.dedup_key for alert in rows(lab)] == ["colour red"]


def test_rule_of_a_new_version_tells_nothing_again(lab: Corral, monkeypatch) -> None:
    """The rows are looked at anew; what was told stays told."""
    add_pebbles(lab, [9])
    drain(lab, Heavy())
    monkeypatch.setattr(Heavy, "version", "2")
    assert drain(lab, Heavy()).done == 1
    assert len(rows(lab)) == 1


HOSTILE = "M31\r\nBcc: everyone@example.org\0\udcff\x1b[2J"


def test_header_text_cannot_change_the_message_nor_stop_it(lab: Corral) -> None:
    """Line ends, control codes, half characters: the alarm goes out, harmless and short."""

    class Hostile(Heavy):
        def subject(self, row: Pebble) -> str:
            return HOSTILE + "x" * 300

        def body(self, row: Pebble) -> str:
            return f"line one\n{HOSTILE}"

        def dedup_key(self, row: Pebble) -> str:
            return f"{HOSTILE}{row.id}" + "k" * 300

    add_pebbles(lab, [8, 9])
    assert drain(lab, Hostile()).done == 2
    told = rows(lab)
    assert len(told) == 2
    for alert in told:
        assert alert.subject.isprintable()
        assert len(alert.subject) <= 120
        assert alert.subject.startswith("M31  Bcc: everyone@example.org")
        assert alert.body == "line one\nM31?\nBcc: everyone@example.org???[2J"


def test_step_may_tell_in_the_transaction_of_its_result(lab: Corral) -> None:
    """Result and message are there together, or neither is."""

    class Telling(Step):
        model = Pebble

        def process(self, work: Pebble, run):
            label = "x" if work.value < 2 else None  # the second x is refused
            yield Weight(pebble_id=work.id, grams=1.0, label=label)
            yield Row(dedup_key=f"seen {work.value}", rule="seen", subject="s", body="b")

    add_pebbles(lab, range(4))
    report = drain(lab, Telling())
    assert (report.done, report.failed) == (3, 1)
    with lab.read() as session:
        weights = session.scalar(select(func.count()).select_from(Weight))
    assert weights == 3
    assert len(rows(lab)) == 3
    assert report.outputs == Counter(lab_weight=3, alert=3)
    assert rows(lab)[0].channels == ["email"]


def test_enqueue_is_once_per_key(lab: Corral) -> None:
    """The second is told that the first was there."""
    message = {"rule": "test", "subject": "s", "body": "b"}
    with lab.write() as session:
        first = enqueue(session, dedup_key="k", **message)
        assert enqueue(session, dedup_key="k", **message) is None
    with lab.write() as session:
        assert enqueue(session, dedup_key="k", **message) is None
        assert enqueue(session, dedup_key="other", **message) not in {first, None}


def test_long_keys_that_begin_alike_are_two_messages(lab: Corral) -> None:
    """A key is cut for the database with a hash of the whole: no alarm swallows another."""
    message = {"rule": "test", "subject": "s", "body": "b"}
    with lab.write() as session:
        made = [enqueue(session, dedup_key="k" * 300 + end, **message) for end in "abca"]
    assert made[3] is None
    assert None not in made[:3]


def test_message_falls_with_its_transaction(lab: Corral) -> None:
    """What did not happen is not told."""
    with lab.write() as session:
        enqueue(session, dedup_key="k", rule="r", subject="s", body="b")
        session.rollback()
    assert rows(lab) == []


class Templated(Alert):
    """What to do about it."""

    model = Pebble
    message = """
    Pebble {row.id}: {row.value:.1f} g, {row.colour}
    Take it off the scales.

      slowly
    """


def test_message_is_a_template_whose_values_are_text(lab: Corral) -> None:
    """The first line is the subject; what a value looks like is never evaluated."""
    (pebble,) = add_pebbles(lab, [9], colour="{row.good} {{ 7*7 }} %s")
    drain(lab, Templated())
    (alert,) = rows(lab)
    assert alert.subject == f"Pebble {pebble}: 9.0 g, {{row.good}} {{{{ 7*7 }}}} %s"
    assert alert.body == "Take it off the scales.\n\n  slowly"


def told_after_change(lab: Corral, rule: type[Alert]) -> list[str]:
    """Drain, change the row in a way the message shows, and in one it does not; drain each time."""
    (pebble,) = add_pebbles(lab, [9], colour="red")
    for colour, value in (("red", 9), ("blue", 9), ("blue", 12)):
        with lab.write() as session:
            row = session.get_one(Pebble, pebble)
            row.colour, row.value = colour, value
        drain(lab, rule())
    return [alert.subject for alert in rows(lab)]


class OfColour(Alert):
    """A pebble has a colour."""

    model = Pebble
    message = "{row.colour}"


def test_rule_says_something_once_of_a_row(lab: Corral) -> None:
    """By default, whatever becomes of it."""
    assert told_after_change(lab, OfColour) == ["red"]


def test_rule_may_say_more_when_the_message_is_another(lab: Corral) -> None:
    """A change that the message does not show is no news."""

    class Changing(OfColour):
        rearm = "change"

    assert told_after_change(lab, Changing) == ["red", "blue"]


def test_rule_may_say_more_after_a_time(lab: Corral) -> None:
    """Within the cool-down nothing else is said of the row."""

    class Cooling(OfColour):
        rearm = timedelta(hours=1)

    assert told_after_change(lab, Cooling) == ["red"]
    with lab.write() as session:
        for alert in session.scalars(select(Row)):
            alert.created_at -= timedelta(hours=2)
            alert.dedup_key += " earlier"
        session.scalars(select(Pebble)).one().colour = "green"
    drain(lab, Cooling())
    assert [alert.subject for alert in rows(lab)] == ["red", "green"]


def test_unknown_severity_is_refused(lab: Corral) -> None:
    """Nobody would know in which order it goes out."""
    with pytest.raises(ValueError, match="critical, warning, info"), lab.write() as session:
        enqueue(session, dedup_key="k", rule="r", subject="s", body="b", severity="urgent")


@pytest.mark.parametrize(
    ("text", "line"),
    [("a\r\nb", "a  b"), ("  x ", "x"), ("\0\x1b", ""), ("ü星", "ü星"), ("a" * 130, "a" * 120)],
)
def test_one_line_is_one_printable_line(text, line) -> None:
    """Control characters become spaces."""
    assert one_line(text) == line
