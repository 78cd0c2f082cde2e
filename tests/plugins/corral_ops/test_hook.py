from __future__ import annotations

import json
from pathlib import Path

import pytest
from airflow.sdk import Connection

from corral_ops.hook import CorralHook, settings_of

PASSWORD = "canary/p@ss word"


def test_without_a_connection_the_environment_holds(monkeypatch, tmp_path):
    """The embedded database below `CORRAL_HOME`: nothing has to be set up in Airflow."""
    monkeypatch.setenv("CORRAL_HOME", str(tmp_path))
    settings = CorralHook("no_such_connection").settings()
    assert settings.database_url == f"sqlite:///{tmp_path}/corral.db"


def test_a_connection_goes_before_the_environment_where_it_says_something(tmp_path):
    """Empty fields say nothing; unknown ones are the pipeline's own."""
    extra = {"inbox": str(tmp_path / "raw"), "products": "", "profile": "nickel", "lease_s": 60}
    connection = Connection(conn_id="c", conn_type="corral", extra=json.dumps(extra))
    env = {"CORRAL_HOME": str(tmp_path), "CORRAL_PROFILE": "toritos", "CORRAL_CAMPAIGN": "one"}
    settings = settings_of(connection, env)
    assert settings.inbox == tmp_path / "raw"
    assert settings.products == tmp_path / "products"
    assert settings.lease_s == 60
    assert settings.pipeline == {"profile": "nickel", "campaign": "one"}


def test_a_host_means_postgresql(tmp_path):
    """A password may hold anything: it reaches the driver as it is."""
    from sqlalchemy import make_url

    connection = Connection(
        conn_id="c",
        conn_type="corral",
        host="db.example.org",
        port=5433,
        login="corral",
        password=PASSWORD,
        schema="survey",
    )
    url = make_url(settings_of(connection, {"CORRAL_HOME": str(tmp_path)}).database_url)
    assert (url.drivername, url.host, url.port) == ("postgresql", "db.example.org", 5433)
    assert (url.username, url.password, url.database) == ("corral", PASSWORD, "survey")


@pytest.mark.parametrize("spelt", [PASSWORD, "canary%2Fp%40ss%20word", "canary%2Fp%40ss word"])
def test_a_password_is_hidden_in_every_spelling(tmp_path, spelt):
    """Airflow hides the one it was given; a URL spells it otherwise."""
    from airflow.sdk._shared.secrets_masker import redact

    url = f"postgresql://corral:{'canary%2Fp%40ss%20word'}@db/survey"
    connection = Connection(
        conn_id="c", conn_type="corral", extra=json.dumps({"database_url": url})
    )
    settings_of(connection, {"CORRAL_HOME": str(tmp_path)})
    assert "canary" not in str(redact(f"could not connect: {spelt}"))


def test_a_usable_installation_is_told_from_one_that_is_not(installation):
    """The button of the connection form says which folder or database is wrong."""
    good, message = CorralHook().test_connection()
    assert (good, str(installation.settings.inbox) in message) == (True, True)
    installation.settings.inbox.rmdir()
    good, message = CorralHook().test_connection()
    assert (good, "cannot be read" in message) == (False, True)


def test_nothing_is_connected_to_until_it_is_needed(monkeypatch, tmp_path):
    """A DAG file may make a hook; a database that is down then does no harm."""
    monkeypatch.setenv("CORRAL_HOME", str(tmp_path / "nowhere"))
    assert CorralHook("no_such_connection").corral().settings.inbox.name == "inbox"
    assert not Path(tmp_path / "nowhere").exists()
