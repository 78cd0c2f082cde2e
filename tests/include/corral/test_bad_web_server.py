"""Two hundred alerts through a web server that fails at one in five; `make chaos` has more."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from sqlalchemy import select

from include.corral import parcel
from include.corral.channels.webhook import WebhookChannel
from include.corral.corral import Corral
from include.corral.deliver import deliver
from models import DeliveryAttempt
from tests.bad_servers import WEB_FAULTS, BadSite
from tests.outbox_trials import NAME, post_all, put, toll, waiting

ALERTS = 200


@pytest.fixture
def no_pauses(monkeypatch) -> None:
    for name in ("FIRST_PAUSE", "FIRST_REFUSAL_PAUSE"):
        monkeypatch.setattr(parcel, name, timedelta(0))


def test_none_is_lost_and_what_comes_twice_is_the_same(corral: Corral, no_pauses) -> None:
    """However it fails: refused, later, broken off before and after the answer, too slow."""
    with BadSite(random.Random(5), slow_s=1.0) as site:
        channel = WebhookChannel(url=site.url, timeout_s=0.5, messages_per_hour=10**9)
        put(corral, ALERTS)
        post_all(corral, channel)
        found = toll(corral, site.identities)
        faults = dict(site.faults)
    with corral.read() as session:
        outcomes = session.scalars(select(DeliveryAttempt.outcome)).all()
    assert (found.lost, found.strange, found.given_up, found.broken) == (0, 0, 0, 0)
    assert found.twice <= outcomes.count("unknown")
    assert set(faults) == set(WEB_FAULTS)


def test_server_that_is_not_there_loses_nothing(corral: Corral, no_pauses) -> None:
    """Refused connections are certain: what waits is told when it is back, once."""
    put(corral, 10)
    with BadSite() as site:
        channel = WebhookChannel(url=site.url)
    for _ in range(3):
        assert deliver(corral, {NAME: channel}).messages == 0
    assert waiting(corral) == 10
    with BadSite() as site:
        deliver(corral, {NAME: WebhookChannel(url=site.url)})
        assert toll(corral, site.identities).violations(0) == 0
