"""A camera, a sky and a night whose truth is known, for demonstrations and tests."""

from include.toritos.simulator.detector import Detector, DetectorSpec
from include.toritos.simulator.night import simulate_frame, simulate_night, write_frames
from include.toritos.simulator.plan import Exposure, NightPlan
from include.toritos.simulator.sky import SkySpec
from include.toritos.simulator.truth import Truth

__all__ = [
    "Detector",
    "DetectorSpec",
    "Exposure",
    "NightPlan",
    "SkySpec",
    "Truth",
    "simulate_frame",
    "simulate_night",
    "write_frames",
]
