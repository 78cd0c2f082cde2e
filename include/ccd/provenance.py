"""What made a product, as cards: from these alone it can be told and made again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from include.ccd.fits_cards import Cards
from include.ccd.fits_writer import format_card

_OURS: Final = re.compile(r"STEP|STEPVER|FPRINT|PARAMS|SOFTWARE|NINPUTS|IN[RSN]\d+")


def is_provenance(keyword: str) -> bool:
    """Whether a keyword is one of those that `provenance_cards` writes."""
    return _OURS.fullmatch(keyword) is not None


def provenance_cards(provenance: Mapping[str, Any]) -> list[str]:
    """Cards of a provenance record.

    Parameters
    ----------
    provenance : mapping
        'step', 'version', 'fingerprint': text; 'parameters', 'software': what JSON can hold;
        'inputs': sequence of mappings with 'role', 'sha256' and 'name'. All may be absent.

    Returns
    -------
    list of str
        STEP, STEPVER, FPRINT, PARAMS and SOFTWARE (JSON), NINPUTS, and for each input n the
        cards INRn, INSn and INNn. There is room for 99,999 inputs.
    """
    cards = []
    for key, keyword, comment in (
        ("step", "STEP", "what made this file"),
        ("version", "STEPVER", "version of the step"),
        ("fingerprint", "FPRINT", "sha256 of step, version, parameters and inputs"),
    ):
        if key in provenance:
            cards.append(format_card(keyword, (str(provenance[key]), comment)))
    for key, keyword in (("parameters", "PARAMS"), ("software", "SOFTWARE")):
        if key in provenance:
            text = json.dumps(provenance[key], sort_keys=True, separators=(",", ":"))
            cards.append(format_card(keyword, text))
    if "inputs" in provenance:
        cards += _input_cards(provenance["inputs"])
    return cards


def read_provenance(cards: Cards) -> dict[str, Any]:
    """The record that `provenance_cards` wrote; what is not there is absent.

    Raises
    ------
    BadHeader
        A card is unreadable.
    """
    found: dict[str, Any] = {}
    for key, keyword in (("step", "STEP"), ("version", "STEPVER"), ("fingerprint", "FPRINT")):
        if keyword in cards:
            found[key] = cards.get(keyword)
    for key, keyword in (("parameters", "PARAMS"), ("software", "SOFTWARE")):
        if keyword in cards:
            found[key] = json.loads(str(cards.get(keyword)))
    if "NINPUTS" in cards:
        found["inputs"] = [_input(cards, n) for n in range(1, _count(cards) + 1)]
    return found


def _input_cards(inputs: Any) -> list[str]:
    cards = [format_card("NINPUTS", (len(inputs), "made from: role INRn, sha256 INSn, name INNn"))]
    for number, each in enumerate(inputs, start=1):
        cards.append(format_card(f"INR{number}", str(each["role"])))
        cards.append(format_card(f"INS{number}", str(each["sha256"])))
        cards.append(format_card(f"INN{number}", str(each["name"])))
    return cards


def _input(cards: Cards, number: int) -> dict[str, Any]:
    return {
        "role": cards.get(f"INR{number}"),
        "sha256": cards.get(f"INS{number}"),
        "name": cards.get(f"INN{number}"),
    }


def _count(cards: Cards) -> int:
    count = cards.get("NINPUTS")
    return count if isinstance(count, int) else 0
