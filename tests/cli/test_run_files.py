"""The files whose hashes are in the record of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from stage2.utils import files
from tests.conftest import Stage2, data_flags, tree

USERS_FILES = ("model/weights.bin", "checkpoints/epoch_1.pt", "trials/notes.txt", "split.json")


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_what_no_record_vouches_for_is_never_replaced(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path, overwrite: list[str]
) -> None:
    out = tmp_path / "out"
    for name in USERS_FILES:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("the user's")
    before = tree(out)
    result = stage2("prepare", *data_flags(corpus), *overwrite, exit_code=2)
    assert "unknown run" in result.stderr
    assert "checkpoints/epoch_1.pt" in result.stderr
    assert tree(out) == before


@pytest.mark.parametrize("place", ["model/notes.txt", "checkpoints/notes.txt", "trials/notes.txt"])
def test_files_among_those_of_a_run_are_not_its_own(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path, place: str
) -> None:
    out = tmp_path / "out"
    stage2("mine", "--model", model_dir, *data_flags(corpus))
    (out / place).parent.mkdir(exist_ok=True)
    (out / place).write_text("the user's")
    before = tree(out)
    flags = ["--model", model_dir, *data_flags(corpus), "--topk", 2, "--overwrite"]
    assert place in stage2("mine", *flags, exit_code=2).stderr
    assert tree(out) == before


def test_a_file_that_was_changed_is_neither_replaced_nor_read_back(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    out, flags = tmp_path / "out", ["--model", model_dir, *data_flags(corpus)]
    stage2("mine", *flags)
    hard = out / files.HARD
    hard.write_text(hard.read_text().split("\n", 1)[1])
    before = tree(out)
    for more in ([], ["--overwrite"]):
        assert files.HARD in stage2("mine", *flags, *more, exit_code=2).stderr
    result = stage2("train", "--model", model_dir, "--epochs", 1, exit_code=2)
    assert f"{hard}: damaged, changed or gone" in result.stderr
    assert tree(out) == before
    # As an input it is a file like any other.
    stage2("train", "--model", model_dir, "--epochs", 1, "--data", hard, "--output-dir",
           tmp_path / "trained")  # fmt: skip
