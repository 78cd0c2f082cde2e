"""A crash in native code ends the task, with its trace in the log."""

from __future__ import annotations

import faulthandler
import signal
import threading

STDERR = 2


def native_crash_guard() -> None:
    """Let a segmentation fault end this process, after the trace of where it was.

    Airflow's task process carries a handler for SIGSEGV written in Python. It runs in a process
    that can run nothing any more: the task would spin for ever, its state ``running``.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    faulthandler.enable(file=STDERR, all_threads=False)
