from __future__ import annotations

from typing import Any

import pytest

from include.ccd.fits_cards import Cards
from include.ccd.fits_writer import header_bytes
from include.ccd.provenance import is_provenance, provenance_cards, read_provenance


def round_trip(record: dict[str, Any]) -> dict[str, Any]:
    return read_provenance(Cards(header_bytes(provenance_cards(record))))


def test_a_record_comes_back_whole() -> None:
    """Step, version, fingerprint, parameters, inputs and software."""
    record = {
        "step": "MasterBias",
        "version": "1",
        "fingerprint": "ab" * 32,
        "parameters": {"clip_sigma": 4.0, "note": 'it\'s "quoted" & long ' * 9, "list": [1, None]},
        "software": {"numpy": "2.4.6"},
        "inputs": [{"role": "bias", "sha256": "0f" * 32, "name": "a b'c.fits" * 12}],
    }

    assert round_trip(record) == record


def test_what_is_not_known_is_absent() -> None:
    """An image written by hand has no provenance, and says none."""
    assert provenance_cards({}) == []
    assert round_trip({}) == {}
    assert round_trip({"inputs": []}) == {"inputs": []}


@pytest.mark.parametrize("count", [999, 1000, 2500])
def test_any_number_of_inputs_fits(count: int) -> None:
    """A deep stack has more inputs than three digits can count."""
    inputs = [
        {"role": "science", "sha256": f"{number:064x}", "name": f"frame-{number}.fits"}
        for number in range(count)
    ]

    assert round_trip({"inputs": inputs})["inputs"] == inputs


def test_the_same_parameters_in_another_order_are_the_same_cards() -> None:
    """Deterministic bytes begin here."""
    one = provenance_cards({"parameters": {"a": 1, "b": 2}})

    assert one == provenance_cards({"parameters": {"b": 2, "a": 1}})


@pytest.mark.parametrize(
    ("keyword", "expected"),
    [("STEP", True), ("INS12", True), ("INR99999", True), ("INSTRUME", False), ("INN", False)],
)
def test_our_keywords_are_told_from_those_of_others(keyword: str, expected: bool) -> None:
    """INSTRUME begins like an input and is none."""
    assert is_provenance(keyword) is expected
