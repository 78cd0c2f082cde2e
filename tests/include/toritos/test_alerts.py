"""Refused files are told of once for each reason and night."""

from __future__ import annotations

from include.corral.drain import drain
from include.toritos.alerts import QuarantinedFiles
from models import Alert


def tell(station) -> list[str]:
    station.load()
    drain(station.corral, QuarantinedFiles())
    return [alert.dedup_key for alert in station.rows(Alert)]


def bad(make_frame, pixels: int) -> bytes:
    """A frame whose exposure time makes no sense."""
    return make_frame(pixels=pixels, cards={"EXPTIME": -5.0})


def test_one_message_for_each_reason_and_night(both, make_frame) -> None:
    """Three files for one reason, one for another, one without a night: three messages."""
    for pixels in range(3):
        both.put(f"{pixels}.fits", bad(make_frame, pixels))
    both.put("clock.fits", cards={"DATE-OBS": "1970-01-01T00:00:00"})
    both.put("page.fits", b"<html>404</html>" * 200)
    keys = tell(both)
    assert len(keys) == 3
    assert "QuarantinedFiles:2026-11-20:bad_exptime" in keys
    assert any(key.startswith("QuarantinedFiles:no night, ") for key in keys)
    message = next(alert for alert in both.rows(Alert) if "bad_exptime" in alert.dedup_key)
    assert "3 file(s)" in message.subject
    assert all(f"{pixels}.fits" in message.body for pixels in range(3))
    assert message.partition == "2026-11-20"


def test_more_of_the_same_is_not_told_again(both, make_frame) -> None:
    """Nor is what was mended and broken again in the same night."""
    both.put("a.fits", bad(make_frame, 1))
    assert len(tell(both)) == 1
    both.put("b.fits", bad(make_frame, 2))
    assert len(tell(both)) == 1
    both.put("a.fits", pixels=1)
    both.put("b.fits", pixels=2)
    assert len(tell(both)) == 1
    both.put("a.fits", bad(make_frame, 3))
    assert len(tell(both)) == 1


def test_files_without_a_night_are_told_of_in_each_night_that_brings_some(
    both, monkeypatch
) -> None:
    """A page in place of a frame that lies there for months does not silence the next."""
    both.put("a.fits", b"<html>404</html>" * 200)
    both.put("b.fits", b"<html>502</html>" * 200)
    first = tell(both)
    assert len(first) == 1
    for day in (1, 2):
        with monkeypatch.context() as later:
            both.hours_later(later, 24 * day)
            assert len(tell(both)) == day
            both.put(f"{day}.fits", b"<html>%d</html>" % day * 200)
            assert len(tell(both)) == day + 1
            both.put(f"{day}-again.fits", b"<html>again%d</html>" % day * 200)
            assert len(tell(both)) == day + 1
    newest = both.rows(Alert)[-1]
    assert ("1 file(s)" in newest.subject, "2.fits" in newest.body) == (True, True)
    assert "a.fits" not in newest.body


def test_inbox_that_goes_and_returns_is_not_told_of_twice(both, make_frame) -> None:
    """An empty folder where a disk was mounted: frames stay, and what was refused is again."""
    both.put("a.fits", pixels=1)
    both.put("bad.fits", bad(make_frame, 2))
    told = tell(both)
    box = both.corral.settings.inbox
    away = box.rename(box.with_name("away"))
    box.mkdir()
    assert tell(both) == told
    assert both.refused() == {}
    assert set(both.frames()) == {"a.fits"}
    box.rmdir()
    away.rename(box)
    assert tell(both) == told
    assert [*both.refused()] == ["bad.fits"]
    assert both.frames()["a.fits"].accepted
    assert both.load().done == 0


def test_files_that_wait_are_not_told_of(both, make_frame) -> None:
    """They may still be arriving."""
    both.put("a.fits", make_frame()[:6000])
    assert tell(both) == []


def test_hostile_name_does_not_suppress_its_own_alarm(both, make_frame) -> None:
    """Names are data: no header of a mail, no template, no markup."""
    name = "x\r\nBcc: all@example.org {{ 7*7 }}.fits"
    both.put(name, bad(make_frame, 1))
    assert len(tell(both)) == 1
    (message,) = both.rows(Alert)
    assert "\n" not in message.subject
    assert "\r\nBcc" not in message.body
    assert "{{ 7*7 }}" in message.body
