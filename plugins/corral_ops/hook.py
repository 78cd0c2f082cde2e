"""The connection type ``corral``: where a pipeline's database, inbox and products are."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from sqlalchemy import URL

    from include.corral.corral import Corral
    from include.corral.settings import Settings

DEFAULT_CONN_ID = "corral_default"


class CorralHook(BaseHook):
    """Opens the installation that a connection names.

    Without such a connection, and for every field that it leaves empty, the environment holds
    (``CORRAL_HOME`` and its kin), and without that an SQLite database below ``./.corral``.

    :param corral_conn_id: a connection of type ``corral``.
    """

    conn_name_attr = "corral_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = "corral"
    hook_name = "Corral"

    def __init__(self, corral_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.corral_conn_id = corral_conn_id

    def settings(self) -> Settings:
        """Give the settings of the installation."""
        try:
            connection = self.get_connection(self.corral_conn_id)
        except AirflowNotFoundException:
            connection = None
        return settings_of(connection)

    async def asettings(self) -> Settings:
        """Give the settings of the installation, in the triggerer."""
        try:
            connection = await self.aget_connection(self.corral_conn_id)
        except AirflowNotFoundException:
            connection = None
        # What it imports would hold up every other trigger for a fifth of a second.
        return await asyncio.to_thread(settings_of, connection)

    def corral(self) -> Corral:
        """Give the installation; it connects on first use."""
        from include.corral.corral import Corral

        return Corral(self.settings())

    def get_conn(self) -> Corral:
        """Give the installation, by the name that Airflow's hooks have for it."""
        return self.corral()

    def test_connection(self) -> tuple[bool, str]:
        """Tell whether database, inbox and products can be used, for the button of the UI."""
        try:
            corral = self.corral()
            with corral.read() as session:
                session.connection()
            place = corral.settings
            for inbox in place.inboxes.values():
                if not os.access(inbox, os.R_OK | os.X_OK):
                    return False, f"inbox {inbox} cannot be read"
            corral.store  # noqa: B018  making it is the test
        except Exception as error:  # noqa: BLE001  whatever is wrong is the answer
            from models.session import first_line

            return False, f"{type(error).__name__}: {first_line(error)}"
        inboxes = ", ".join(map(str, place.inboxes.values()))
        return True, f"{corral.engine.url!r}, inbox {inboxes}, products {place.products}"


def settings_of(connection: Connection | None, env: Mapping[str, str] = os.environ) -> Settings:
    """Give the settings that a connection describes; the environment fills what it leaves open.

    :param connection: of type ``corral``, or None. A host (with schema, login, password, port)
        means PostgreSQL; otherwise the extra ``database_url`` may name a database. Every other
        extra is a setting (``home``, ``inbox``, ``products``, ``lease_s``) or the pipeline's own.
    :param env: where the rest comes from.
    """
    from include.corral.settings import Settings

    given = dict(env)
    if connection is not None:
        extra = {key: value for key, value in connection.extra_dejson.items() if _says(value)}
        url = _server_url(connection) if connection.host else extra.pop("database_url", None)
        given |= {f"CORRAL_{key.upper()}": str(value) for key, value in extra.items()}
        if url is not None:
            given["CORRAL_DATABASE"] = _masked(url)
    return Settings.from_env(given)


def _says(value: Any) -> bool:
    return value is not None and value != ""


def _server_url(connection: Connection) -> URL:
    from sqlalchemy import URL

    return URL.create(
        "postgresql",
        username=connection.login,
        password=connection.password,
        host=connection.host,
        port=connection.port,
        database=connection.schema,
    )


def _masked(url: str | URL) -> str:
    """Give the URL whole, after its password is hidden from every log in all its spellings."""
    from sqlalchemy import make_url

    url = make_url(url)
    if url.password:
        for spelling in {url.password, quote(url.password, safe=""), quote(url.password, " +")}:
            mask_secret(spelling)
    return url.render_as_string(hide_password=False)
