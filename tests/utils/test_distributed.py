"""Commands under torchrun: two processes give the results of one."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from stage2.utils import files
from tests.conftest import data_flags, read_jsonl, tree

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 240
LAUNCHER = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
TWO = [*LAUNCHER, "--nproc-per-node", "2"]
RECIPE = [
    "--epochs",
    3,
    "--batch-size",
    4,
    "--learning-rate",
    1e-3,
    "--precision",
    "fp32",
    "--folds",
    0,
]


def environment(**more: str) -> dict[str, str]:
    """Return an environment with one thread for each process, and only the program's warnings."""
    here = {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "OMP_NUM_THREADS": "1"}
    return {**os.environ, **here, "CUDA_VISIBLE_DEVICES": "", **more}


def launch(
    launcher: Sequence[str], *words: object, cwd: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    command = [*launcher, *map(str, words)]
    return subprocess.run(
        command, cwd=cwd, env=environment(**more), capture_output=True, text=True, timeout=LIMIT,
        check=False,
    )  # fmt: skip


def program(launcher: Sequence[str], *words: object, code: int = 0) -> str:
    """Run the program in one or several processes, and return its messages."""
    module = ["-m", "stage2"]
    done = launch([*launcher, *module], *words)
    assert done.returncode == code, done.stderr
    return done.stderr


def alone() -> list[str]:
    return [sys.executable]


def without_times(folder: Path) -> dict[str, bytes]:
    """Return the files that depend only on inputs, settings and seed, without the folder's name."""
    times = (files.RUN, files.SETTINGS)
    return {name: data for name, data in tree(folder).items() if name not in times}


def losses(folder: Path) -> list[Any]:
    return [row["loss"] for row in read_jsonl(folder / files.TRAINING_LOG)[1:]]


@pytest.fixture
def flags(corpus: dict[str, Path], model_dir: Path) -> list[str]:
    return [*data_flags(corpus), "--model", str(model_dir), "--precision", "fp32"]


def test_two_processes_mine_the_bytes_of_one(flags: list[str], tmp_path: Path) -> None:
    """They do so from the corpus; the training below mines among candidates."""
    # The budget is so small that the corpus is sent in several rounds.
    words = ["mine", *flags, "--source", "corpus", "--memory-budget", "20KB"]
    words += ["--embedding-cache", "off"]
    program(alone(), *words, "--output-dir", tmp_path / "one")
    program(TWO, *words, "--output-dir", tmp_path / "two")
    assert without_times(tmp_path / "two") == without_times(tmp_path / "one")
    assert (tmp_path / "two" / files.HARD).stat().st_size > 0


def test_two_processes_train_to_the_loss_of_one(flags: list[str], tmp_path: Path) -> None:
    """There is dropout, which is the same for a group of texts in every process.

    `test_model_kinds` trains each kind of model by two processes, without these settings.
    """
    words = ["run", *flags, *RECIPE, "--topk", 1]
    words += ["--micro-batch", 40, "--loss", "infonce", "--lora", 2]
    program(alone(), *words, "--output-dir", tmp_path / "one")
    program(TWO, *words, "--output-dir", tmp_path / "two")
    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(one) == 3
    assert two == pytest.approx(one, abs=1e-4)
    assert one[0] != one[-1]
    mined = [files.CONSTRUCTED, files.HARD, files.EVALUATION]
    for name in mined:
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


def test_the_gradient_is_that_of_one_process(
    corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    paths = [corpus["qa"], corpus["chunks"], corpus["entities"], model_dir]
    for launcher, name in ((alone(), "one"), (TWO, "two")):
        words = [name, *paths, tmp_path / name]
        done = launch([*launcher, "-m", "tests.shared_work"], *words, cwd=ROOT)
        assert done.returncode == 0, done.stderr
    one, two = (torch.load(tmp_path / name, weights_only=True) for name in ("one", "two"))
    assert two.keys() == one.keys()
    assert any(name.startswith("backbone") for name in one)
    for name, gradient in one.items():
        assert torch.allclose(two[name], gradient, rtol=0, atol=1e-5), name


def test_what_fails_elsewhere_is_said_by_rank_0(tmp_path: Path) -> None:
    done = launch([*TWO, "-m", "tests.shared_work"], "fail", cwd=ROOT)
    assert done.returncode == 1
    assert "error: rank 1 of 2: ValueError: no such thing" in done.stderr


def test_bad_input_is_said_once_and_nothing_written(flags: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    said = program(TWO, "mine", *flags, "--topk", 0, "--output-dir", folder, code=1)
    assert said.count("--topk is 0") == 1
    assert re.search(r"exitcode\s*: 2", said)
    assert not folder.exists()


def test_a_lost_process_and_a_restart_lose_nothing(flags: list[str], tmp_path: Path) -> None:
    """One process is killed during training. torchrun starts all again, and they continue.

    --overwrite replaces the files of another run, but not those of the attempt before.
    """
    words = ["run", *flags, *RECIPE, "--epochs", 8, "--topk", 1, "--save-every", 1]
    whole = tmp_path / "whole"
    program(TWO, *words, "--output-dir", whole)
    broken = tmp_path / "broken"
    program([sys.executable], "prepare", *flags[:6], "--seed", 5, "--output-dir", broken)
    launcher = [*TWO, "--max-restarts", "2", "--monitor-interval", "0.1"]
    command = [*launcher, "-m", "stage2", *words, "--overwrite", "--output-dir", broken]
    child = subprocess.Popen(
        list(map(str, command)), env=environment(), stderr=subprocess.PIPE, text=True
    )
    first = broken / files.CHECKPOINTS / "epoch_1.pt"
    while not first.exists():
        assert child.poll() is None, child.communicate()[1]
        time.sleep(0.01)
    os.kill(worker_of(child.pid, rank=1), signal.SIGKILL)
    said = child.communicate(timeout=LIMIT)[1]
    assert child.returncode == 0, said
    assert "going on with a training that was interrupted" in said
    assert losses(broken) == losses(whole)
    same = [files.HARD, f"{files.CHECKPOINTS}/epoch_8.pt"]
    for name in same:
        assert (broken / name).read_bytes() == (whole / name).read_bytes(), name


def worker_of(parent: int, rank: int) -> int:
    """Return the process to which torchrun gave a rank."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state = (folder / "stat").read_text().rpartition(")")[2].split()
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if int(state[1]) == parent and b"RANK=%d" % rank in variables:
            return int(folder.name)
    raise AssertionError(f"torchrun has no rank {rank}")


def test_the_page_shows_what_was_run(
    corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    """Commands for one machine are run as they are. Those for two machines run on this one."""
    page = (ROOT / "docs" / "distributed.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```console\n(.*?)```", page, flags=re.DOTALL)
    commands = [line[2:] for block in blocks for line in block.splitlines()]
    assert len(commands) == 4
    for name, path in corpus.items():
        (tmp_path / f"{name}.jsonl").symlink_to(path)
    (tmp_path / "stage1").symlink_to(model_dir)
    torchrun = shlex.quote(sys.executable) + " -m torch.distributed.run"
    children = [
        subprocess.Popen(
            command.replace("torchrun", torchrun, 1), shell=True, cwd=tmp_path,
            env=environment(), stderr=subprocess.PIPE, text=True,
        )
        for command in commands[2:]
    ]  # fmt: skip
    for command in commands[:2]:
        done = launch(["sh", "-c"], command.replace("torchrun", torchrun, 1), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    for child in children:
        said = child.communicate(timeout=LIMIT)[1]
        assert child.returncode == 0, said
    assert (tmp_path / "two-machines" / files.HARD).is_file()
