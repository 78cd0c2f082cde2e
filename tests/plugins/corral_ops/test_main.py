"""Rules are looked at, and mail goes out, from a shell."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from corral_ops.__main__ import main
from include.corral.drain import drain
from tests.plugins.corral_ops.conftest import Thermometer
from tests.plugins.corral_ops.test_alerts import HERE


@pytest.fixture(autouse=True)
def _as_loud_as_before() -> Iterator[None]:
    """A command silences the kernel for as long as its process lives; this one lives on."""
    kernel = logging.getLogger("include")
    level = kernel.level
    yield
    kernel.setLevel(level)


def test_rule_is_looked_at_and_its_mail_sent(installation, mailbox, capsys) -> None:
    """Once: again, there is nothing to tell."""
    drain(installation, Thermometer())
    assert main([f"{HERE}.Warm"]) == 0
    assert len(mailbox.mails) == 2
    assert "2 alert(s) in 2 message(s) sent" in capsys.readouterr().out
    assert main([f"{HERE}.Warm"]) == 0
    assert len(mailbox.mails) == 2


def test_rule_that_fails_and_channel_that_is_down_are_seen_by_the_shell(
    installation, no_server, capsys
) -> None:
    """What is wrong is said."""
    drain(installation, Thermometer())
    assert main([f"{HERE}.Broken"]) == 1
    assert "fahrenheit" in capsys.readouterr().out
    assert main([f"{HERE}.Warm"]) == 1
    assert "email: " in capsys.readouterr().out
