from __future__ import annotations

import signal
import subprocess
import sys

PROGRAM = """
import ctypes, signal
signal.signal(signal.SIGSEGV, lambda *_: None)   # as Airflow's task process has it
{guard}
ctypes.string_at(0)
"""
GUARD = "from corral_ops.crash import native_crash_guard; native_crash_guard()"


def _run(guard: str) -> subprocess.CompletedProcess[str]:
    from tests.plugins.conftest import ROOT

    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(guard=guard)],
        env={"PYTHONPATH": str(ROOT / "plugins")},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_a_segmentation_fault_ends_the_process_with_a_trace():
    """With Airflow's handler alone the process would spin until somebody kills it."""
    ended = _run(GUARD)
    assert ended.returncode == -signal.SIGSEGV
    assert "Segmentation fault" in ended.stderr
    assert "string_at" in ended.stderr
