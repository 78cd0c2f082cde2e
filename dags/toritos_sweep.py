"""What nobody else would notice: the dead, full disks, files that stay half, silence, lost events.

`toritos_sweep`, every ten minutes:

* triggers whose process died are closed, what they held is open again, and somebody is told;
* files of the inbox that stay half, disks that fill up, a camera that is silent at night: told of;
* nights with work that nobody does are announced as the loader announces them, so that no event
  need ever arrive.

`toritos_audit`, every afternoon of the site: rows and files are compared with what the ledger
promises, hashes are read for half an hour, and what dead processes left in the store is removed.

All of it can be run by hand at any time: `corral sweep`, `corral sweep --deep`, `corral audit`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Asset, CronTriggerTimetable

from corral_ops.defaults import dag_defaults, task_defaults
from corral_ops.sweep import AnnounceOperator, SweepOperator
from include.corral.settings import Settings
from include.toritos.instrument import profile_name, profile_of

FRAMES = Asset("toritos_frames", uri="corral://toritos/frames")

settings = Settings.from_env()
site = profile_of(profile_name(settings), settings).site

with DAG(
    "toritos_sweep",
    description="Close the dead, watch disks, inbox and camera, announce open nights",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("*/10 * * * *", timezone="UTC"),
    max_active_runs=1,
    tags=["corral", "toritos", "sweep"],
    default_args=task_defaults(owner="toritos", per="day"),
    **dag_defaults(per="day", timeout=timedelta(hours=1)),
):
    SweepOperator(
        task_id="sweep",
        sweep="include.toritos.sweeps.ToritosSweep",
        doc_md="Looks at everything that can be looked at in seconds.",
    )
    AnnounceOperator(
        task_id="announce",
        sweep="include.toritos.sweeps.OpenNights",
        outlets=[FRAMES],
        doc_md="Announces nights with open units, or changes not looked at; skips if none.",
    )

with DAG(
    "toritos_audit",
    description="Compare what is promised with what is there, remove what the dead left",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("0 15 * * *", timezone=site.timezone),
    max_active_runs=1,
    tags=["corral", "toritos", "sweep", "audit"],
    default_args=task_defaults(owner="toritos", per="day"),
    **dag_defaults(per="day", timeout=timedelta(hours=6)),
):
    SweepOperator(
        task_id="audit",
        sweep="include.toritos.sweeps.ToritosAudit",
        doc_md="Reads rows and store; a broken promise is told of.",
    )
