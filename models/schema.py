"""The schema of the database: created and upgraded by Alembic, in one place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, inspect, text

from models.session import DatabaseError, begin_write, masked

if TYPE_CHECKING:  # a quarter of a second, which only an upgrade has to pay
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"
# Any number, as long as every process that upgrades this schema names the same.
ADVISORY_LOCK = 0x636F7272616C


def alembic_config() -> Config:
    """Alembic's configuration; it has no file of its own."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def head_revision() -> str:
    """Revision that this code needs: the highest number among the migrations' files.

    Raises
    ------
    DatabaseError
        If the migrations, which are part of the code, cannot be read.
    """
    names = sorted(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    if not names:
        raise DatabaseError(f"no migration can be read in {MIGRATIONS}: install the code again")
    return names[-1].partition("_")[0]


def current_revision(engine: Engine) -> str | None:
    """Revision of the database; None when it has no schema yet."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return revision


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest revision, all of it or nothing.

    Any number of processes may call this at once: one does the work, the others wait.
    """
    from alembic import command

    config = alembic_config()
    with begin_write(engine).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def ensure_schema(engine: Engine) -> None:
    """Create the schema in an empty database; refuse one of another revision.

    Raises
    ------
    DatabaseError
        If the database holds an older or newer schema: upgrading it is a person's decision.
    """
    needed = head_revision()
    if current_revision(engine) is None and not inspect(engine).has_table("step_run"):
        upgrade(engine)
    # Read again: another process may have made it between the two looks.
    found = current_revision(engine)
    if found == needed:
        return
    raise DatabaseError(
        f"database {masked(engine.url)} is at schema revision {found}, this code needs {needed}. "
        "Nothing was changed. Make a backup, then run `corral db upgrade`."
    )
