"""The task that tells people: rules are looked at, and what waits in the outbox is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from corral_ops.crash import native_crash_guard
from corral_ops.hook import DEFAULT_CONN_ID, CorralHook
from corral_ops.retry import FailureClassPolicy
from corral_ops.runtime import make_processor, trigger_of
from corral_ops.tell import send_due

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.corral.corral import Corral
    from include.corral.trigger import Trigger


class AlertOperator(BaseOperator):
    """Drains alert rules into the outbox, then the outbox into the channels.

    A channel that is down does not fail the task: what it has not taken stays, is on record, and
    is sent when it is up again. A rule that fails does, after everything else is done.

    :param rules: dotted paths of alert rules.
    :param conn_id: the installation.
    """

    ui_color: str = "#f7e4e0"

    def __init__(
        self, *, rules: Sequence[str] = (), conn_id: str = DEFAULT_CONN_ID, **kwargs: Any
    ) -> None:
        kwargs.setdefault("retry_policy", FailureClassPolicy())
        super().__init__(**kwargs)
        self.rules = list(rules)
        self.conn_id = conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Look, tell, and give what was told as JSON."""
        native_crash_guard()
        corral = CorralHook(self.conn_id).corral()
        return look_and_tell(corral, self.rules, trigger_of(context), self.log.info)


def look_and_tell(
    corral: Corral, rules: Sequence[str], trigger: Trigger, say: Callable[[str], None]
) -> dict[str, Any]:
    """Look at rules and send what waits; give what was told as JSON.

    :param corral: the installation.
    :param rules: dotted paths of alert rules.
    :param trigger: who asks.
    :param say: is given a line for what was done.
    :raises CorralError: a rule failed; everything else is done.
    """
    from include.corral.drain import drain

    reports = [
        drain(corral, make_processor(rule), trigger=trigger, on_progress=say) for rule in rules
    ]
    done = send_due(corral)
    say(done.summary())
    for report in reports:
        report.raise_for_policy("fail")
    return {
        "new": sum(report.outputs["alert"] for report in reports),
        "messages": done.messages,
        "alerts": done.alerts,
        "troubles": done.troubles,
    }
