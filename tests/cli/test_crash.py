"""Each command is killed before some of its changes on disk. The same command repairs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# The tests run in two processes, and each can take some.
PARTS = 3


@pytest.mark.parametrize("part", range(PARTS))
def test_killed_and_run_again(part: int) -> None:
    """Nothing is damaged, refused, different or left behind. `make torture` tries every change."""
    # This runs in its own process, because the process of the tests has threads and must not fork.
    found = subprocess.run(
        [sys.executable, "-m", "tests.torture", "--short", "--processes", "1", "--part",
         str(part), str(PARTS)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr
