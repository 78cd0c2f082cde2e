"""What the steps that make masters have in common: their gate, and the product."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from sqlalchemy.orm import InstrumentedAttribute

from include.toritos.fits_step import (
    FEW,
    FitsStep,
    master_flags,
    mean_temperature_c,
    middle,
    write_flags,
)
from include.toritos.gates import gate_of
from include.toritos.master_check import RECIPE, require_like_the_last
from models.frame import Frame
from models.product import Product

if TYPE_CHECKING:
    from include.ccd.image import Image
    from include.ccd.raw import RawFrame
    from include.corral.run import Run

CAMERA = (Frame.night_id, Frame.camera, Frame.binning, Frame.readout)
IN_TIME = (Frame.observed_at, Frame.sha256)


Frames: TypeAlias = "list[RawFrame]"
Images: TypeAlias = "Mapping[str, Image | None]"


class MasterStep(FitsStep):
    """Calibration frames of a night that belong together are one master.

    Attributes
    ----------
    kind
        Of the frames; the product is the ``master_`` of it.
    """

    model = Frame
    group_by: ClassVar[Sequence[InstrumentedAttribute[Any]]] = CAMERA
    ordering = IN_TIME
    kind: ClassVar[str]

    @abstractmethod
    def combine(self, frames: Frames, like: Frame, images: Images) -> Image:
        """Combine frames; `images` are the masters that the step uses, by role."""

    def process(self, work: list[Frame], run: Run) -> Iterator[Product]:
        """Make the master when the frames that it should have are there, or did not come."""
        gate = gate_of(self.kind, work, self.profile(work[0]).gates, run)
        if not gate.admits():
            run.remark(f"{gate}: no master is made of them, another night's is used")
            return
        masters = self.choose_masters(work[0], run)
        images = self.read_masters(masters, run)
        image = self.combine([run.read(frame) for frame in work], work[0], images)
        flags = master_flags(work[0], masters)
        if gate.state == "short":
            run.remark(f"{gate}: made of these, and flagged")
            flags.append(FEW)
            image.cards["NEXPECT"] = (gate.expected, "frames expected")
        write_flags(image, flags, masters)
        image.cards[RECIPE] = (self._recipe(work[0]), "of version and settings")
        made, observed_at = f"master_{self.kind}", middle(work)
        require_like_the_last(
            image, made, like=work[0], at=observed_at, profile=self.profile(work[0]), run=run
        )
        yield run.product(
            made,
            image,
            inputs={self.kind: work, **masters},
            like=work[0],
            metrics=image.metrics,
            flags=flags,
            observed_at=observed_at,
            temperature_c=mean_temperature_c(work),
            exptime_s=0.0 if self.kind == "bias" else work[0].exptime_s,
            object=None,
        )

    def _recipe(self, like: Frame) -> str:
        text = self.signature + self.profile(like).digest(*self.sections)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def configuration(self, rows: Sequence[Any]) -> Mapping[str, Any]:
        """As of any step on frames, and, where frames are missing, what the profile says to that.

        So it matters to those masters alone whether, and of how many, the profile expects more.
        """
        gates = self.profile(rows[0]).gates
        expected = gates.expected(self.kind)
        common = super().configuration(rows)
        if expected is None or len(rows) >= expected:
            return common
        return {**common, "expected": expected, "short": gates.when_short(self.kind)}
