"""Every channel of the project keeps what channels promise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.corral.channels import KINDS
from include.corral.channels.chat import AppriseChannel
from include.corral.channels.voevent import VOEventChannel
from include.corral.channels.webhook import WebhookChannel
from tests.include.corral.channels.conftest import Site
from tests.include.corral.channels.contract import ChannelContract
from tests.include.corral.channels.far_sides import (
    Blind,
    Lines,
    Packets,
    Web,
    read_json,
    read_note,
    read_packet,
)


class TestFile(ChannelContract):
    @pytest.fixture
    def far(self, tmp_path: Path) -> Lines:
        return Lines(tmp_path / "alerts")


class TestWebhook(ChannelContract):
    @pytest.fixture
    def far(self, site: Site) -> Web:
        def make(url: str, **options: Any) -> WebhookChannel:
            return WebhookChannel(url=url, secret="s", **options)

        return Web(site, make, read_json)


class TestChat(ChannelContract):
    @pytest.fixture
    def far(self, site: Site) -> Web:
        def make(url: str, **options: Any) -> AppriseChannel:
            return AppriseChannel(urls=[url.replace("http", "json", 1)], **options)

        return Blind(site, make, read_note)


class TestVOEventFile(ChannelContract):
    @pytest.fixture
    def far(self, tmp_path: Path) -> Packets:
        return Packets(tmp_path / "packets")


class TestVOEventPost(ChannelContract):
    @pytest.fixture
    def far(self, site: Site) -> Web:
        def make(url: str, **options: Any) -> VOEventChannel:
            return VOEventChannel(stream="example.org/toritos", url=url, **options)

        return Web(site, make, read_packet)


def test_no_kind_is_left_out() -> None:
    """E-mail has the same tests, where Airflow is."""
    assert set(KINDS) == {"file", "webhook", "apprise", "voevent"}
