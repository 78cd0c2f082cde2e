"""Random numbers belong to their purpose."""

from __future__ import annotations

import pytest

from include.toritos.simulator.streams import stream, stripes


def test_one_purpose_has_one_sequence_of_numbers() -> None:
    """The numbers are pinned: another value here makes every simulated file another."""
    assert stream(1, "noise", "bias-001.fit").integers(0, 1000, 6).tolist() == (
        stream(1, "noise", "bias-001.fit").integers(0, 1000, 6).tolist()
    )
    assert stream(1, "pinned").integers(0, 1000, 4).tolist() == [816, 443, 438, 692]


@pytest.mark.parametrize(
    ("seed", "purpose"), [(2, ("a", "bc")), (1, ("ab", "c")), (1, ("a",)), (1, ("a", "bc", ""))]
)
def test_another_seed_or_purpose_has_other_numbers(seed: int, purpose: tuple[str, ...]) -> None:
    """Neither the seed nor where one word ends is lost."""
    assert stream(seed, *purpose).random() != stream(1, "a", "bc").random()


@pytest.mark.parametrize("size_px", [64, 1000, 10560])
def test_stripes_cover_every_row_once(size_px: int) -> None:
    """No row is left out or drawn twice."""
    rows = [row for part in stripes(size_px) for row in range(part.start, part.stop)]
    assert rows == list(range(size_px))
