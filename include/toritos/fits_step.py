"""What the steps on frames have in common: profiles, raw frames, masters."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, ClassVar

from include.corral.associate import Use
from include.corral.errors import FailureClass
from include.corral.step import Step
from include.toritos.files import place_of
from include.toritos.gates import pass_gates
from include.toritos.instrument import profile_of, profiles_hash
from models.frame import Frame
from models.product import Product
from models.setup import ObservingSetup

if TYPE_CHECKING:
    from include.ccd.calibration import Calibration
    from include.ccd.image import Image
    from include.ccd.profile import Profile
    from include.ccd.raw import RawFrame
    from include.corral.run import Run

# Columns of a frame that may say otherwise than its header.
BELIEVED = ("kind", "filter", "exptime_s", "observed_at", "object", "temperature_c")
FEW = "few_frames"
SAME_CAMERA = ("camera", "binning", "readout")

BIAS = Use(role="bias", kind="master_bias", exact=SAME_CAMERA)
DARK = Use(role="dark", kind="master_dark", exact=SAME_CAMERA)
FLAT = Use(role="flat", kind="master_flat", exact=(*SAME_CAMERA, "filter"))


class FitsStep(Step):
    """A step whose rows are frames or products; thresholds and policies come from the profile.

    Attributes
    ----------
    sections
        Parts of the profile that results depend on.
    """

    sections: ClassVar[Sequence[str]] = ("fields", "rules", "detector", "calibration")

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self._kept: dict[int, Image] = {}

    @property
    def plan_signature(self) -> str:
        """As any step's, with all profiles: a changed profile makes every night be looked at."""
        text = self.signature + profiles_hash(self.settings)
        return hashlib.sha256(text.encode()).hexdigest()

    def profile(self, row: Any) -> Profile:
        """Give the profile of the instrument that made `row`."""
        return profile_of(row.instrument, self.settings)

    def configuration(self, rows: Sequence[Any]) -> Mapping[str, Any]:
        """Give the digest of the profile: a changed threshold makes results stale.

        With it goes for which masters the profile says to stop: when it no longer does, what
        stopped goes on, and the other way round.
        """
        profile = self.profile(rows[0])
        stops = [use.role for use in self.uses if profile.gates.stops_without(use.role)]
        return {"profile": profile.digest(*self.sections)} | ({"stops": stops} if stops else {})

    def rule(self, use: Use, row: Any) -> Use:
        """Give `use` with the tolerances and policies of the row's camera."""
        calibration = self.profile(row).calibration
        use = replace(
            use,
            max_age_days=calibration.max_age_days,
            missing=getattr(calibration, f"missing_{use.role}"),
        )
        return _dark_rule(use, calibration) if use.role == "dark" else use

    def read(self, path: Path, row: Any) -> RawFrame | Image:
        """Read a frame as raw frame, a product as image."""
        from include.ccd.image import Image
        from include.ccd.raw import RawFrame

        if isinstance(row, Product):
            return Image.read(path)
        from include.ccd.header import parse_header

        assert row.header is not None
        shape = (row.height_px, row.width_px)
        blocks = gzip.decompress(row.header)
        header = parse_header(blocks, shape=shape, profile=self.profile(row))
        # What is believed goes before what the header says: see the corrections.
        header = replace(header, **{name: getattr(row, name) for name in BELIEVED})
        return RawFrame(place_of(row, self.settings), header, row.hdu)

    def choose_masters(self, row: Frame, run: Run) -> dict[str, Product | None]:
        """Give the masters that go with `row`, those of its own night if they may still come.

        Raises
        ------
        NotYet
            If the night's own frames for one may still come.
        UpstreamMissing
            If there is none, or not enough of the night's own, and the profile says to stop.
        """
        pass_gates(row, run.found, self.profile(row).gates, run)
        return run.associate(row)

    def read_masters(self, masters: Mapping[str, Product | None], run: Run) -> dict[str, Any]:
        """Give the images of the masters that there are; None stays None.

        Those last used are kept: frame after frame is calibrated with the same.
        """
        images = {
            row.id: self._kept.get(row.id) or run.read(row) for row in masters.values() if row
        }
        self._kept = images
        return {role: images[row.id] if row else None for role, row in masters.items()}

    def classify(self, error: BaseException) -> FailureClass:
        """As any, and: what the science finds wrong with its input is bad data."""
        from include.ccd.errors import CcdError
        from include.ccd.masters import TooFewFrames

        if isinstance(error, TooFewFrames):
            return FailureClass.UPSTREAM_MISSING
        return FailureClass.BAD_DATA if isinstance(error, CcdError) else super().classify(error)


def _dark_rule(use: Use, calibration: Calibration) -> Use:
    """Let the scaling policy decide which exposures fit; an equal one goes before all others."""
    same = {"exptime_s": calibration.exptime_tolerance_s}
    within = {"temperature_c": calibration.temperature_tolerance_c}
    if calibration.dark_scaling == "exact":
        return replace(use, within=within | same)
    longer = {} if calibration.dark_scale_up else same
    return replace(use, within=within, prefer=same, at_least=longer)


def middle(frames: Sequence[ObservingSetup]) -> datetime:
    """Give the middle of the frames' times."""
    first = min(frame.observed_at for frame in frames)
    return first + (max(frame.observed_at for frame in frames) - first) / 2


def mean_temperature_c(frames: Sequence[Frame]) -> float | None:
    """Give the mean of the temperatures that are known, rounded to a thousandth of a degree."""
    known = [frame.temperature_c for frame in frames if frame.temperature_c is not None]
    return round(fmean(known), 3) if known else None


def master_flags(row: Frame, masters: Mapping[str, Product | None]) -> list[str]:
    """Say which masters are not as they should be: ``no_dark``, ``few_flat``, ``other_bias``.

    There was none; it was made of fewer frames than expected; it is of another night.
    """
    flags = []
    for role, product in masters.items():
        if product is None:
            flags.append(f"no_{role}")
            continue
        flags += [f"few_{role}"] if FEW in product.flags else []
        flags += [f"other_{role}"] if product.night_id != row.night_id else []
    return flags


def write_flags(image: Image, flags: Iterable[str], masters: Mapping[str, Product | None]) -> None:
    """Put flags, and the nights of the masters, into the cards of a product."""
    from include.ccd.cards import flag_text, flags_of

    image.cards["FLAGS"] = flag_text([*flags_of(image), *flags])
    for role, product in masters.items():
        if product is not None:
            card = (product.partition_key, f"night of the master {role}")
            image.cards[f"{role.upper()}NITE"] = card
