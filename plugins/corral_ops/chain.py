"""The task that takes what has just come through several steps at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from corral_ops.alerts import look_and_tell
from corral_ops.crash import native_crash_guard
from corral_ops.hook import DEFAULT_CONN_ID, CorralHook
from corral_ops.retry import FailureClassPolicy
from corral_ops.runtime import NIGHT, make_processor, require_partition, trigger_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class ChainOperator(BaseOperator):
    """Drains one step after another in one process, then looks at rules and tells what is due.

    For the few units of a frame that has just come, most of a night's time goes into beginning
    tasks; here it begins one. It shares the units with the tasks of the single steps, which are
    there as well, say of each step what failed, and fail for it: this one succeeds.

    :param steps: dotted paths, each after those it stands on.
    :param rules: dotted paths of alert rules, looked at in the end.
    :param partition: the night, as of a ``StepOperator``.
    :param conn_id: the installation.
    """

    template_fields: Sequence[str] = ("partition",)
    ui_color: str = "#dfe7f5"

    def __init__(
        self,
        *,
        steps: Sequence[str],
        rules: Sequence[str] = (),
        partition: str | None = NIGHT,
        conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("retry_policy", FailureClassPolicy())
        super().__init__(**kwargs)
        self.steps = list(steps)
        self.rules = list(rules)
        self.partition = partition
        self.conn_id = conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Work through the steps; give a line for each, and what was told, as JSON."""
        from include.corral.drain import drain

        native_crash_guard()
        partition = require_partition(self.partition)
        corral, trigger = CorralHook(self.conn_id).corral(), trigger_of(context)
        done = {}
        for step in self.steps:
            processor = make_processor(step)
            report = drain(
                corral, processor, partition=partition, trigger=trigger, on_progress=self.log.info
            )
            done[report.step] = report.summary()
        return {"steps": done, "told": look_and_tell(corral, self.rules, trigger, self.log.info)}
