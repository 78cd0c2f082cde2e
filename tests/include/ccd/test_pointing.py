from __future__ import annotations

import pytest

from include.ccd.pointing import to_j2000


def test_a_position_of_2000_stays_where_it_is() -> None:
    """Nothing is lost to rounding when there is nothing to do."""
    assert to_j2000(123.456, -54.321, equinox=2000.0) == (123.456, -54.321)


@pytest.mark.parametrize("equinox", [1950.0, 1987.7, 2024.36])
@pytest.mark.parametrize(
    ("ra_deg", "dec_deg"), [(259.35, 43.0617), (0.01, 5.0), (359.99, -70.0), (180.0, 85.0)]
)
def test_precession_agrees_with_astropy(ra_deg: float, dec_deg: float, equinox: float) -> None:
    """Within 0.2 arcsec of the FK5 frames, whose precession rate is a newer one."""
    from astropy.coordinates import FK5, SkyCoord
    from astropy.time import Time

    old = SkyCoord(ra_deg, dec_deg, unit="deg", frame=FK5(equinox=Time(equinox, format="jyear")))
    ra, dec = to_j2000(ra_deg, dec_deg, equinox=equinox)
    new = SkyCoord(ra, dec, unit="deg", frame=FK5(equinox=Time(2000.0, format="jyear")))

    assert 0 <= ra < 360
    assert new.separation(old.transform_to(new.frame)).arcsec < 0.2
