"""A hundred alerts through a mail server that fails at one in five; `make chaos` has more."""

from __future__ import annotations

import random
from datetime import timedelta

from corral_ops.mail import EmailChannel
from include.corral import parcel
from tests.bad_servers import MAIL_FAULTS, BadOffice
from tests.mail_office import smtp_connection
from tests.outbox_trials import post_all, put, toll

ALERTS = 100


def test_none_is_lost_and_what_comes_twice_is_the_same(installation, monkeypatch) -> None:
    """Twice comes only what was taken without a word, with the same Message-ID."""
    for name in ("FIRST_PAUSE", "FIRST_REFUSAL_PAUSE"):
        monkeypatch.setattr(parcel, name, timedelta(0))
    with BadOffice(random.Random(3)) as office:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", smtp_connection(office.port))
        put(installation, ALERTS)
        post_all(installation, EmailChannel(to="night@example.org", messages_per_hour=10**9))
        found = toll(installation, office.identities)
    assert found.violations(office.ambiguous) == 0
    assert set(office.faults) - {"None"} == {str(fault) for fault in MAIL_FAULTS}
