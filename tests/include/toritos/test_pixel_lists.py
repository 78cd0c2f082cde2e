"""Lists of pixels that a profile names: where they are looked for, and what follows from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from include.ccd.mask import MaskBit
from include.corral.errors import ConfigurationError
from include.corral.settings import Settings
from include.toritos.instrument import SHIPPED, profile_of, profiles_hash
from include.toritos.pixel_lists import listed_pixels, pixel_lists_sha256


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a site with a profile of its own, which names two lists for frames binned 1x1."""
    own = tmp_path / "profiles"
    own.mkdir()
    text = (
        (SHIPPED / "toritos.toml")
        .read_text(encoding="utf-8")
        .replace(
            "[detector]\n",
            "[detector]\n"
            'bad_pixels = { "1x1" = "u.pixels" }\n'
            'warm_pixels = { "1x1" = "w.pixels" }\n',
        )
    )
    (own / "mine.toml").write_text(text, encoding="utf-8")
    (own / "u.pixels").write_text("1 2 1 1\n")
    (own / "w.pixels").write_text("2 3 1 1\n")
    return Settings.below(tmp_path, pipeline={"profile": "mine", "profiles": str(own)})


def test_each_list_gives_its_bit(settings: Settings) -> None:
    """A pixel may be in both."""
    plane = listed_pixels(profile_of("mine", settings), "1x1", (2, 4), settings)
    assert plane is not None
    assert plane.dtype == np.uint16
    both = MaskBit.BAD | MaskBit.WARM
    np.testing.assert_array_equal(plane, [[MaskBit.BAD, both, MaskBit.WARM, 0], [0, 0, 0, 0]])


def test_another_binning_has_no_list(settings: Settings) -> None:
    """Its pixels are others."""
    profile = profile_of("mine", settings)
    assert listed_pixels(profile, "2x2", (2, 4), settings) is None
    assert pixel_lists_sha256(profile, "2x2", settings) == {}


def test_a_changed_list_is_another_result(settings: Settings) -> None:
    """The digest of its content, and the mark of what has been looked at, change with it."""
    profile = profile_of("mine", settings)
    digests, mark = pixel_lists_sha256(profile, "1x1", settings), profiles_hash(settings)
    (Path(settings.pipeline["profiles"]) / "w.pixels").write_text("4 4 2 2\n")
    assert pixel_lists_sha256(profile, "1x1", settings)["WARM"] != digests["WARM"]
    assert pixel_lists_sha256(profile, "1x1", settings)["BAD"] == digests["BAD"]
    assert profiles_hash(settings) != mark


def test_a_missing_list_says_which(settings: Settings) -> None:
    """And a wrong one says where."""
    profile = profile_of("mine", settings)
    with pytest.raises(ConfigurationError, match="no rectangle of a frame"):
        listed_pixels(profile, "1x1", (2, 2), settings)
    (Path(settings.pipeline["profiles"]) / "u.pixels").unlink()
    with pytest.raises(ConfigurationError, match=r"'mine' names the list of pixels u\.pixels"):
        listed_pixels(profile, "1x1", (2, 4), settings)


@pytest.mark.parametrize(
    ("name", "binning", "shape"), [("nickel", "2x2", (1024, 1024)), ("microobs", "1x1", (490, 646))]
)
def test_lists_that_ship_fit_their_cameras(
    name: str, binning: str, shape: tuple[int, int], tmp_path: Path
) -> None:
    """A hundredth of the pixels or less is bad; a little more may be warm."""
    settings = Settings.below(tmp_path)
    plane = listed_pixels(profile_of(name, settings), binning, shape, settings)
    assert plane is not None
    assert 0 < (plane != 0).mean() < 0.02
