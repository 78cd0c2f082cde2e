"""What the pipeline remembers: rows, without science and without Airflow.

Read ``site`` (who observes), ``frame`` (what came in), ``product`` (what was made), ``work``
(what was done, by whom, how it ended), ``alert`` (who is told).
"""

from models.alert import Alert, AlertStatus, Delivery
from models.base import Base
from models.frame import Frame, Rejection, Sighting
from models.product import Derived, Product, ProductInput, QualityCheck
from models.setup import ObservingSetup
from models.site import CCD, Campaign, Night, Observatory
from models.work import Due, Outcome, Planned, StepRun, Subscription, Unit, UnitRun, UnitStatus

__all__ = [
    "CCD",
    "Alert",
    "AlertStatus",
    "Base",
    "Campaign",
    "Delivery",
    "Derived",
    "Due",
    "Frame",
    "Night",
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
    "UnitRun",
    "UnitStatus",
]
