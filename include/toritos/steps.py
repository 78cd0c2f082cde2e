"""The steps of a night, in their order: masters, calibrated images, checks, gate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from include.corral.errors import BadData, UpstreamMissing
from include.toritos.fits_step import BIAS, DARK, FLAT, FitsStep, master_flags, write_flags
from include.toritos.master_step import CAMERA, IN_TIME, Frames, Images, MasterStep
from include.toritos.pixel_lists import listed_pixels, pixel_lists_sha256
from models.frame import Frame
from models.product import Product, ProductInput, QualityCheck

if TYPE_CHECKING:
    from include.ccd.image import Image
    from include.ccd.profile import Profile
    from include.corral.run import Run


class MasterBias(MasterStep):
    """The bias frames of a night and camera are one master bias."""

    kind = "bias"
    conditions = (Frame.kind == "bias", Frame.accepted)

    def combine(self, frames: Frames, like: Frame, images: Images) -> Image:
        """Combine them."""
        from include.ccd.masters import master_bias

        return master_bias(frames, calibration=self.profile(like).calibration)


class MasterDark(MasterStep):
    """The dark frames of a night, camera and exposure time are one master dark."""

    kind = "dark"
    conditions = (Frame.kind == "dark", Frame.accepted)
    group_by = (*CAMERA, Frame.exptime_s)
    uses = (BIAS,)

    def combine(self, frames: Frames, like: Frame, images: Images) -> Image:
        """Combine them, less the bias."""
        from include.ccd.masters import master_dark

        return master_dark(frames, calibration=self.profile(like).calibration, **images)


class MasterFlat(MasterStep):
    """The flats of a night, camera and filter are one master flat."""

    kind = "flat"
    conditions = (Frame.kind == "flat", Frame.accepted)
    group_by = (*CAMERA, Frame.filter)
    uses = (BIAS, DARK)

    def combine(self, frames: Frames, like: Frame, images: Images) -> Image:
        """Combine them, less bias and dark, each scaled by its level."""
        from include.ccd.masters import master_flat

        return master_flat(frames, calibration=self.profile(like).calibration, **images)


class ReduceScience(FitsStep):
    """Every accepted science frame has a calibrated image with variance and mask."""

    model = Frame
    conditions = (Frame.kind == "science", Frame.accepted)
    ordering = IN_TIME
    uses = (BIAS, DARK, FLAT)
    sections = (*FitsStep.sections, "cosmic_rays", "site")

    def configuration(self, rows: Sequence[Any]) -> Mapping[str, Any]:
        """As of any step on frames, with the digests of the lists of pixels."""
        row = rows[0]
        listed = pixel_lists_sha256(self.profile(row), row.binning, self.settings)
        return {**super().configuration(rows), **({"pixels": listed} if listed else {})}

    def process(self, work: Frame, run: Run) -> Iterator[Product]:
        """Calibrate it, replace the cosmic rays, and measure its quality: one reading, one file."""
        from include.ccd.calibrate import calibrate
        from include.ccd.cosmic_rays import remove_cosmic_rays
        from include.ccd.quality import measure_quality

        masters = self.choose_masters(work, run)
        images = self.read_masters(masters, run)
        profile = self.profile(work)
        raw = run.read(work)
        bad = listed_pixels(profile, work.binning, raw.header.trimmed_shape, self.settings)
        image = calibrate(raw, calibration=profile.calibration, bad_pixels=bad, **images)
        if profile.cosmic_rays is not None:
            hits = remove_cosmic_rays(image, settings=profile.cosmic_rays)
            image.metrics["cosmic_fraction"] = len(hits) / image.sci.size
        flags = master_flags(work, masters)
        write_flags(image, flags, masters)
        yield run.product(
            "calibrated",
            image,
            inputs={"science": work, **masters},
            like=work,
            metrics=image.metrics | measure_quality(image) | _conditions(work, profile),
            flags=[*work.flags, *flags],
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


def _conditions(frame: Frame, profile: Profile) -> dict[str, float]:
    """Altitude and moon at the middle of the exposure, where it is known what was pointed at."""
    from include.toritos.moon import pointing_metrics

    if frame.ra_deg is None or frame.dec_deg is None:
        return {}
    middle = frame.observed_at + timedelta(seconds=0.5 * (frame.exptime_s or 0.0))
    return pointing_metrics(middle, ra_deg=frame.ra_deg, dec_deg=frame.dec_deg, site=profile.site)


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
