"""Tasks that look after the installation, and at what no event has told of."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from corral_ops.crash import native_crash_guard
from corral_ops.hook import DEFAULT_CONN_ID, CorralHook
from corral_ops.operators import DrainOperator
from corral_ops.runtime import make_processor, trigger_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.corral.sweep import SweepReport


class SweepOperator(DrainOperator):
    """Looks at every part of a sweep; a part that fails fails the task after the others are done.

    :param sweep: dotted path of the sweep.
    """

    ui_color: str = "#f5efdf"

    def __init__(
        self,
        *,
        sweep: str,
        parameters: Mapping[str, Any] | None = None,
        failure_policy: str = "fail",
        conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            processor=sweep,
            parameters=parameters,
            failure_policy=failure_policy,
            conn_id=conn_id,
            **kwargs,
        )

    def execute(self, context: Context) -> dict[str, Any]:
        """Sweep, tell, and give what was found as JSON."""
        native_crash_guard()
        done = self.sweep(context)
        done.report.raise_for_policy(self.failure_policy)
        return summary(done)

    def sweep(self, context: Context) -> SweepReport:
        """Look at every part; if the process dies inside, the next sweep begins anew."""
        from include.corral.errors import ConfigurationError
        from include.corral.sweep import Sweep, sweep

        # It would say on which database it looks at the schema, in every task's log.
        logging.getLogger("alembic").setLevel(logging.WARNING)
        processor = make_processor(self.processor, self.parameters)
        if not isinstance(processor, Sweep):
            raise ConfigurationError(f"{self.processor} is no Sweep")
        corral = CorralHook(self.conn_id).corral()
        trigger = trigger_of(context)
        return sweep(corral, processor, trigger=trigger, on_progress=self.log.info)


class AnnounceOperator(SweepOperator):
    """Announces each partition that a sweep names, as the loader does for what it has loaded.

    :param outlets: assets; each gets one event for every partition.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Sweep and announce; skip, as an event without a partition would mean nothing."""
        native_crash_guard()
        done = self.sweep(context)
        done.report.raise_for_policy(self.failure_policy)
        if not done.partitions:
            raise AirflowSkipException(f"nothing to announce. {done.report.summary()}")
        for asset in self.outlets:
            context["outlet_events"][asset].add_partitions(done.partitions)
        return summary(done)


def summary(done: SweepReport) -> dict[str, Any]:
    """Give what a sweep found, as JSON types.

    :param done: its report.
    """
    return {
        "sweep": done.report.step,
        "step_run_id": done.report.step_run_id,
        "parts": done.report.done,
        "alerts": done.alerts,
        "found": {name: found.note for name, found in done.found.items() if found.note},
        "partitions": done.partitions,
        "seconds": round(done.report.seconds, 3),
    }
