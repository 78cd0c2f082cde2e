from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from include.ccd.detector import Detector
from include.ccd.errors import BadHeader
from include.ccd.fieldmap import Field
from include.ccd.header import FrameHeader, parse_header
from include.ccd.profile import Profile, Reading
from include.ccd.time_sources import NameTime

MakeHeader = Callable[..., bytes]
Parse = Callable[..., FrameHeader]


@pytest.fixture
def parse(make_header: MakeHeader, plain_profile: Profile) -> Parse:
    """Parse a hand-made header with the plain profile."""

    def parse(*args: Any, arrived_at: datetime | None = None, **kwargs: Any) -> FrameHeader:
        raw = make_header(*args, **kwargs)
        return parse_header(raw, shape=(48, 64), profile=plain_profile, arrived_at=arrived_at)

    return parse


def test_a_plain_header_is_read_whole(parse: Parse) -> None:
    """Every logical value has its type and its unit."""
    header = parse({"RA": "'13:37:00'", "DEC": "'-29:52:00'", "CCD-TEMP": "-20.5"})

    assert header.kind == "science"
    assert header.camera == "plain"
    assert header.filter == "V"
    assert header.exptime_s == 60.0
    assert header.observed_at == datetime(2024, 3, 5, 3, 4, 5, 500000, tzinfo=UTC)
    assert header.binning == "1x1"
    assert header.temperature_c == -20.5
    assert header.object == "M83"
    assert header.ra_deg == pytest.approx(204.25)
    assert header.dec_deg == pytest.approx(-29.866667)
    assert (header.readout, header.airmass) == (None, None)
    assert (header.width_px, header.height_px, header.shape) == (64, 48, (48, 64))
    assert header.trimmed_shape == (48, 64)
    assert header.saturation_adu == 65000
    assert header.amplifiers[0].gain_e_per_adu == 1.5
    assert header.flags == ()


@pytest.mark.parametrize("kind", ["bias", "dark"])
def test_bias_and_dark_carry_no_filter(parse: Parse, kind: str) -> None:
    """The wheel stands somewhere, the shutter is shut."""
    assert parse({"IMAGETYP": f"'{kind}'", "EXPTIME": "1"}).filter is None


@pytest.mark.parametrize(
    ("changes", "drop", "flag"),
    [
        ({"IMAGETYP": "'tracking'"}, [], "kind_unknown"),
        ({}, ["IMAGETYP"], "kind_unknown"),
        ({}, ["FILTER"], "filter_unknown"),
        ({}, ["XBINNING"], "x_binning_unknown"),
        ({"XBINNING": "0"}, [], "x_binning_unreadable"),
        ({"XBINNING": "1.5"}, [], "x_binning_unreadable"),
        ({"CCD-TEMP": "'cold'"}, [], "temperature_c_unreadable"),
        ({"CCD-TEMP": "NaN"}, [], "temperature_c_unreadable"),
        ({"CCD-TEMP": "-300"}, [], "temperature_c_unreadable"),
        ({"RA": "'25:00:00'", "DEC": "'0:0:0'"}, [], "ra_deg_unreadable"),
        ({"IMAGETYP": "'bias'", "EXPTIME": "30"}, [], "bias_exposed"),
        ({"EXPTIME": "0"}, [], "not_exposed"),
        ({"JD": "2460374.6300"}, [], "time_disagrees"),
        ({"SITELONG": "'-64 32 56'"}, [], "site_disagrees"),
        ({"OBSERVER": "'Mar\xeda'"}, [], "non_ascii_header"),
        ({"EXPOSURE": "30"}, [], "exptime_disagrees"),
        ({"JD": "'today'"}, [], "time_unreadable"),
        ({"FILTER": "'" + "V" * 65 + "'"}, [], "filter_unreadable"),
        ({"FOCUS": "NaN"}, [], "unreadable_card"),
    ],
)
def test_what_is_unusual_but_usable_is_flagged(
    parse: Parse, changes: dict[str, str], drop: list[str], flag: str
) -> None:
    """The frame is kept, and nobody has to find out later."""
    assert flag in parse(changes, drop=drop).flags


def test_what_agrees_is_not_flagged(parse: Parse) -> None:
    """The same instant as JD and the same site in degrees raise no flag."""
    assert parse({"JD": "2460374.6278414", "SITELONG": "'-67 19 41'"}).flags == ()


def test_an_unknown_gain_is_flagged(make_header: MakeHeader, plain_profile: Profile) -> None:
    """The image stays in ADU, and says why."""
    detector = replace(plain_profile.detector, gain_e_per_adu=None, read_noise_e=None)
    profile = replace(plain_profile, detector=detector)

    header = parse_header(make_header(), shape=(48, 64), profile=profile)

    assert header.flags == ("gain_unknown", "read_noise_unknown")
    assert header.amplifiers[0].gain_e_per_adu is None


@pytest.mark.parametrize(
    ("changes", "drop", "code"),
    [
        ({}, ["EXPTIME"], "no_exptime"),
        ({"EXPTIME": "-1"}, [], "bad_exptime"),
        ({"EXPTIME": "1E9"}, [], "bad_exptime"),
        ({"EXPTIME": "NaN"}, [], "unreadable_card"),
        ({"EXPTIME": "60,0"}, [], "unreadable_card"),
        ({"EXPTIME": "'60.0 s'"}, [], "unreadable_value"),
        ({}, ["DATE-OBS"], "no_time"),
        ({"DATE-OBS": "'        '"}, [], "no_time"),
        ({"DATE-OBS": "'N/A'"}, [], "unreadable_time"),
        ({"DATE-OBS": "'05/03/24'"}, [], "unreadable_time"),
        ({"DATE-OBS": "'2024-03-05'"}, [], "unreadable_time"),
        ({"DATE-OBS": "'1970-01-01T00:00:00'"}, [], "too_early"),
        ({"DATE-OBS": "'2000-01-01T00:00:00'"}, [], "too_early"),
        ({"DATE-OBS": "'2024-03-07T00:00:00'"}, [], "too_late"),
        ({"JD": "2460374.68"}, [], "time_contradicts"),
    ],
)
def test_a_frame_cannot_be_without_time_and_exposure(
    parse: Parse, changes: dict[str, str], drop: list[str], code: str
) -> None:
    """Absent, unreadable, contradictory or impossible: each has its own reason."""
    with pytest.raises(BadHeader) as caught:
        parse(changes, drop=drop, arrived_at=datetime(2024, 3, 5, 12, tzinfo=UTC))
    assert caught.value.code == code


def test_a_required_keyword_must_not_contradict_itself(parse: Parse) -> None:
    """Two exposure times are none; two observers are only odd."""
    assert "duplicate_keyword" in parse(extra=["OBSERVER= 'A'", "OBSERVER= 'B'"]).flags
    with pytest.raises(BadHeader) as caught:
        parse(extra=["EXPTIME = 30.0"])
    assert caught.value.code == "duplicate_keyword"


def test_another_source_of_time_stands_in(parse: Parse) -> None:
    """Without DATE-OBS the Julian date tells."""
    header = parse({"JD": "2460374.6278414"}, drop=["DATE-OBS"])

    assert header.observed_at == datetime(2024, 3, 5, 3, 4, 5, 497000, tzinfo=UTC)


def test_an_old_camera_may_have_old_frames(make_header: MakeHeader, plain_profile: Profile) -> None:
    """The earliest date is the camera's, not ours."""
    raw = make_header({"DATE-OBS": "'1987-09-01T03:30:24'"})
    profile = replace(plain_profile, reading=Reading(earliest=date(1980, 1, 1)))

    assert parse_header(raw, shape=(48, 64), profile=profile).observed_at.year == 1987


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", "{{ 7*7 }}", "../../etc/passwd", "x'; DROP TABLE frame --"],
)
def test_hostile_text_is_just_text(parse: Parse, text: str) -> None:
    """OBJECT is data: it comes out as it went in and means nothing."""
    quoted = text.replace("'", "''")

    assert parse({"OBJECT": f"'{quoted}'"}).object == text


def test_control_characters_do_not_reach_the_rows(parse: Parse) -> None:
    """A line break in OBJECT could forge a mail header or a log line; NUL breaks a database."""
    header = parse({"OBJECT": "'M83\r\nBcc: x\0y'"})

    assert header.object == "M83??Bcc: x?y"
    assert "control_characters" in header.flags


def test_the_night_of_the_header_is_compared_and_never_believed(
    make_header: MakeHeader, plain_profile: Profile
) -> None:
    """It begins at noon of the site's mean solar time; a camera may begin it at midnight."""
    fields = replace(plain_profile.fields, night=Field(keywords=("NIGHT",)))
    profile = replace(plain_profile, fields=fields)

    def flags(night: str) -> tuple[str, ...]:
        raw = make_header({"NIGHT": f"'{night}'"})
        return parse_header(raw, shape=(48, 64), profile=profile).flags

    assert flags("2024-03-04") == flags("20240304") == flags("2024-03-04T12:00") == ()
    assert flags("2024-03-05") == ("night_disagrees",)


def test_a_time_in_the_name_must_not_contradict_the_header(
    make_header: MakeHeader, plain_profile: Profile
) -> None:
    """A minute is odd, an hour is another frame; a name without a time says nothing."""
    reading = Reading(name_time=NameTime(pattern=r"(\d{8}T\d{6})"))
    profile = replace(plain_profile, reading=reading)

    def flags(name: str | None) -> tuple[str, ...]:
        return parse_header(make_header(), shape=(48, 64), profile=profile, name=name).flags

    assert flags("m83-20240305T030405.fits") == flags("m83.fits") == flags(None) == ()
    assert flags("m83-20240305T030610.fits") == ("time_disagrees",)
    with pytest.raises(BadHeader, match="is both"):
        flags("m83-20240305T050405.fits")


def test_an_array_is_held_against_the_sizes_of_its_binning(
    make_header: MakeHeader, plain_profile: Profile
) -> None:
    """A window, and a binning that the camera does not have, are other instruments."""
    profile = replace(plain_profile, detector=Detector(sizes={"1x1": (64, 48)}))

    assert parse_header(make_header(), shape=(48, 64), profile=profile).binning == "1x1"
    for changes, shape, code in (
        ({}, (24, 32), "wrong_shape"),
        ({"XBINNING": "2"}, (48, 64), "wrong_binning"),
    ):
        with pytest.raises(BadHeader) as caught:
            parse_header(make_header(changes), shape=shape, profile=profile)
        assert caught.value.code == code


def test_every_nickel_frame_has_its_true_values(
    real_data: Any, shipped_profile: Callable[[str], Profile], read_manifest: Callable[..., Any]
) -> None:
    """OBSTYPE lies and is not asked; a bias has no filter; the overscan is the last 32 columns."""
    profile = shipped_profile("nickel")
    frames = {
        row["file"]: (row, parse_header(header, shape=shape, profile=profile))
        for row, header, shape in read_manifest(real_data / "nickel_2024-05-13")
    }

    kinds = [header.kind for _, header in frames.values()]
    assert (kinds.count("bias"), kinds.count("flat"), kinds.count("science")) == (10, 3, 6)
    for row, header in frames.values():
        started = datetime.fromisoformat(row["DATE-BEG"]).replace(tzinfo=UTC)
        assert header.observed_at == started
        assert header.exptime_s == float(row["EXPTIME"])
        assert header.filter == (None if header.kind == "bias" else "V")
        assert header.binning == "2x2"
        assert header.temperature_c == float(row["TEMPDET"])
        assert header.airmass == float(row["AIRMASS"])
        assert header.object == row["OBJECT"]
        assert header.trimmed_shape == (1024, 1024)
        (amplifier,) = header.amplifiers
        assert amplifier.overscan is not None
        assert amplifier.overscan.fits() == "[1025:1056,1:1024]"
        assert header.flags == ()
    m13 = frames["raw/d1059.fits"][1]
    assert (m13.ra_deg, m13.dec_deg) == pytest.approx((250.4216667, 36.4599444))


def test_every_microobs_frame_has_its_true_values(
    real_data: Any, shipped_profile: Callable[[str], Profile], read_manifest: Callable[..., Any]
) -> None:
    """UTC from UT-OBS, kelvin made Celsius, 110.88 west agreeing with the site, gain unknown."""
    profile = shipped_profile("microobs")
    rows = list(read_manifest(real_data / "microobs_hatp32_2017-12-20"))

    assert len(rows) == 142
    for row, raw, shape in rows:
        header = parse_header(raw, shape=shape, profile=profile)
        assert header.kind == "science"
        assert header.filter == "Clear"
        assert header.exptime_s == 60.0
        assert header.observed_at == datetime.fromisoformat(row["UT-OBS"])
        assert header.temperature_c == pytest.approx(float(row["CAMTEMP"]) - 273.15)
        assert (header.ra_deg, header.dec_deg) == (31.312099, 46.769087)
        assert header.trimmed_shape == (490, 646)  # without the low rows and columns
        assert header.saturation_adu == 4095
        assert header.flags == ("read_noise_unknown",)


def test_every_kpno_frame_has_its_true_values(
    real_data: Any, shipped_profile: Callable[[str], Profile], read_manifest: Callable[..., Any]
) -> None:
    """Two-digit years, filters as bolt positions, positions of 1987.7 brought to J2000."""
    profile = shipped_profile("kpno")
    found = {
        row["file"]: parse_header(raw, shape=shape, profile=profile)
        for row, raw, shape in read_manifest(real_data / "kpno_m92_1987")
    }

    told = {
        name.removeprefix("raw/m92").removesuffix(".fits"): (
            header.kind,
            header.filter,
            header.exptime_s,
            header.observed_at.isoformat(),
        )
        for name, header in found.items()
    }
    assert told == {
        "001": ("bias", None, 0.0, "1987-08-31T23:50:58+00:00"),
        "006": ("flat", "B", 15.0, "1987-09-01T01:23:48+00:00"),
        "007": ("flat", "V", 7.0, "1987-09-01T01:28:36+00:00"),
        "010": ("science", "V", 60.0, "1987-09-01T03:30:24+00:00"),
        "011": ("science", "V", 60.0, "1987-09-01T03:33:18+00:00"),
        "014": ("science", "B", 120.0, "1987-09-01T03:45:06+00:00"),
        "015": ("science", "B", 120.0, "1987-09-01T03:48:07+00:00"),
    }
    for header in found.values():
        (amplifier,) = header.amplifiers
        assert amplifier.overscan is not None
        assert (amplifier.data.fits(), amplifier.overscan.fits()) == (
            "[1:320,1:512]",
            "[321:352,1:512]",
        )
        assert header.trimmed_shape == (512, 320)
        assert header.flags == ()
    # M92 is at 17:17:07.4 +43:08:09 in J2000: the telescope pointed half a field beside it
    m92 = found["raw/m92010.fits"]
    assert (m92.ra_deg, m92.dec_deg) == pytest.approx((259.4447, 43.0491), abs=1e-4)


def test_the_eaba_frames_have_their_true_values(
    real_data: Any, shipped_profile: Callable[[str], Profile], read_manifest: Callable[..., Any]
) -> None:
    """MaxIm DL: 3x3 binning, degrees with blanks, a Julian date that agrees, no pointing."""
    profile = shipped_profile("eaba")
    headers = [
        parse_header(raw, shape=shape, profile=profile)
        for _, raw, shape in read_manifest(real_data / "toros_eaba_2015")
    ]

    assert [header.observed_at.isoformat() for header in headers] == [
        "2015-12-27T06:26:24+00:00",
        "2015-12-27T06:27:38+00:00",
    ]
    for header in headers:
        assert (header.kind, header.filter, header.exptime_s) == ("science", "Clear", 60.0)
        assert (header.binning, header.readout) == ("3x3", "Monochrome (Preflash)")
        assert header.temperature_c == pytest.approx(-20, abs=0.1)
        assert (header.object, header.ra_deg, header.dec_deg) == ("eso085-030", None, None)
        assert header.trimmed_shape == (682, 1024)
        assert header.flags == ()
