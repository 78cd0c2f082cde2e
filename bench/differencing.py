"""The difference of two images: this project, ois in three ways, and properimage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bench.contest import Contender, contest, table_of
from bench.frames import READ_NOISE_E, setting_of
from bench.peers import PeersMissing, python_of
from bench.table import Report
from bench.worker import Finish, Outcome, Work

TINY_PX = 0
SKY_E, REFERENCE_FRAMES = (600.0, 400.0), 5
FWHM_PX = (4.0, 3.0)
OUR_MAKER = "bench.differencing:ours"
# Of the peers the fastest is asked as often as this project; properimage may take minutes.
PEERS_RUNS = 1
LIMIT_S = 60.0


def peers(python: str) -> list[Contender]:
    """What is compared with this project, the fastest first."""
    maker = "bench.differencing_peers:"
    return [
        Contender("ois, Alard–Lupton, its default Gaussian", f"{maker}alard_lupton", python),
        Contender(
            "ois, Alard–Lupton, three Gaussians", f"{maker}three_gaussians", python, PEERS_RUNS
        ),
        Contender("ois, Bramich", f"{maker}bramich", python, PEERS_RUNS),
        Contender("properimage", f"{maker}properimage", python, PEERS_RUNS, LIMIT_S),
    ]


def make_pair(folder: Path, size: int) -> None:
    """Save an image of one frame, one of five in better seeing, and their variances."""
    from include.toritos.simulator.sky import add_star, moffat_alpha_px

    rng = np.random.default_rng(2)
    count = 3000 * size * size // 2048**2
    flux_e = np.minimum(900.0 * (1.0 - 0.9999 * rng.random(count)) ** -1.25, 4e5)
    x_px, y_px = rng.uniform(-5, size + 5, (2, count))
    names = ("science", "reference")
    for name, fwhm_px, sky_e, frames in zip(
        names, FWHM_PX, SKY_E, (1, REFERENCE_FRAMES), strict=True
    ):
        light = np.zeros((size, size), np.float32)
        for x, y, flux in zip(x_px, y_px, flux_e, strict=True):
            # The profile is wider on one side of the field than on the other.
            alpha_px = moffat_alpha_px(fwhm_px * (1.0 + 0.05 * (x / size - 0.5)))
            add_star(light, x_px=x, y_px=y, flux_e=flux, alpha_px=alpha_px)
        noise = rng.normal(0, READ_NOISE_E / np.sqrt(frames), light.shape)
        sci = rng.poisson((light + sky_e) * frames) / frames + noise
        np.save(folder / f"{name}.npy", sci.astype(np.float32))
        var = (np.maximum(sci, 0) + READ_NOISE_E**2) / frames
        np.save(folder / f"{name}_var.npy", var.astype(np.float32))


def ours(task: str, folder: Path, size: int) -> Work:
    """Work of this project, on one thread."""
    from include.ccd.comparing import Differencing
    from include.ccd.difference import subtract
    from include.ccd.image import Image
    from include.ccd.warmup import warm_up

    warm_up()
    science, reference = (
        Image(
            np.load(folder / f"{name}.npy"),
            np.load(folder / f"{name}_var.npy"),
            np.zeros((size, size), np.uint16),
        )
        for name in ("science", "reference")
    )

    def work() -> Finish:
        image = subtract(science, reference, differencing=Differencing()).image
        return lambda: _outcome(image)

    return work


def _outcome(image: Any) -> Outcome:
    ratio = (image.sci / np.sqrt(image.var))[image.mask == 0]
    return Outcome(f"difference over its sigma {ratio.std():.4f} wide", np.array([ratio.std()]))


def run(*, quick: bool) -> Report:
    """Two images of 2048²."""
    size = 512 if quick else 2048
    report = Report(
        "Differences",
        f"Two aligned images of {size}², FWHM {FWHM_PX[0]:g} and {FWHM_PX[1]:g} px varying by 5 % "
        "over the field. This project: a kernel after Alard and Lupton that varies linearly, with "
        "variances, on one thread. ois: its kernels are the same everywhere, 17 × 17 px, the "
        "background a parabola; 'three Gaussians' are the widths and degrees that this project "
        "uses. properimage: its defaults (ZOGY). ois and properimage give no variances; those that "
        "take longest run once.",
    )
    contenders = [Contender("this project", OUR_MAKER)]
    try:
        contenders += peers(str(python_of("images")))
    except PeersMissing as error:
        report.notes.append(f"ois and properimage were left out: {error}")
    with setting_of(make_pair, size=size, tiny_size=TINY_PX, repeat=3) as setting:
        found = contest("difference", contenders, setting)
        us, *others = found.values()
        assert us.pixels is not None
        width = float(np.load(us.pixels)[0])
    for other in others:
        what = f"faster than {other.name}"
        if other.broken_off:
            what += ", which was broken off: so much at least"
        report.judge(what, other.seconds / us.seconds, "at least", 50, "×")
    report.judge(
        "width of the difference over its sigma, off 1", abs(width - 1), "at most", 0.05, ""
    )
    report.tables = [table_of("Differences", {"difference": found})]
    return report
