"""What the pipeline remembers: rows, without science and without Airflow.

Read ``site`` (who observes), ``frame`` (what came in), ``correction`` (what its headers say
wrongly), ``product`` (what was made), ``work`` (what was done, by whom, how it ended), ``alert``
(who is told), ``observation`` (what sweeps saw).
"""

from models.alert import Alert, AlertStatus, Delivery
from models.base import Base
from models.correction import Correction, CorrectionList
from models.frame import Frame, Rejection, Sighting
from models.observation import Observation
from models.product import Derived, Product, ProductInput, QualityCheck
from models.setup import ObservingSetup
from models.site import CCD, Campaign, Night, Observatory
from models.work import (
    Due,
    Outcome,
    Planned,
    StepRun,
    Subscription,
    Unit,
    UnitRow,
    UnitRun,
    UnitStatus,
)

__all__ = [
    "CCD",
    "Alert",
    "AlertStatus",
    "Base",
    "Campaign",
    "Correction",
    "CorrectionList",
    "Delivery",
    "Derived",
    "Due",
    "Frame",
    "Night",
    "Observation",
    "Observatory",
    "ObservingSetup",
    "Outcome",
    "Planned",
    "Product",
    "ProductInput",
    "QualityCheck",
    "Rejection",
    "Sighting",
    "StepRun",
    "Subscription",
    "Unit",
    "UnitRow",
    "UnitRun",
    "UnitStatus",
]
