from __future__ import annotations

from tools.check_sizes import main


def test_long_files_and_functions_are_named(tmp_path, capsys):
    """The complaint says where to cut."""
    function = tmp_path / "function.py"
    function.write_text("def long():\n" + "    x = 1\n" * 80)
    file = tmp_path / "file.py"
    file.write_text("x = 1\n" * 401)
    assert main([str(function), str(file)]) == 1
    said = capsys.readouterr().out
    assert "function.py:1: long has 81 lines" in said
    assert "file.py: 401 lines" in said


def test_what_is_small_passes(tmp_path):
    """Exactly the limit is still allowed."""
    file = tmp_path / "file.py"
    file.write_text("def f():\n" + "    x = 1\n" * 69)
    assert main([str(file)]) == 0


def test_migrations_may_be_long(tmp_path):
    """They are a record of what was done, never edited."""
    file = tmp_path / "versions" / "0001_initial.py"
    file.parent.mkdir()
    file.write_text("x = 1\n" * 500)
    assert main([str(file)]) == 0
