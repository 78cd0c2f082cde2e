from __future__ import annotations

import pickle

import pytest

from include.ccd import errors
from include.ccd.errors import BadFits, BadHeader, CcdError, Incomplete, Malformed, Unusable


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        (Incomplete, "WAIT"),
        (Malformed, "QUARANTINE"),
        (Unusable, "QUARANTINE"),
        (BadHeader, "QUARANTINE"),
    ],
)
def test_only_an_incomplete_file_is_waited_for(kind: type[BadFits], verdict: str) -> None:
    """Every refusal says what to do with the file."""
    assert kind("code", "message").verdict == verdict


def test_a_refusal_survives_the_way_between_processes() -> None:
    """An error pickled in a worker is the same error in its parent."""
    error = pickle.loads(pickle.dumps(Incomplete("truncated_data", "12 of 24 bytes")))

    assert (type(error), error.code, error.message) == (
        Incomplete,
        "truncated_data",
        "12 of 24 bytes",
    )
    assert str(error) == "truncated_data: 12 of 24 bytes"


def test_the_tree_in_the_module_is_the_tree_in_the_code() -> None:
    """Each class stands in the drawing that a reader sees first."""
    classes = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, CcdError)
    ]

    assert len(classes) == 9
    assert all(each.__name__ in (errors.__doc__ or "") for each in classes)
    assert all(each.__doc__ for each in classes)
