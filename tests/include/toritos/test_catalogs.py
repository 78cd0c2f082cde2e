"""Catalogues of the site, by name."""

from __future__ import annotations

import os

import numpy as np
import pytest

from include.ccd.reference_catalog import CatalogError, ReferenceCatalog, write_catalog
from include.corral.errors import ConfigurationError
from include.corral.settings import Settings
from include.toritos.catalogs import catalog_of, catalog_path, catalog_sha256, catalogs_stamp


@pytest.fixture
def settings(tmp_path) -> Settings:
    """With a folder of catalogues."""
    folder = tmp_path / "catalogs"
    folder.mkdir()
    return Settings.below(tmp_path, pipeline={"catalogs": str(folder)})


def put(settings: Settings, stars: int, *, mtime: int) -> None:
    path = settings.inbox.parent / "catalogs" / "field.ecsv"
    write_catalog(ReferenceCatalog(np.arange(stars) * 1.0, np.zeros(stars)), path)
    os.utime(path, (mtime, mtime))


def test_a_catalogue_is_read_again_when_its_file_changes(settings) -> None:
    """Content, digest, and the stamp by which steps look again."""
    put(settings, 3, mtime=1_000_000)
    before = catalog_sha256("field.ecsv", settings), catalogs_stamp(settings)
    assert len(catalog_of("field.ecsv", settings)) == 3
    put(settings, 5, mtime=2_000_000)
    assert len(catalog_of("field.ecsv", settings)) == 5
    assert catalog_sha256("field.ecsv", settings) != before[0]
    assert catalogs_stamp(settings) != before[1]


def test_one_that_is_not_there_is_said_with_the_remedy(settings, tmp_path) -> None:
    """Here and where no folder is named at all."""
    for each in (settings, Settings.below(tmp_path)):
        assert catalog_path("gaia.fits", each) is None
        assert catalog_sha256("gaia.fits", each) is None
        with pytest.raises(CatalogError, match=r"no catalogue gaia\.fits.*CORRAL_CATALOGS"):
            catalog_of("gaia.fits", each)


def test_a_name_that_leads_elsewhere_is_refused(settings) -> None:
    """A profile names files of the folder alone."""
    with pytest.raises(ConfigurationError, match="name a file in the folder"):
        catalog_path("../corral.db", settings)
