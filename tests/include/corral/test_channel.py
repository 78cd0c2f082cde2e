"""Channels are what the site's file says, and one that is wrong does not stop the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.corral.channel import channels_of, resolve_secret
from include.corral.channels import KINDS
from include.corral.channels.file import FileChannel
from include.corral.errors import ConfigurationError
from include.corral.settings import Settings
from tests.include.corral.test_deliver import Pigeon


def settings(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "channels.toml"
    path.write_text(text)
    return Settings.below(tmp_path, pipeline={"channels": str(path)})


def test_each_table_is_a_channel(tmp_path: Path) -> None:
    """Called as its table, of the kind it names; without one, of the kind that is its name."""
    made = channels_of(
        settings(tmp_path, '[file]\npath = "a"\n[log]\nkind = "file"\npath = "b"\n'), KINDS
    )
    assert {name: channel.path.name for name, channel in made.items()} == {"file": "a", "log": "b"}
    assert isinstance(made["log"], FileChannel)


def test_kind_may_be_a_class_of_the_site(tmp_path: Path) -> None:
    """A new channel is a class with one method, wherever it is."""
    text = '[loft]\nkind = "tests.include.corral.test_deliver.Pigeon"\nmessages_per_hour = 3\n'
    channel = channels_of(settings(tmp_path, text), {})["loft"]
    assert isinstance(channel, Pigeon)
    assert channel.messages_per_hour == 3


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            '[a]\nkind = "smoke"\n',
            "no kind 'smoke' here; known are apprise, file, voevent, webhook",
        ),
        ('[a]\nkind = "os.path.join"\n', "no kind 'os.path.join'"),
        ('[a]\nkind = "no.such.Thing"\n', "cannot be imported"),
        ('[a]\nkind = "file"\npath = "x"\npth = "y"\n', "pth"),
        ('[a]\nkind = "webhook"\nurl = "ftp://x"\n', "neither http nor https"),
        ('[a]\nkind = "webhook"\nurl = "http://x"\nsecret = "env:NO_SUCH"\n', "no such variable"),
    ],
)
def test_channel_that_is_wrong_says_why_and_others_work(tmp_path: Path, table, said) -> None:
    """The reason names the channel and what is wrong with it."""
    made = channels_of(settings(tmp_path, table + '[file]\npath = "b"\n'), KINDS)
    assert isinstance(made["file"], FileChannel)
    assert isinstance(made["a"], ConfigurationError)
    assert "channel 'a'" in str(made["a"])
    assert said in str(made["a"])


@pytest.mark.parametrize("text", ["[a\n", "a = 1\n"])
def test_file_that_makes_no_sense_is_refused(tmp_path: Path, text: str) -> None:
    """Nothing is guessed of it."""
    with pytest.raises(ConfigurationError, match=r"channels\.toml"):
        channels_of(settings(tmp_path, text), KINDS)


def test_secret_is_taken_from_the_environment(monkeypatch) -> None:
    """Or is what stands there."""
    monkeypatch.setenv("PIGEON", "gurr")
    assert (resolve_secret("x", "env:PIGEON"), resolve_secret("x", "plain")) == ("gurr", "plain")
