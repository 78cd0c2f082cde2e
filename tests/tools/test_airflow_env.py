from __future__ import annotations

import socket
import stat

from tools.airflow_env import ROOT, free_port, make_env, password


def test_a_taken_port_is_replaced_by_a_free_one():
    """The second demo on a machine does not fail because of the first."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = free_port(port)
    assert other != port
    assert free_port(port) == port


def test_passwords_are_the_same_at_every_call_and_private(tmp_path):
    """A restart keeps the login; nobody else on the machine can read it."""
    first = make_env(tmp_path)
    second = make_env(tmp_path)
    kept = (
        "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW__API__SECRET_KEY",
        "AIRFLOW__API_AUTH__JWT_SECRET",
    )
    assert [first[key] for key in kept] == [second[key] for key in kept]
    assert len(password(tmp_path)) >= 16
    for name in ("passwords.json", "secrets.json"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_two_homes_share_nothing(tmp_path):
    """Database, secrets, ports, logs: two stacks run side by side."""
    one, two = make_env(tmp_path / "one"), make_env(tmp_path / "two")
    apart = [
        key
        for key in one
        if key.endswith(("PORT", "_CONN", "_KEY", "SECRET", "HOME", "_FOLDER", "_FILE", "URL"))
        and not key.endswith(("DAGS_FOLDER", "PLUGINS_FOLDER"))
        and key.startswith(("AIRFLOW", "CORRAL"))
    ]
    assert len(apart) >= 12
    assert [key for key in apart if one[key] == two[key]] == []


def test_settings_of_the_shell_do_not_reach_the_home(tmp_path, monkeypatch):
    """Somebody who works with another Airflow in the same terminal keeps the two apart."""
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW_CONN_CORRAL_DEFAULT", "{}")
    monkeypatch.setenv("CORRAL_DATABASE", "postgresql://elsewhere/survey")
    env = make_env(tmp_path)
    assert not {"AIRFLOW__CORE__EXECUTOR", "AIRFLOW_CONN_CORRAL_DEFAULT", "CORRAL_DATABASE"} & set(
        env
    )


def test_what_is_given_wins(tmp_path):
    """Tests change any setting without another way in."""
    env = make_env(tmp_path, smtp_port=2525, extra={"AIRFLOW__CORE__PARALLELISM": "9"})
    assert env["AIRFLOW__CORE__PARALLELISM"] == "9"
    assert '"port": 2525' in env["AIRFLOW_CONN_SMTP_DEFAULT"]


def test_the_project_is_on_the_module_path(tmp_path):
    """models/ and include/ lie beside dags/ and plugins/, where Airflow does not look by itself."""
    on_path = make_env(tmp_path)["PYTHONPATH"].split(":")
    assert on_path == [str(ROOT), str(ROOT / "plugins"), str(ROOT / "config")]
