"""`corral look`: a profile is tried on files before anything is loaded."""

from __future__ import annotations

import pytest

from include.corral import cli
from include.toritos.pipeline import TORITOS
from tests.include.toritos.new_cameras import PROFILES, twochip


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Runs a command; gives its status and what it printed."""
    monkeypatch.setenv("CORRAL_HOME", str(tmp_path / "home"))

    def run(*arguments: str) -> tuple[int, list[str]]:
        status = cli.main(TORITOS, ("look", *arguments))
        printed = capsys.readouterr()
        return status, (printed.out + printed.err).splitlines()

    return run


def test_frame_is_shown_as_the_profile_reads_it(command, tmp_path, make_frame) -> None:
    """And no installation is made for it."""
    file = tmp_path / "a.fits"
    file.write_bytes(make_frame("science", pixels=3))
    status, lines = command(str(file))
    assert status == 0
    assert lines[:5] == [
        f"{file}:",
        "  science, filter V, 60 s, None",
        "  began 2026-11-21 04:30:00.000000 UTC, night 2026-11-20",
        "  64 x 64 pixels of unit 0, binning 1x1, readout None, -20 C",
        "  ra unknown, dec unknown degrees (J2000)",
    ]
    assert lines[5] == "  data [1:64,1:64], overscan none: gain 1.5 e/ADU, read noise 8 e"
    assert lines[-1] == "  flags: none"
    assert not (tmp_path / "home").exists()


def test_file_that_is_refused_is_said_why_and_the_others_are_shown(
    command, tmp_path, make_frame
) -> None:
    """The status tells that there was one; a name is shown without what is not to be printed."""
    (tmp_path / "a\x1b.fits").write_bytes(make_frame()[:6000])
    (tmp_path / "b.fits").write_bytes(make_frame())
    status, lines = command(*(str(file) for file in sorted(tmp_path.glob("*.fits"))))
    assert status == 1
    assert lines[0].startswith(f"{tmp_path}/a?.fits: WAIT, truncated_data: ")
    assert lines[1] == f"{tmp_path}/b.fits:"


def test_profile_of_a_new_camera_can_be_named(command, tmp_path, monkeypatch) -> None:
    """Each amplifier has its line."""
    monkeypatch.setenv("CORRAL_PROFILES", str(PROFILES))
    name, content = next(twochip())
    (tmp_path / name).write_bytes(content)
    status, lines = command("--profile", "twochip", str(tmp_path / name))
    assert status == 0
    assert [line.strip() for line in lines if "overscan" in line] == [
        "data [1:32,1:40], overscan [33:36,1:40]: gain 1.25 e/ADU, read noise 6 e",
        "data [41:72,1:40], overscan [37:40,1:40]: gain 2.5 e/ADU, read noise 6.5 e",
    ]
    status, lines = command("--profile", "nobody", str(tmp_path / name))
    assert status == 1
    assert "profile 'nobody' is not there" in lines[0]
