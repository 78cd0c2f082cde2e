"""The task that tells people."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from corral_ops.alerts import AlertOperator
from include.corral.alert import Alert
from include.corral.drain import drain
from include.corral.errors import PermanentlyFailed
from models import Delivery
from tests.plugins.corral_ops.conftest import Reading, Thermometer

HERE = "tests.plugins.corral_ops.test_alerts"


class Warm(Alert):
    """It is warm."""

    model = Reading
    conditions = (Reading.celsius > 1.5,)
    message = "{row.celsius} degrees on {row.day}"


class Broken(Alert):
    """A rule with a mistake in it."""

    model = Reading
    message = "{row.fahrenheit}"


def test_rules_are_looked_at_and_what_they_say_is_sent(installation, make_context, mailbox):
    """What was told is given as JSON; again, there is nothing."""
    drain(installation, Thermometer())
    task = AlertOperator(task_id="tell", rules=[f"{HERE}.Warm"])
    made = task.execute(make_context())
    assert json.loads(json.dumps(made)) == made
    assert made == {"new": 2, "messages": 2, "alerts": 2, "troubles": []}
    assert [mail["Subject"] for mail in mailbox.mails] == [
        "2.0 degrees on 2026-11-20",
        "2.0 degrees on 2026-11-21",
    ]
    assert task.execute(make_context())["new"] == 0


def test_server_that_is_down_does_not_fail_the_task(installation, make_context, no_server):
    """What waits is sent by a later one."""
    drain(installation, Thermometer())
    made = AlertOperator(task_id="tell", rules=[f"{HERE}.Warm"]).execute(make_context())
    assert (made["new"], made["messages"]) == (2, 0)
    assert made["troubles"][0].startswith("email: ")


def test_rule_that_fails_fails_the_task_after_all_else_is_done(installation, make_context, mailbox):
    """Others are told of what they should be."""
    drain(installation, Thermometer())
    task = AlertOperator(task_id="tell", rules=[f"{HERE}.Broken", f"{HERE}.Warm"])
    with pytest.raises(PermanentlyFailed, match="fahrenheit"):
        task.execute(make_context())
    assert len(mailbox.mails) == 2
    with installation.read() as session:
        assert set(session.scalars(select(Delivery.status))) == {"sent"}
