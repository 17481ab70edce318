"""The refusals, messages and exit codes of every command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from stage2.cli.main import program
from stage2.cli.program import check_present
from stage2.config import Settings
from stage2.utils import files
from stage2.utils.errors import BadInputError
from tests.conftest import Stage2, data_flags
from tests.programs import call


@pytest.mark.skipif(sys.platform != "linux", reason="file names are Unicode there")
def test_names_that_are_not_utf_8(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are refused as arguments. A path through a link or the working folder is recorded."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    for name in ("qa", "chunks"):
        (folder / f"{name}.jsonl").write_bytes(corpus[name].read_bytes())
    done = stage2("prepare", "--qa", folder / "qa.jsonl", "--chunks", "c", exit_code=2)
    assert "caf\\udce9/qa.jsonl' is not UTF-8; expected a name" in done.stderr
    assert not (tmp_path / "out").exists()
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(folder)
    stage2("prepare", "--qa", tmp_path / "link/qa.jsonl", "--chunks", "chunks.jsonl")
    written = files.read_json(tmp_path / "out" / files.RUN)["data"]["files"]
    assert {Path(file["path"]).parent.name for file in written.values()} == {r"caf\xe9"}


def test_debug_shows_the_traceback(corpus: dict[str, Path], tmp_path: Path) -> None:
    result = CliRunner().invoke(
        program,
        ["--debug", "mine", "--model", "missing.pt", *data_flags(corpus),
         "--output-dir", str(tmp_path / "out")],
    )  # fmt: skip
    assert result.exit_code == 2
    assert "Traceback" in result.stderr


@pytest.mark.parametrize("option", ["--data", "--dev-data", "--entities"])
def test_a_missing_file_is_refused_before_torch_is_there(option: str, tmp_path: Path) -> None:
    code = (
        "import sys; from stage2.cli.main import program\n"
        "try: program(sys.argv[1:])\n"
        "except SystemExit as end: sys.exit(end.code if 'torch' not in sys.modules else 9)"
    )
    command = ["train", option, "nowhere.jsonl", "--output-dir", str(tmp_path / "out")]
    result = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert result.stderr == (f"error: {option} nowhere.jsonl: no such file; expected one to read\n")
    assert not (tmp_path / "out").exists()


def test_a_name_of_the_hub_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    for name, said in (
        ("owner/name", "hf download owner/name --repo-type dataset"),
        ("here/x", ""),
    ):
        with pytest.raises(BadInputError, match=f"^--data {name}: no such file") as caught:
            check_present(Settings(data=name), ["data"])
        assert said in str(caught.value)
        assert ("hf download" in str(caught.value)) == bool(said)


@pytest.mark.parametrize(
    ("batch", "said"),
    [(4, "the loss is not finite"), (64, "vectors are not finite after the last update")],
)
def test_a_run_that_fails_exits_with_1(
    corpus: dict[str, Path], model_dir: Path, tmp_path: Path, batch: int, said: str
) -> None:
    """An update that is too large shows at the next step, or after the epoch if it was the last."""
    out = tmp_path / "out"
    flags = ["--model", model_dir, *data_flags(corpus), "--topk", 1, "--split", "none"]
    flags += ["--batch-size", batch, "--learning-rate", 1e30, "--output-dir", out]
    result = call("run", *flags)
    assert result.returncode == 1
    assert said in result.stderr
    kept = out / files.CHECKPOINTS / files.BEST_CHECKPOINT
    assert f"is kept in {kept}" in result.stderr
    assert kept.is_file()
    assert "Traceback" not in result.stderr
    assert (out / files.HARD).stat().st_size
