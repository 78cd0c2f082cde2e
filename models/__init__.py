"""What the pipeline remembers: rows, without science and without Airflow.

Read ``site`` (who observes), ``frame`` (what came in), ``correction`` (what its headers say
wrongly), ``product`` (what was made), ``source`` (what was seen on an image), ``transient`` (what
changes in the sky), ``work`` (what was done, by whom, how it ended), ``alert`` (who is told) and
``delivery`` (whether they were), ``observation`` (what sweeps saw).
"""

from models.alert import Alert
from models.base import Base
from models.correction import Correction, CorrectionList
from models.delivery import (
    AttemptOutcome,
    ChannelState,
    Delivery,
    DeliveryAttempt,
    DeliveryStatus,
    Silence,
)
from models.frame import Frame, Rejection, Sighting
from models.observation import Observation
from models.product import Derived, Product, ProductInput, QualityCheck
from models.setup import ObservingSetup
from models.site import CCD, Campaign, Night, Observatory
from models.source import AstrometricSolution, Measurement, PhotometricSolution, SourceList
from models.transient import Candidate, Detection, LightCurvePoint
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
    "AstrometricSolution",
    "AttemptOutcome",
    "Base",
    "Campaign",
    "Candidate",
    "ChannelState",
    "Correction",
    "CorrectionList",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryStatus",
    "Derived",
    "Detection",
    "Due",
    "Frame",
    "LightCurvePoint",
    "Measurement",
    "Night",
    "Observation",
    "Observatory",
    "ObservingSetup",
    "Outcome",
    "PhotometricSolution",
    "Planned",
    "Product",
    "ProductInput",
    "QualityCheck",
    "Rejection",
    "Sighting",
    "Silence",
    "SourceList",
    "StepRun",
    "Subscription",
    "Unit",
    "UnitRow",
    "UnitRun",
    "UnitStatus",
]
