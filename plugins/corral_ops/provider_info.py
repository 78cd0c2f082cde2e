"""What Airflow's list of providers and its form for connections show."""

from __future__ import annotations

from typing import Any

_TEXT = {"type": ["string", "null"]}


def get_provider_info() -> dict[str, Any]:
    """Describe the connection type ``corral``; named by the entry point of the project."""
    return {
        "package-name": "corral-airflow",
        "name": "Corral",
        "description": "Astronomical pipelines: Models, one Loader, atomic Steps and Alerts.",
        "connection-types": [
            {
                "connection-type": "corral",
                "hook-class-name": "corral_ops.hook.CorralHook",
                "hook-name": "Corral",
                "ui-field-behaviour": {
                    "hidden-fields": [],
                    "relabeling": {
                        "host": "Host of PostgreSQL (empty: SQLite)",
                        "schema": "Database",
                    },
                    "placeholders": {"host": "empty: one file below the home", "port": "5432"},
                },
                "conn-fields": {
                    "home": {"label": "Home: folder of all that is not named", "schema": _TEXT},
                    "inbox": {"label": "Inbox: folder of raw frames", "schema": _TEXT},
                    "products": {"label": "Products: folder of what is made", "schema": _TEXT},
                    "profile": {"label": "Instrument profile", "schema": _TEXT},
                    "campaign": {"label": "Campaign", "schema": _TEXT},
                    "alert_to": {"label": "Alerts go to (addresses)", "schema": _TEXT},
                    "channels": {"label": "File of channels (TOML)", "schema": _TEXT},
                },
            }
        ],
    }
