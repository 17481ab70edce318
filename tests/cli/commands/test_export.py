"""`stage2 export`: what it asks for, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from stage2.models.auto import load_model
from stage2.utils.errors import BadInputError
from tests.conftest import Stage2
from tests.small import write_jsonl


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--output-dir", "new"], "give --model DIR"),
        (["--model", "there"], "no such model"),
    ],
)
def test_what_is_missing_is_said(
    stage2: Stage2, tmp_path: Path, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in stage2("export", "--to", "sentence-transformers", *words, exit_code=2).stderr


def test_nothing_is_replaced(stage2: Stage2, model_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    words = ["export", "--model", model_dir, "--to", "sentence-transformers"]
    assert "is there already" in stage2(*words, exit_code=2).stderr
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(BadInputError):
        load_model(tmp_path / "out")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--to", "sentence-transformers"], "give --model run in place of it"),
        (["--to", "trec"], "--to trec writes the rankings of a run; give its folder"),
        (["run", "--to", "pairs", "--model", "m"], "--model m has no effect here"),
        (["run", "--to", "pairs", "--max-length", "9"], "--max-length 9 has no effect here"),
    ],
)
def test_models_and_runs_are_told_apart(stage2: Stage2, words: list[str], said: str) -> None:
    assert said in stage2("export", *words, exit_code=2).stderr


def test_what_is_there_is_not_replaced(stage2: Stage2, finished: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    refused = stage2("export", finished, "--to", "pairs", exit_code=2)
    assert "is there already, and an export replaces nothing" in refused.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_a_data_set_is_for_convert(stage2: Stage2, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "x.jsonl", [{"query": "a", "pos": ["b"]}])
    said = f"stage2 convert {path} OUT --to FORMAT"
    assert said in stage2("export", path, "--to", "tevatron", exit_code=2).stderr
    # The formats of data sets have names of their own, of which --to knows none here.
    assert said in stage2("export", "--data", path, "--to", "beir", exit_code=2).stderr
    (tmp_path / "note.txt").write_text("no run")
    refused = stage2("export", tmp_path / "note.txt", "--to", "trec", exit_code=2).stderr
    assert "note.txt: is a file; expected the folder of a run" in refused
    assert not (tmp_path / "out").exists()
