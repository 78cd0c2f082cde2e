"""Tasks that drain a queue of the kernel: one for loaders, one for steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from corral_ops.crash import native_crash_guard
from corral_ops.hook import DEFAULT_CONN_ID, CorralHook
from corral_ops.links import MadeLink
from corral_ops.made import summary
from corral_ops.retry import FailureClassPolicy
from corral_ops.runtime import NIGHT, make_processor, require_partition, trigger_of
from corral_ops.tell import tell_failures

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.corral.corral import Corral
    from include.corral.report import Report


class DrainOperator(BaseOperator):
    """What loading and working have in common.

    :param processor: dotted path of the class.
    :param parameters: values that depart from the class's own.
    :param failure_policy: what failed units mean for the task: ``fail``, ``tolerate_waiting``,
        ``tolerate_refused`` or ``warn``; the good ones are committed in any case.
    :param conn_id: the installation.
    """

    operator_extra_links = (MadeLink(),)

    def __init__(
        self,
        *,
        processor: str,
        parameters: Mapping[str, Any] | None,
        failure_policy: str,
        conn_id: str,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("retry_policy", FailureClassPolicy())
        super().__init__(**kwargs)
        self.processor = processor
        self.parameters = dict(parameters or {})
        self.failure_policy = failure_policy
        self.conn_id = conn_id

    def drain(self, context: Context, partition: str | None) -> tuple[Corral, Report]:
        """Do everything that is open; a later try, or a cleared task, also what has failed.

        If the process dies inside, every unit is either committed whole or open again.
        """
        from include.corral.drain import drain

        processor = make_processor(self.processor, self.parameters)
        corral = CorralHook(self.conn_id).corral()
        trigger = trigger_of(context)
        report = drain(
            corral,
            processor,
            partition=partition,
            trigger=trigger,
            retry_failed=trigger.try_number > 1,
            on_progress=self.log.info,
        )
        return corral, report


class StepOperator(DrainOperator):
    """Works through the open units of a step: of one night, as many as there are.

    Several tasks of one step share its units: ``.partial(…).expand(worker=[1, 2])``.

    :param step: dotted path of the step.
    :param partition: the night; by default the run's partition key, or its parameter ``night``, or
        the date given to ``airflow tasks test``. None works on everything that is open.
    :param worker: tells tasks that share a step apart, in the UI only.
    """

    template_fields: Sequence[str] = ("partition",)
    ui_color: str = "#dfe7f5"

    def __init__(
        self,
        *,
        step: str,
        parameters: Mapping[str, Any] | None = None,
        partition: str | None = NIGHT,
        failure_policy: str = "fail",
        conn_id: str = DEFAULT_CONN_ID,
        worker: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            processor=step,
            parameters=parameters,
            failure_policy=failure_policy,
            conn_id=conn_id,
            **kwargs,
        )
        self.step = step
        self.partition = partition
        self.worker = worker

    def execute(self, context: Context) -> dict[str, Any]:
        """Drain; fail as the policy says."""
        native_crash_guard()
        partition = require_partition(self.partition)
        corral, report = self.drain(context, partition)
        made = summary(corral, report)
        for path in made["products"]:
            self.log.info("made %s", path)
        report.raise_for_policy(self.failure_policy)
        return made


class LoaderOperator(DrainOperator):
    """Brings in what is new, and announces each night that something came for.

    A task whose units fail could announce nothing, and one bad file would keep every later night
    from being worked on: by default the failures are told of, once, and the task succeeds.

    :param loader: dotted path of the loader.
    :param outlets: assets; each gets one event for every night that something was loaded for.
    :param partitioned: False where the rows have no nights: the assets get one plain event.
    """

    ui_color: str = "#e3f0df"

    def __init__(
        self,
        *,
        loader: str,
        parameters: Mapping[str, Any] | None = None,
        partitioned: bool = True,
        failure_policy: str = "warn",
        conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            processor=loader,
            parameters=parameters,
            failure_policy=failure_policy,
            conn_id=conn_id,
            **kwargs,
        )
        self.loader = loader
        self.partitioned = partitioned

    def execute(self, context: Context) -> dict[str, Any]:
        """Load; skip what follows when there was nothing new."""
        native_crash_guard()
        corral, report = self.drain(context, None)
        report.raise_for_policy(self.failure_policy)
        tell_failures(corral, report)
        if not (report.partitions if self.partitioned else report.done):
            raise AirflowSkipException(f"nothing new. {report.summary()}")
        for asset in self.outlets:
            if report.partitions:
                context["outlet_events"][asset].add_partitions(sorted(report.partitions))
        return summary(corral, report)
