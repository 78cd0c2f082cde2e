"""Who must know is told: over mail, and over every other channel of the installation.

Rules are looked at, and what waits in the outbox is sent, urgent things first. A watcher rings
within seconds when something waits, or a rule has rows to look at; the clock looks every ten
minutes whatever the watcher does. While a link is down nothing is lost: what has gathered goes out
as one digest when it is up again. `corral alerts` shows what was told and what waits, and silences
what is known.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable

from corral_ops.alerts import AlertOperator
from corral_ops.defaults import dag_defaults, task_defaults
from corral_ops.outbox_trigger import OutboxTrigger
from include.toritos.night import RULES

DOORBELL = OutboxTrigger(rules=[rule.rpartition(".")[2] for rule in RULES])
OUTBOX = Asset(
    "toritos_outbox",
    uri="corral://toritos/outbox",
    watchers=[AssetWatcher(name="waiting_alerts", trigger=DOORBELL)],
)

with DAG(
    "toritos_alerts",
    description="Look at the alert rules, and send what waits in the outbox",
    doc_md=__doc__,
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("5-59/10 * * * *", timezone="UTC"), assets=[OUTBOX]
    ),
    max_active_runs=1,
    tags=["corral", "toritos", "alerts"],
    default_args=task_defaults(owner="toritos", per="day"),
    **dag_defaults(per="day", timeout=timedelta(hours=1)),
):
    AlertOperator(
        task_id="tell",
        rules=RULES,
        doc_md="Puts what calls for a person into the outbox, and sends what waits there.",
    )
