"""The steps of a night, in their order: masters, calibrated images, checks, gate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from include.corral.errors import BadData, UpstreamMissing
from include.toritos.fits_step import (
    BIAS,
    DARK,
    FLAT,
    FitsStep,
    mean_temperature_c,
    middle,
    missing_flags,
)
from models.frame import Frame
from models.product import Product, ProductInput, QualityCheck

if TYPE_CHECKING:
    from include.ccd.image import Image
    from include.corral.run import Run

CAMERA = (Frame.night_id, Frame.camera, Frame.binning, Frame.readout)
IN_TIME = (Frame.observed_at, Frame.sha256)


class MasterBias(FitsStep):
    """The bias frames of a night and camera are one master bias."""

    model = Frame
    conditions = (Frame.kind == "bias", Frame.accepted)
    group_by = CAMERA
    ordering = IN_TIME

    def process(self, work: list[Frame], run: Run) -> Iterator[Product]:
        """Combine them."""
        from include.ccd.masters import master_bias

        raw = [run.read(frame) for frame in work]
        image = master_bias(raw, calibration=self.profile(work[0]).calibration)
        yield _master(run, "master_bias", image, work, masters={}, exptime_s=0.0)


class MasterDark(FitsStep):
    """The dark frames of a night, camera and exposure time are one master dark."""

    model = Frame
    conditions = (Frame.kind == "dark", Frame.accepted)
    group_by = (*CAMERA, Frame.exptime_s)
    ordering = IN_TIME
    uses = (BIAS,)

    def process(self, work: list[Frame], run: Run) -> Iterator[Product]:
        """Combine them, less the bias."""
        from include.ccd.masters import master_dark

        masters = run.associate(work[0])
        images = self.read_masters(masters, run)
        raw = [run.read(frame) for frame in work]
        image = master_dark(raw, calibration=self.profile(work[0]).calibration, **images)
        yield _master(run, "master_dark", image, work, masters=masters)


class MasterFlat(FitsStep):
    """The flats of a night, camera and filter are one master flat."""

    model = Frame
    conditions = (Frame.kind == "flat", Frame.accepted)
    group_by = (*CAMERA, Frame.filter)
    ordering = IN_TIME
    uses = (BIAS, DARK)

    def process(self, work: list[Frame], run: Run) -> Iterator[Product]:
        """Combine them, less bias and dark, each scaled by its level."""
        from include.ccd.masters import master_flat

        masters = run.associate(work[0])
        images = self.read_masters(masters, run)
        raw = [run.read(frame) for frame in work]
        image = master_flat(raw, calibration=self.profile(work[0]).calibration, **images)
        yield _master(run, "master_flat", image, work, masters=masters)


class ReduceScience(FitsStep):
    """Every accepted science frame has a calibrated image with variance and mask."""

    model = Frame
    conditions = (Frame.kind == "science", Frame.accepted)
    ordering = IN_TIME
    uses = (BIAS, DARK, FLAT)

    def process(self, work: Frame, run: Run) -> Iterator[Product]:
        """Calibrate it and measure its quality."""
        from include.ccd.calibrate import calibrate
        from include.ccd.quality import measure_quality

        masters = run.associate(work)
        images = self.read_masters(masters, run)
        image = calibrate(run.read(work), calibration=self.profile(work).calibration, **images)
        yield run.product(
            "calibrated",
            image,
            inputs={"science": work, **masters},
            like=work,
            metrics=image.metrics | measure_quality(image),
            flags=[*work.flags, *missing_flags(masters)],
        )


class CheckQuality(FitsStep):
    """Every calibrated image has a verdict from each check of its profile."""

    model = Product
    conditions = (Product.kind == "calibrated", Product.current)
    sections = ("checks",)

    def process(self, work: Product, run: Run) -> Iterator[QualityCheck]:
        """Compare what was measured with the limits."""
        for check in self.profile(work).checks:
            value = work.metrics.get(check.metric)
            yield QualityCheck(
                product_id=work.id,
                name=check.name,
                metric=check.metric,
                value=value,
                low=check.low,
                high=check.high,
                verdict=_verdict(value, check),
            )


class NightGate(FitsStep):
    """A night whose science frames are all calibrated, and not too many of them bad, is good."""

    model = Product
    conditions = (Product.kind == "calibrated", Product.current)
    group_by = (Product.night_id,)
    sections = ("checks",)
    parameters = {"max_bad_fraction": 0.5}

    def process(self, work: list[Product], run: Run) -> None:
        """Let the night pass, or say what is wrong with it."""
        left = _not_calibrated(work[0].night_id, run)
        if left:
            names = ", ".join(frame.path for frame in left[:5])
            raise UpstreamMissing(f"{len(left)} science frame(s) are not calibrated: {names}")
        bad = _bad_products(work, run)
        if len(bad) > self.parameters["max_bad_fraction"] * len(work):
            raise BadData(
                f"{len(bad)} of {len(work)} calibrated images are bad, by: "
                f"{', '.join(sorted({check.name for check in bad.values()}))}"
            )


def _master(
    run: Run,
    kind: str,
    image: Image,
    frames: list[Frame],
    *,
    masters: dict[str, Product | None],
    **columns: Any,
) -> Product:
    return run.product(
        kind,
        image,
        inputs={frames[0].kind: frames, **masters},
        like=frames[0],
        metrics=image.metrics,
        flags=missing_flags(masters),
        observed_at=middle(frames),
        temperature_c=mean_temperature_c(frames),
        object=None,
        **columns,
    )


def _verdict(value: float | None, check: Any) -> str:
    if value is None:
        return "unknown"
    low_enough = check.high is None or value <= check.high
    high_enough = check.low is None or value >= check.low
    if low_enough and high_enough:
        return "good"
    return "bad" if check.severity == "quarantine" else "warn"


def _not_calibrated(night_id: int, run: Run) -> Sequence[Frame]:
    made = (
        select(ProductInput.id)
        .join(Product, ProductInput.product_id == Product.id)
        .where(ProductInput.frame_id == Frame.id, Product.kind == "calibrated", Product.current)
    )
    query = select(Frame).where(
        Frame.night_id == night_id, *ReduceScience.conditions, ~made.exists()
    )
    return run.session.scalars(query).all()


def _bad_products(products: Sequence[Product], run: Run) -> dict[int, QualityCheck]:
    """The bad ones by id, each with a check that says so."""
    query = select(QualityCheck).where(
        QualityCheck.product_id.in_([product.id for product in products]),
        QualityCheck.verdict == "bad",
        QualityCheck.current,
    )
    return {check.product_id: check for check in run.session.scalars(query)}
