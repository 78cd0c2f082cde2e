"""Channels: how a message reaches people or machines. A new one is a class with one method."""

from __future__ import annotations

import os
import pkgutil
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from include.corral.errors import ConfigurationError
from include.corral.message import Message
from include.corral.settings import Settings

# Of one channel, before what is new goes into digests.
MESSAGES_PER_HOUR = 20


class NotNow(Exception):
    """The channel is out of reach and has certainly not taken the message; it is sent later."""


class Refused(Exception):
    """The channel does not want this message. It is sent some more times, then given up."""


class Unfit(Refused):
    """The channel can never say such a thing: it is given up at once."""


class Channel(ABC):
    """Takes messages.

    Options are those of the channel's table in the site's file of channels; one that is no
    parameter of the class is refused.

    Parameters
    ----------
    messages_per_hour
        Above which new alerts go out in digests.
    """

    kind: ClassVar[str]
    """How files of channels call it."""
    settings: Settings | None = None
    """Of the installation that it serves; None while it was made by hand."""

    def __init__(self, *, messages_per_hour: int = MESSAGES_PER_HOUR) -> None:
        self.messages_per_hour = messages_per_hour

    @abstractmethod
    def send(self, message: Message) -> None:
        """Hand over a message; when this returns, the other side has it.

        It may be called again with the same message, when nobody knows whether the other side has
        it; ``message.message_id`` is the same then.

        Raises
        ------
        NotNow
            The other side certainly has not taken it.
        Refused
            The other side does not want it.
        Unfit
            This cannot be said there, whenever it is tried.
        Exception
            Any other: it may have taken it.
        """


def channels_of(
    settings: Settings, kinds: Mapping[str, type[Channel]]
) -> dict[str, Channel | ConfigurationError]:
    """Give the channels of an installation by name.

    Parameters
    ----------
    settings
        Their pipeline option ``channels`` (``CORRAL_CHANNELS``) names a TOML file with a table for
        each channel; without one there is ``email`` alone, to ``alert_to`` (``CORRAL_ALERT_TO``).
    kinds
        The classes there are, by kind.

    Returns
    -------
    dict
        One that cannot be made has the reason in its place: the others work.

    Raises
    ------
    ConfigurationError
        If the file cannot be read.
    """
    tables = _tables(settings)
    made = {name: _channel(name, dict(options), kinds) for name, options in tables.items()}
    for channel in made.values():
        if isinstance(channel, Channel):
            channel.settings = settings
    return made


def _tables(settings: Settings) -> dict[str, dict[str, Any]]:
    named = settings.pipeline.get("channels")
    if not named:
        return {"email": {"kind": "email", "to": settings.pipeline.get("alert_to", "")}}
    try:
        tables = tomllib.loads(Path(named).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"the file of channels {named} cannot be read: {error}") from error
    for name, options in tables.items():
        if not isinstance(options, dict):
            raise ConfigurationError(f"{named}: {name!r} is no table; a channel begins with [name]")
    return tables


def _channel(
    name: str, options: dict[str, Any], kinds: Mapping[str, type[Channel]]
) -> Channel | ConfigurationError:
    try:
        return _class_of(options.pop("kind", name), kinds)(**options)
    except (TypeError, ValueError, ConfigurationError) as error:
        return ConfigurationError(f"channel {name!r}: {error}")


def _class_of(kind: str, kinds: Mapping[str, type[Channel]]) -> type[Channel]:
    if kind in kinds:
        return kinds[kind]
    known = f"known are {', '.join(sorted(kinds))}, and dotted paths of classes"
    try:
        made = pkgutil.resolve_name(kind) if "." in kind else None
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"{kind} cannot be imported: {error}; {known}") from error
    if not (isinstance(made, type) and issubclass(made, Channel)):
        raise ConfigurationError(f"no kind {kind!r} here; {known}")
    return made


def resolve_secret(option: str, value: str) -> str:
    """Give a secret that a file of channels names: ``env:NAME`` is taken from the environment.

    Raises
    ------
    ConfigurationError
        If the environment has no such variable.
    """
    if not value.startswith("env:"):
        return value
    name = value.removeprefix("env:")
    if name not in os.environ:
        raise ConfigurationError(f"{option} is {value!r}, and there is no such variable")
    return os.environ[name]
