from __future__ import annotations

from typing import Any

import pytest

from include.ccd.detector import AmplifierArea, Area, Detector
from include.ccd.errors import BadHeader
from include.ccd.fieldmap import Field
from include.ccd.fits_cards import Cards
from include.ccd.sections import Amplifier, Section

HEADER = Cards(
    "".join(
        card.ljust(80)
        for card in (
            "DATASEC = '[1:320,1:512]'",
            "BIASSEC = '[321:352,1:512]'",
            "TOOWIDE = '[1:353,1:512]'",
            "GARBLED = 'all of it'",
            "COVER   = 32",
            "NOCOVER = 0",
            "HALF    = 1.5",
            "GAIN1   = 2.5",
            "GAIN2   = 'unknown'",
            "PLACED1 = '[11:330,1:512]'",
            "END",
        )
    ).encode()
)
SHAPE = (512, 352)


def split(
    detector: Detector, shape: tuple[int, int] = SHAPE, binning: str = "1x1"
) -> tuple[Amplifier, ...]:
    return detector.split(HEADER, shape, gain_e_per_adu=2.0, read_noise_e=9.0, binning=binning)


def amplifier(data: str, placed: str, **kwargs: Any) -> AmplifierArea:
    return AmplifierArea(data=Area(section=data), placed=Area(section=placed), **kwargs)


def test_a_detector_without_overscan_is_all_data() -> None:
    """Whatever its size."""
    whole = Section(0, 512, 0, 352)

    assert split(Detector()) == (Amplifier(whole, None, whole, 2.0, 9.0),)
    (known,) = split(Detector(pedestal_adu=316.0))
    assert known.pedestal_adu == 316.0


@pytest.mark.parametrize(
    "detector",
    [
        Detector(data=Area(keyword="DATASEC"), overscan=Area(keyword="BIASSEC")),
        Detector(data=Area(section="[1:320,1:512]"), overscan=Area(section="[321:352,1:512]")),
        Detector(overscan=Area(last_columns=32)),
        Detector(overscan=Area(last_columns_keyword="COVER")),
        Detector(overscan=Area(keyword="BIASSEC")),
    ],
)
def test_five_ways_of_telling_the_same_overscan(detector: Detector) -> None:
    """Constant, from the header, or as a number of columns."""
    data = Section(0, 512, 0, 320)
    overscan = Section(0, 512, 320, 352)

    assert split(detector) == (Amplifier(data, overscan, Section(0, 512, 0, 320), 2.0, 9.0),)


def test_no_overscan_columns_is_no_overscan() -> None:
    """A readout mode without overscan says 0."""
    (amplifier,) = split(Detector(overscan=Area(last_columns_keyword="NOCOVER")))

    assert amplifier.overscan is None
    assert amplifier.data == Section(0, 512, 0, 352)


@pytest.mark.parametrize(
    "area",
    [
        Area(keyword="TOOWIDE"),
        Area(keyword="GARBLED"),
        Area(keyword="ABSENT"),
        Area(last_columns=353),
        Area(last_columns_keyword="HALF"),
    ],
)
def test_a_section_that_is_not_there_is_refused(area: Area) -> None:
    """An array would give an empty slice without a word."""
    with pytest.raises(BadHeader) as caught:
        split(Detector(overscan=area))
    assert caught.value.code == "bad_section"


def test_amplifiers_have_electronics_of_their_own_or_the_detectors() -> None:
    """Two halves, one of them with another gain."""
    detector = Detector(
        width_px=352,
        height_px=512,
        amplifiers=(
            amplifier("[1:160,1:512]", "[1:160,1:512]", overscan=Area(section="[321:336,1:512]")),
            amplifier("[161:320,1:512]", "[161:320,1:512]", gain_e_per_adu=3.0),
        ),
    )

    left, right = split(detector)

    assert (left.gain_e_per_adu, left.read_noise_e) == (2.0, 9.0)
    assert (right.gain_e_per_adu, right.overscan) == (3.0, None)
    assert right.placed == Section(0, 512, 160, 320)


@pytest.mark.parametrize(
    "detector",
    [
        Detector(width_px=350),
        Detector(height_px=256, width_px=352),
        Detector(amplifiers=(amplifier("[1:353,1:2]", "[1:353,1:2]"),)),
        Detector(amplifiers=(amplifier("[1:352,1:2]", "[2:353,1:2]"),)),
        Detector(overscan=Area(section="[1:10,1:513]")),
        Detector(sizes={"1x1": (704, 1024)}),
    ],
)
def test_an_array_of_another_size_is_refused(detector: Detector) -> None:
    """Another window or binning than the instrument's is not guessed around."""
    with pytest.raises(BadHeader) as caught:
        split(detector)
    assert caught.value.code == "wrong_shape"


@pytest.mark.parametrize(
    "arguments", [{}, {"section": "[1:2,1:2]", "keyword": "BIASSEC"}, {"section": "nowhere"}]
)
def test_an_area_is_told_in_exactly_one_way(arguments: dict[str, str]) -> None:
    """Two ways could disagree."""
    with pytest.raises(ValueError, match="section"):
        Area(**arguments)


def test_one_amplifier_or_several_but_not_both() -> None:
    """A profile that says both means neither."""
    several = (amplifier("[1:2,1:2]", "[1:2,1:2]"),)
    with pytest.raises(ValueError, match="either amplifiers"):
        Detector(amplifiers=several, data=Area(section="[1:2,1:2]"))


def test_a_camera_may_have_several_sizes_and_each_belongs_to_a_binning() -> None:
    """A window has another size; a binning that is not listed is not the camera's."""
    detector = Detector(sizes={"1x1": (704, 1024), "2x2": (352, 512)})

    assert split(detector, binning="2x2")[0].data.shape == SHAPE
    for shape, binning, code in (
        (SHAPE, "1x1", "wrong_shape"),
        ((500, 352), "2x2", "wrong_shape"),
        (SHAPE, "3x3", "wrong_binning"),
    ):
        with pytest.raises(BadHeader) as caught:
            split(detector, shape, binning)
        assert caught.value.code == code


def test_sizes_are_told_once() -> None:
    """Not by binning and for all binnings; and both sides of each."""
    with pytest.raises(ValueError, match="either sizes"):
        Detector(sizes={"1x1": (704, 1024)}, width_px=704)
    with pytest.raises(ValueError, match="width, height"):
        Detector(sizes={"1x1": (704,)})


def test_the_header_may_tell_sections_and_electronics_of_each_amplifier() -> None:
    """An unreadable gain is the detector's; a placed section may not leave the array."""
    gain = [Field(keywords=(f"GAIN{i}",), convert="number") for i in (1, 2)]
    data, placed = Area(keyword="DATASEC"), Area(keyword="PLACED1")
    detector = Detector(
        amplifiers=tuple(AmplifierArea(data, placed, gain_e_per_adu=each) for each in gain)
    )

    first, second = split(detector)

    assert (first.gain_e_per_adu, second.gain_e_per_adu) == (2.5, 2.0)
    assert first.placed == Section(0, 512, 10, 330)
    for wrong in (Area(keyword="TOOWIDE"), Area(keyword="BIASSEC"), Area(keyword="ABSENT")):
        with pytest.raises(BadHeader) as caught:
            split(Detector(amplifiers=(AmplifierArea(data, wrong),)))
        assert caught.value.code == "bad_section"


def test_an_amplifier_is_placed_by_a_section() -> None:
    """A number of columns is no place in the trimmed image."""
    with pytest.raises(ValueError, match="placed"):
        AmplifierArea(Area(keyword="DATASEC"), Area(last_columns=3))
    with pytest.raises(ValueError, match="must have the shape"):
        amplifier("[1:2,1:2]", "[1:3,1:2]")
