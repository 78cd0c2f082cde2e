"""The environment of a local Airflow: everything it writes stays under one folder, its home."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOOPBACK = "127.0.0.1"
USERNAME = "admin"
MARKER = "_CORRAL_STACK"  # CORRAL_… would be read as an option of the pipeline

_OPTIONS = "corral.json"
# Settings of a shell that would reach into the home from outside.
_FOREIGN = ("AIRFLOW", "_AIRFLOW", "CORRAL_")


def make_env(
    home: Path,
    *,
    port: int = 0,
    smtp_port: int | None = None,
    extra: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the whole environment of the processes of one local Airflow.

    The home and its passwords exist afterwards; a second call finds the same passwords.

    Parameters
    ----------
    home : Path
        Folder of the metadata database, logs, secrets and of Corral's own files.
    port : int
        Port wanted for the API server; another free one is taken when it is in use or 0.
    smtp_port : int, optional
        Port of a plain SMTP server on this machine for the connection `smtp_default`.
    extra : Mapping[str, str], optional
        Variables that win over all others.
    """
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    port = free_port(port)
    env = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
    env |= _paths(home) | corral_options(home) | _network(port) | _pace() | _secrets(home)
    if smtp_port is not None:
        env["AIRFLOW_CONN_SMTP_DEFAULT"] = smtp_connection(smtp_port)
    return env | dict(extra or {})


def free_port(wanted: int = 0) -> int:
    """Return `wanted` when nothing listens there, else a port that nobody uses now."""
    for candidate in (wanted, 0):
        with socket.socket() as probe:
            # Connections of a stack just ended linger on the port; they do not bar a new listener.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError(f"no free port on {LOOPBACK}")


def password(home: Path) -> str:
    """Return the password of the user `admin` of this home, made at the first call."""
    path = home / "passwords.json"
    if not path.exists():
        _write_private(path, {USERNAME: secrets.token_urlsafe(12)})
    return str(json.loads(path.read_text())[USERNAME])


def corral_options(home: Path) -> dict[str, str]:
    """Return what this home says of its pipeline: where it lives, its inbox, its profile."""
    path = home / _OPTIONS
    return json.loads(path.read_text()) if path.exists() else {"CORRAL_HOME": str(home / "corral")}


def set_corral_options(home: Path, options: Mapping[str, str]) -> None:
    """Have every later Airflow of this home run its pipeline with these variables."""
    home.mkdir(parents=True, exist_ok=True)
    (home / _OPTIONS).write_text(json.dumps(options, indent=1))


def _paths(home: Path) -> dict[str, str]:
    bin_dir = str(Path(sys.executable).parent)
    # config/ carries airflow_local_settings.py, which Airflow looks for on the module path.
    on_path = (ROOT, ROOT / "plugins", ROOT / "config")
    return {
        MARKER: str(home),
        # Airflow names its processes; without this the name overwrites the marker in /proc.
        "SPT_NOENV": "1",
        "PATH": os.pathsep.join((bin_dir, os.environ.get("PATH", os.defpath))),
        "PYTHONPATH": os.pathsep.join(str(path) for path in on_path),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs" / "tasks"),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles"),
        # SQLite's own 5 s lock wait ends in HTTP 500 while four processes start at once.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout=60",
    }


def _network(port: int) -> dict[str, str]:
    url = f"http://{LOOPBACK}:{port}"
    beyond_proxy = ",".join(filter(None, (os.environ.get("NO_PROXY"), LOOPBACK, "localhost")))
    return {
        "NO_PROXY": beyond_proxy,
        "no_proxy": beyond_proxy,
        "AIRFLOW__API__HOST": LOOPBACK,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        # The default asks the name server for a full name and waits for its time-out when offline.
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        # No log server is started (see stack.py); these keep a reader from asking another stack's.
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
    }


def _pace() -> dict[str, str]:
    return {
        # LocalExecutor forks all of them at its start: 27 MB each.
        "AIRFLOW__CORE__PARALLELISM": "4",
        # fork is what lets a task inherit the libraries that config/ loads into the scheduler.
        "AIRFLOW__CORE__MP_START_METHOD": "fork" if sys.platform == "linux" else "",
        # Defaults leave about a second between a task and the next.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        # The default holds a worker's slot for up to 5 s after its task ended.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        # The scheduler starts tasks before the API server answers them.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": "10",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
    }


def _secrets(home: Path) -> dict[str, str]:
    password(home)
    path = home / "secrets.json"
    if not path.exists():
        fernet = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        made = {"jwt": secrets.token_hex(32), "api": secrets.token_hex(32), "fernet": fernet}
        _write_private(path, made)
    keys = json.loads(path.read_text())
    return {
        "AIRFLOW__CORE__FERNET_KEY": keys["fernet"],
        "AIRFLOW__API__SECRET_KEY": keys["api"],
        "AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt"],
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USERNAME}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
    }


def smtp_connection(smtp_port: int) -> str:
    """Return an Airflow connection to a plain SMTP server on this machine."""
    extra: dict[str, object] = {"disable_ssl": True, "disable_tls": True, "timeout": 10}
    extra["from_email"] = "corral@example.org"
    return json.dumps({"conn_type": "smtp", "host": LOOPBACK, "port": smtp_port, "extra": extra})


def _write_private(path: Path, content: Mapping[str, str]) -> None:
    """Leave the whole file at `path`, readable by its owner only, or nothing."""
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        json.dump(content, stream)
    partial.replace(path)
