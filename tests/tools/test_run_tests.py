from __future__ import annotations

from tools import run_tests


def test_all_parts_run_and_a_failure_is_told(monkeypatch, capsys):
    """The second part runs although the first failed; the exit code is that of a failure."""
    monkeypatch.setitem(run_tests.PARTS, "fast", ("--no-such-option",))
    monkeypatch.setitem(run_tests.PARTS, "system", ("--version",))
    assert run_tests.main(["fast", "system"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert "failed: fast" in said
    assert [line.split("s  ")[1] for line in said if " s  " in line] == [
        "tests: fast",
        "tests: system",
        "in all",
    ]


def test_an_unknown_part_is_refused(capsys):
    """An unknown name does not count as green."""
    assert run_tests.main(["slow"]) == 2
    assert "no such part: slow" in capsys.readouterr().out
