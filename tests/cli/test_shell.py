"""The program as its own process: start, threads, Ctrl-C and exit codes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from stage2.utils import files
from tests.conftest import Stage2, data_flags, tree
from tests.programs import PROGRAM, call


@pytest.mark.parametrize(
    "start", [["-m", "stage2"], ["-c", "from stage2.cli.main import main; main()"]]
)
def test_both_ways_in_print_the_version(start: list[str]) -> None:
    result = subprocess.run(
        [sys.executable, *start, "--version"], capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith("stage2 0.")


def test_a_settings_file_may_name_what_the_command_does_not_read(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path
) -> None:
    qa = tmp_path / "qa.jsonl"
    shutil.copy(corpus["qa"], qa)
    out = tmp_path / "out"
    stage2("prepare", *data_flags(dict(corpus, qa=qa)))
    qa.unlink()
    stage2("report", "--config", out / files.SETTINGS)
    assert (out / files.REPORT).is_file()


def test_threads_change_no_sample_and_no_rank(
    corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--model", model_dir, "--precision", "fp32", *data_flags(corpus)]
    for threads in ("1", "2"):
        variables = {"OMP_NUM_THREADS": threads, "RAYON_NUM_THREADS": threads}
        result = call("mine", *flags, "--output-dir", tmp_path / threads, **variables)
        assert result.returncode == 0, result.stderr
    for name in (files.CONSTRUCTED, files.HARD):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
    one, two = (json.loads((tmp_path / n / files.EVALUATION).read_text()) for n in ("1", "2"))
    for left, right in zip(one, two, strict=True):
        similarities = [list(row.pop("similarities").values()) for row in (left, right)]
        np.testing.assert_allclose(similarities[0], similarities[1], atol=1e-5)
        assert left == right


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_midst_of_writing_leaves_nothing_half_written(
    corpus: dict[str, Path], tmp_path: Path, number: int
) -> None:
    out = tmp_path / "out"
    code = (
        "import os; from stage2.cli.main import main; from stage2.utils import files\n"
        f"files._sync = lambda _: os.kill(os.getpid(), {int(number)})\n"
        "main()"
    )
    command = [sys.executable, "-c", code, "prepare", *data_flags(corpus), "--output-dir", out]
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert result.returncode == 1
    said = result.stderr.splitlines()
    assert said[-1] == "stopped; what was written before is whole and stays"
    assert [line.split(":")[0] for line in said[:-1]] == ["entity annotations"]
    assert not tree(out)


def test_what_a_killed_process_was_writing_is_removed(
    corpus: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = ["prepare", *data_flags(corpus), "--output-dir", out]
    assert call(*command).returncode == 0
    checkpoints = out / files.CHECKPOINTS
    # A process that writes there holds the lock. The process id in the name does not count.
    dead = [out / f".{files.RUN}.{os.getpid()}-ab.tmp",
            out / f".{files.CONSTRUCTED}.4194305-0.tmp", out / ".model.4194305-x_1.tmp" / "a.json",
            checkpoints / f".{files.TRAINING_STATE}.99999999999999999999-ab.tmp"]  # fmt: skip
    kept = [out / ".notes.tmp", out / "x.4194305-0.tmp"]
    # A process was killed while it replaced a folder, so the old folder comes back.
    retired = out / ".stage1.4194305-y.tmp" / "stage1" / "config.json"
    for path in (*dead, *kept, retired):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    assert call(*command).returncode == 0
    assert not any(path.exists() for path in dead)
    assert not dead[2].parent.exists()
    assert all(path.exists() for path in kept)
    assert (out / files.STAGE1_MODEL / "config.json").exists()
    assert not retired.parents[1].exists()


def test_ctrl_c_keeps_what_is_done(
    corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    flags = ["--model", model_dir, *data_flags(corpus), "--topk", 1, "--split", "none"]
    command = [*PROGRAM, "run", *flags, "--epochs", 10_000, "--output-dir", out]
    with subprocess.Popen([str(word) for word in command], stderr=subprocess.PIPE) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.startswith(b"training:"):
                break
        while running.poll() is None and not (out / files.CHECKPOINTS / "epoch_2.pt").is_file():
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        said = running.stderr.read().decode()
    assert running.returncode == 1, said
    assert "stopped; what was written before is whole" in said
    assert "Traceback" not in said
    for path in (out / files.CHECKPOINTS).iterdir():
        assert torch.load(path, weights_only=True)
    left = {name for name in tree(out) if Path(name).name.startswith(".")}
    assert not left
