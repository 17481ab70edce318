"""The scalars of a training in Trackio."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
from stage2.config import Settings
from stage2.training.trackers import tracking
with tracking(Settings(report_to="trackio"), Path("tuned"), 0) as note:
    note("train/loss", 0.5, 1)
    note("train/loss", 0.25, 2)
from trackio.sqlite_storage import SQLiteStorage
seen = [(row["step"], row["train/loss"]) for row in SQLiteStorage.get_logs("stage2", "tuned")]
assert seen == [(1, 0.5), (2, 0.25)], seen
"""


def test_scalars_are_logged_and_nothing_is_printed(tmp_path: Path) -> None:
    """In a process of its own, since the package reads its folder when it is imported."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "TRACKIO_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
