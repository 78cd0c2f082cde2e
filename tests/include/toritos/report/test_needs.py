"""What calls for a person is said, and what does not is not."""

from __future__ import annotations

from dataclasses import replace

from include.toritos.report.facts import Exposures, Files, Standing, Tally
from include.toritos.report.needs import headline, needs


def test_complete_night_needs_nobody(full_facts) -> None:
    """Alerts that were sent, masters of other nights and good images are no work."""
    facts = full_facts()
    good = tuple(replace(image, verdict="good") for image in facts.images)
    facts = replace(facts, images=good, files=Files(40, 40), standing=(), alerts=())
    assert list(needs(facts)) == []
    assert headline(facts) == "complete: 40 images of 40 frames"


def test_everything_that_is_wrong_is_said_with_a_remedy(full_facts) -> None:
    """The missing first."""
    unplaced = (Tally("not placed on the sky: 0 sources; 8 stars are needed", 2),)
    facts = full_facts("bad_exptime")
    facts = replace(facts, missing=("no master flat R",), unplaced=unplaced)
    said = list(needs(facts))
    assert said == [
        "Missing: no master flat R.",
        "MasterBias: 1 unit failed (bad_data; mend or veto the frame): bad_exptime",
        "1 file refused as bad_exptime: mend or remove.",
        "1 file not whole yet (empty): send again.",
        "1 of 40 images bad by the checks: look.",
        "2 images not placed on the sky: 0 sources; 8 stars are needed.",
        "40 alerts not delivered: see `corral alerts`.",
    ]


def test_open_work_is_no_failure(bare_facts) -> None:
    """It is said that it is not done."""
    facts = bare_facts(standing=(Standing("ReduceScience", "open", "", "", 3),))
    assert list(needs(facts)) == ["ReduceScience: 3 units open, not done yet."]


def test_headline_tells_nothing_from_nothing_usable(bare_facts, full_facts) -> None:
    """A closed dome, a broken camera, and a night with frames."""
    assert headline(bare_facts()) == "nothing was observed"
    refused = bare_facts(files=Files(2, 0, (Tally("not_fits", 2),)))
    assert headline(refused) == "no usable frame came in"
    frames: tuple[Exposures, ...] = full_facts().exposures
    assert headline(bare_facts(exposures=frames, missing=("x",))) == "incomplete: x"
