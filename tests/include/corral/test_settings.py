"""Where an installation lives, from its folder or from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.corral.corral import Corral
from include.corral.errors import ConfigurationError
from include.corral.settings import LEASE_S, Settings


def test_everything_is_below_one_folder() -> None:
    """Without a word of configuration."""
    settings = Settings.from_env({"CORRAL_HOME": "/srv/corral"})
    assert settings == Settings(
        database_url="sqlite:////srv/corral/corral.db",
        inbox=Path("/srv/corral/inbox"),
        products=Path("/srv/corral/products"),
        pipeline={},
        lease_s=LEASE_S,
    )


def test_environment_departs_from_it_where_it_says_so() -> None:
    """Options that are not the kernel's are the pipeline's."""
    settings = Settings.from_env(
        {
            "CORRAL_HOME": "/srv/corral",
            "CORRAL_DATABASE": "postgresql://corral@db/corral",
            "CORRAL_INBOX": "/data/raw",
            "CORRAL_LEASE_S": "60",
            "CORRAL_PROFILE": "nickel",
            "CORRAL_PRODUCTS": "",
            "PATH": "/bin",
        }
    )
    assert settings.database_url == "postgresql://corral@db/corral"
    assert (settings.inbox, settings.products) == (
        Path("/data/raw"),
        Path("/srv/corral/products"),
    )
    assert settings.lease_s == 60
    assert dict(settings.pipeline) == {"profile": "nickel"}


def test_paths_are_absolute_whatever_is_given(monkeypatch, tmp_path) -> None:
    """A worker with another working directory finds the same place."""
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_env({"CORRAL_INBOX": "raw"})
    assert settings.inbox == tmp_path / "raw"
    assert settings.products == tmp_path / ".corral" / "products"


def test_several_inboxes_are_told_apart_by_what_paths_begin_with() -> None:
    """The first by nothing, the others by a name that no file of the first can have."""
    settings = Settings.from_env({"CORRAL_INBOX": "/data/raw:/mnt/nas:/mnt/usb"})
    assert settings.inboxes == {
        "": Path("/data/raw"),
        ".nas/": Path("/mnt/nas"),
        ".usb/": Path("/mnt/usb"),
    }
    assert settings.inbox_of("2026-11-20/a.fits") == (Path("/data/raw"), "2026-11-20/a.fits")
    assert settings.inbox_of(".usb/n/a.fits") == (Path("/mnt/usb"), "n/a.fits")
    assert settings.inbox_of("nas/a.fits") == (Path("/data/raw"), "nas/a.fits")


@pytest.mark.parametrize(
    ("inboxes", "message"),
    [
        ("/data:/mnt/a/raw:/mnt/b/raw", "need names of their own"),
        ("/data:/data/raw", "lies in inbox /data"),
        ("/data/raw:/data", "lies in inbox /data"),
        ("/data:/data", "lies in inbox /data"),
    ],
)
def test_inboxes_that_would_mix_their_files_are_refused(inboxes, message) -> None:
    """One path must mean one file, and one file have one path."""
    with pytest.raises(ConfigurationError, match=message):
        Settings.from_env({"CORRAL_INBOX": inboxes})


def test_reports_lie_beside_the_products_or_where_the_site_wants_them(tmp_path) -> None:
    """A web server may show that folder."""
    assert Settings.below(tmp_path).reports == tmp_path / "reports"
    own = Settings.below(tmp_path, pipeline={"reports": str(tmp_path / "www")})
    assert own.reports == tmp_path / "www"


@pytest.mark.parametrize("lease", ["soon", "0.0", "-1", "nan"])
def test_lease_that_is_no_time_is_refused(lease) -> None:
    """A lease of no length would give every unit to everyone."""
    with pytest.raises(ConfigurationError, match="expected seconds, more than 0"):
        Settings.from_env({"CORRAL_LEASE_S": lease})


def test_installation_is_cheap_to_make_and_shows_no_password() -> None:
    """Nothing is connected to, nothing is told."""
    url = "postgresql://corral:canary@nowhere.invalid/corral"
    corral = Corral(Settings.below("/srv/corral", database_url=url))
    assert "canary" not in repr(corral)
    corral.close()
