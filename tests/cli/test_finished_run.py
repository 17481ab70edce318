"""A run folder that is only read: nothing of it changes, and what changed since is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stage2.utils import files
from tests.beir import one_file
from tests.conftest import Stage2, read_jsonl, tree
from tests.small import write_jsonl


def test_nothing_of_the_run_changes(stage2: Stage2, finished: Path) -> None:
    before = tree(finished)
    stage2("export", finished, "--to", "trec")
    assert tree(finished) == before


def test_a_changed_file_is_refused(stage2: Stage2, finished: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished, tmp_path / "copy")
    with open(run / files.HARD, "a") as file:
        file.write("\n")
    refused = stage2("export", run, "--to", "pairs", exit_code=2).stderr
    assert "damaged, changed or gone since stage2 wrote it" in refused
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_run_is_refused(stage2: Stage2, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "nowhere"):
        refused = stage2("export", tmp_path / name, "--to", "pairs", exit_code=2).stderr
        assert "no run there" in refused
    assert not (tmp_path / "nowhere").exists()


def test_data_and_models_that_changed_since_are_refused(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    chunks = tmp_path / "chunks.jsonl"
    model = shutil.copytree(model_dir, tmp_path / "model")
    rows = read_jsonl(corpus["chunks"])
    write_jsonl(chunks, rows)
    run = tmp_path / "run"
    stage2("mine", "--qa", corpus["qa"], "--chunks", chunks, "--model", model, "--output-dir", run)
    write_jsonl(chunks, [*rows, {"chunk_id": "more", "text": "one more"}])
    refused = stage2("export", run, "--to", "trec", exit_code=2).stderr
    assert "chunks: not the data that" in refused
    write_jsonl(chunks, rows)
    shutil.rmtree(model)
    refused = stage2("export", run, "--to", "trec", exit_code=2).stderr
    assert "not the model that" in refused
    # An export that needs neither is written.
    stage2("export", run, "--to", "trec", "--depth", 0)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"qrels.txt", "candidates.before.run"}


def test_an_evaluation_names_its_own_models(
    stage2: Stage2, corpus: dict[str, Path], finished: Path, model_dir: Path, tmp_path: Path
) -> None:
    models = ["--model", model_dir, "--model", finished / files.SHIPPED_MODEL]
    data = ["--qa", corpus["qa"], "--chunks", corpus["chunks"]]
    stage2("evaluate", *models, *data, "--output-dir", tmp_path / "run")
    stage2("export", tmp_path / "run", "--to", "trec")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    runs = {f"{source}.{which}.run" for source in ("candidates", "corpus")
            for which in ("before", "after")}  # fmt: skip
    assert names == {"qrels.txt", *runs}


def test_a_data_set_is_found_where_it_was_recorded(
    stage2: Stage2, model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its path was given from another folder."""
    data = one_file(tmp_path)
    monkeypatch.chdir(data.parent)
    stage2("mine", "--data", data.name, "--model", model_dir, "--output-dir", tmp_path / "run")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    stage2("export", tmp_path / "run", "--to", "trec")
    assert (tmp_path / "out" / "corpus.before.run").is_file()
