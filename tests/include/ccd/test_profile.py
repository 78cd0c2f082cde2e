from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from include.ccd.errors import ProfileError
from include.ccd.profile import Calibration, Check, Profile, load_profile
from include.ccd.time_sources import NameTime

SHIPPED = ("toritos", "eaba", "nickel", "microobs", "kpno", "toros")


def test_a_profile_is_named_by_its_file(
    write_profile: Callable[[str], Path], plain_text: str
) -> None:
    """What the file says is there, what it does not say has its default."""
    profile = load_profile(write_profile(plain_text))

    assert profile.name == "camera"
    assert profile.site.longitude_deg == -67.328
    assert profile.site.timezone == "UTC"
    assert profile.kinds == ("bias", "dark", "flat", "science")
    assert profile.calibration == Calibration()
    assert profile.checks == ()


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_profiles_load(name: str, shipped_profile: Callable[[str], Profile]) -> None:
    """Every one is valid, and knows a site that exists and a zone that does."""
    from zoneinfo import ZoneInfo

    profile = shipped_profile(name)

    assert profile.name == name
    assert profile.description
    assert "science" in profile.kinds
    assert ZoneInfo(profile.site.timezone).key == profile.site.timezone


def test_the_simulated_camera_is_the_one_that_was_agreed(
    shipped_profile: Callable[[str], Profile],
) -> None:
    """The simulator and the profile must not drift apart."""
    profile = shipped_profile("toritos")
    detector = profile.detector

    assert (profile.site.latitude_deg, profile.site.longitude_deg) == (-24.623, -67.328)
    assert (profile.site.elevation_m, profile.site.timezone) == (4650, "America/Argentina/Salta")
    assert (detector.gain_e_per_adu, detector.read_noise_e) == (1.5, 8.0)
    assert detector.saturation_adu == 65000
    assert (detector.width_px, detector.height_px, detector.overscan) == (None, None, None)


def test_toros_has_sixteen_amplifiers_that_tile_its_image(
    shipped_profile: Callable[[str], Profile],
) -> None:
    """Every pixel of 10560 × 10560 is written once, none of the raw array is read twice."""
    from include.ccd.fits_cards import Cards

    amplifiers = shipped_profile("toros").detector.split(
        Cards(b""), (10600, 12000), gain_e_per_adu=0.38, read_noise_e=5.0
    )

    def area(shape: tuple[int, int]) -> int:
        return shape[0] * shape[1]

    assert len(amplifiers) == 16
    assert {amplifier.data.shape for amplifier in amplifiers} == {(5280, 1320)}
    assert {a.overscan.shape for a in amplifiers if a.overscan} == {(5280, 180)}
    corners = {(a.placed.y0, a.placed.x0) for a in amplifiers}
    assert corners == {(y * 5280, x * 1320) for y in range(2) for x in range(8)}
    assert sum(area(a.placed.shape) for a in amplifiers) == 10560**2
    assert all(a.overscan and a.overscan.x0 == a.data.x1 for a in amplifiers)
    assert {a.data.x0 % 1500 for a in amplifiers} == {0}
    assert {a.data.y0 for a in amplifiers} == {0, 5320}


def test_a_digest_follows_the_sections_it_names(
    write_profile: Callable[[str], Path], plain_text: str
) -> None:
    """A changed threshold changes the digest of its section and of the whole, of no other."""
    before = load_profile(write_profile(plain_text))
    after = load_profile(write_profile(plain_text + "[calibration]\nclip_sigma = 3.5\n"))

    assert after.digest("calibration") != before.digest("calibration")
    assert after.digest() != before.digest()
    assert after.digest("fields", "detector") == before.digest("fields", "detector")
    assert len(before.digest("site")) == 64


def test_a_digest_does_not_follow_how_the_file_is_laid_out(
    write_profile: Callable[[str], Path], plain_text: str
) -> None:
    """Comments, order and a default that is spelt out change nothing."""
    before = load_profile(write_profile(plain_text)).digest()
    spelt = "# words\n" + plain_text + "[calibration]\nclip_sigma = 4\nclip_max_iters = 5\n"

    assert load_profile(write_profile(spelt)).digest() == before


def test_a_digest_of_a_section_that_is_not_there_is_refused(plain_profile: Profile) -> None:
    """A misspelt section would never make anything stale."""
    with pytest.raises(ProfileError, match="calibraton"):
        plain_profile.digest("calibraton")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("elevation_m", "elevaton_m", r"camera.toml site has an unknown key 'elevaton_m'; allowed"),
        ("= -24.623", "= -124.623", "latitude_deg must be in"),
        ('kind = "bias"', 'kind = "zero"', "'zero'; allowed: 'bias', 'dark', 'flat'"),
        ('["EXPTIME", "EXPOSURE"], convert = "number"', '["EXPTIME"]', "exptime_s is a number"),
        ('convert = "hours"', 'convert = "hour"', "'hour'; allowed"),
        ('["DATE-OBS"]', '["DATE"]', "DATE is when the file was written"),
        ('IMAGETYP = "bias"', 'IMAGETYP = "("', "camera.toml rules"),
        ('description = "', 'name = "other"\ndescription = "', "named by its file"),
        ("[detector]", "[detector", "cannot be read"),
        ("elevation_m = 4650", 'elevation_m = 1, timezone = "Mars"', "no such time zone: 'Mars'"),
        ("[detector]", "[levels]\nbias = { low = 1, hi = 2 }\n[detector]", "levels.bias .*'hi'"),
        ("[detector]", "[detector]\nsizes = { 1x1 = [1] }", "width, height"),
    ],
)
def test_a_profile_that_cannot_be_meant_is_refused(
    write_profile: Callable[[str], Path], plain_text: str, old: str, new: str, message: str
) -> None:
    """When it is loaded, naming the place: not when the first frame arrives."""
    assert old in plain_text
    with pytest.raises(ProfileError, match=message):
        load_profile(write_profile(plain_text.replace(old, new)))


def test_an_absent_profile_names_those_that_are_there(
    write_profile: Callable[[str], Path], plain_text: str
) -> None:
    """The commonest mistake is a misspelt name."""
    folder = write_profile(plain_text).parent
    with pytest.raises(ProfileError, match=r"no profile 'camra'; those present: camera"):
        load_profile(folder / "camra.toml")


def test_every_threshold_can_be_set(write_profile: Callable[[str], Path], plain_text: str) -> None:
    """[calibration] takes each field of `Calibration` under its own name."""
    defaults = dataclasses.asdict(Calibration(flat_min_adu=1.0, flat_max_adu=2.0))
    lines = [f"{key} = {_toml(value)}" for key, value in defaults.items()]
    text = plain_text + "[calibration]\n" + "\n".join(lines)

    assert dataclasses.asdict(load_profile(write_profile(text)).calibration) == defaults


def test_a_profile_may_know_levels_sizes_and_names(
    write_profile: Callable[[str], Path], plain_text: str
) -> None:
    """What frames of each kind are like, how large they are, what their files are called."""
    more = 'sizes = { 1x1 = [64, 48] }\n[levels]\nbias = { low = 800 }\n[reading]\nhdu = "SCI"\n'
    profile = load_profile(write_profile(f"{plain_text}{more}name_time = {{ pattern = '(x)' }}\n"))

    assert profile.detector.sizes == {"1x1": (64, 48)}
    assert [profile.levels["bias"].hold(mean) for mean in (799.0, 801.0)] == [False, True]
    assert (profile.reading.hdu, profile.reading.name_time) == ("SCI", NameTime("(x)"))


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


@pytest.mark.parametrize(
    ("low", "high", "holds"),
    [(None, None, True), (2.0, None, True), (None, 1.9, False), (3.0, 4.0, False)],
)
def test_a_check_holds_for_what_lies_within(low, high, holds) -> None:
    """The bounds themselves are within."""
    assert Check("name", "metric", low, high).holds(2.0) is holds
