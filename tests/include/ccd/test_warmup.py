"""Warming up compiles what the pipeline runs."""

from __future__ import annotations

from include.ccd import (
    _kernels_background,
    _kernels_calibrate,
    _kernels_combine,
    _kernels_cosmic,
    _kernels_cosmic_scan,
    _kernels_detect,
    _kernels_sources,
)
from include.ccd.warmup import warm_up


def test_every_kernel_is_compiled_afterwards() -> None:
    """Every kernel that the pipeline calls from Python has its compiled signatures."""
    warm_up()
    modules = (
        _kernels_calibrate,
        _kernels_combine,
        _kernels_cosmic,
        _kernels_cosmic_scan,
        _kernels_background,
        _kernels_detect,
        _kernels_sources,
    )
    kernels = [k for module in modules for k in vars(module).values() if hasattr(k, "signatures")]
    assert kernels
    called = {k.__name__: len(k.signatures) for k in kernels if k.signatures}
    assert called.keys() >= {"calibrate_rows", "clip_planes", "mean_planes", "median_planes"}
    assert called.keys() >= {"find_candidates", "remove", "measure_boxes", "subtract_spline"}
    assert called.keys() >= {"significance", "photometry", "shapes"}
