"""Frames come in, and nobody touches anything."""

from __future__ import annotations

import shutil
import time
from datetime import date

import pytest

from tools.progress import print_progress, wait_until

pytestmark = pytest.mark.system


def test_frames_dropped_into_the_inbox_are_loaded_and_their_night_is_reduced(
    api, small_night, products_of
):
    """Watcher, loader, announcement, arrival run: a chain of events, each only a doorbell."""
    night = small_night(date(2026, 6, 5))
    dropped = time.monotonic()
    wait_until(lambda: None if products_of(night)["calibrated"] == 4 else "images", timeout_s=180)
    print_progress(f"  drop → the night reduced: {time.monotonic() - dropped:.1f} s")
    (run,) = api.runs("toritos_arrival", partition_key=night)
    assert api.wait_for_run("toritos_arrival", run.run_id).state == "success"
    assert run.run_type.startswith("asset")


def test_a_late_frame_makes_its_night_be_worked_on_again(
    api, small_night, products_of, installation, tmp_path
):
    """One file, put where the camera would put it: one product more, the others untouched."""
    night = small_night(date(2026, 6, 12))
    held = tmp_path / "late.fit"
    shutil.move(installation.settings.inbox / night / "field01-V-0002.fit", held)
    wait_until(lambda: None if products_of(night)["calibrated"] == 3 else "3 images", timeout_s=180)
    wait_until(lambda: None if _ended(api, night) else "arrival run", timeout_s=60)
    dropped = time.monotonic()
    shutil.copy(held, installation.settings.inbox / night / ".late.part")
    partial = installation.settings.inbox / night / ".late.part"
    partial.rename(partial.with_name("field01-V-0002.fit"))
    wait_until(lambda: None if products_of(night)["calibrated"] == 4 else "the late", timeout_s=120)
    print_progress(f"  one frame, drop → calibrated: {time.monotonic() - dropped:.1f} s")


def test_a_load_that_finds_nothing_new_starts_nothing(api, small_night, products_of):
    """The task is skipped, and every announcement there ever was names a night."""
    night = small_night(date(2026, 6, 19))
    wait_until(lambda: None if products_of(night)["calibrated"] == 4 else "images", timeout_s=180)
    run = api.trigger("toritos_load")
    assert api.wait_for_run("toritos_load", run.run_id).state == "success"
    events = api.get("/assets/events", limit=1000)["asset_events"]
    announced = [event for event in events if event["name"] == "toritos_frames"]
    assert announced
    assert all(event["partition_key"] for event in announced)
    assert all(run.partition_key for run in api.runs("toritos_arrival"))


def _ended(api, night: str) -> bool:
    runs = api.runs("toritos_arrival", partition_key=night)
    return bool(runs) and all(run.state == "success" for run in runs)
