"""Chat services get messages through Apprise."""

from __future__ import annotations

import json

import pytest

from include.corral.channels.chat import AppriseChannel
from include.corral.errors import ConfigurationError
from tests.include.corral.channels.conftest import Site, make_message, status


def test_message_arrives(site: Site) -> None:
    """Title, text and urgency, as the service wants them."""
    message = make_message()
    AppriseChannel(urls=[site.url.replace("http", "json", 1)]).send(message)
    ((_, body),) = site.requests
    note = json.loads(body)
    assert (note["title"], note["type"]) == ("disk full", "failure")
    assert note["message"] == f"Free some room.\n#{message.reference}"


def test_service_that_fails_leaves_it_open(site: Site) -> None:
    """Of several some may have taken it."""
    site.answer = status(500)
    with pytest.raises(OSError, match="Apprise"):
        AppriseChannel(urls=[site.url.replace("http", "json", 1)]).send(make_message())


def test_url_that_is_none_is_refused_without_being_shown() -> None:
    """It may hold a password."""
    with pytest.raises(ConfigurationError, match="URL 1") as caught:
        AppriseChannel(urls=["hunter2"])
    assert "hunter2" not in str(caught.value)
