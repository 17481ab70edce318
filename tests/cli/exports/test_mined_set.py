"""The mined set of a run, read by the libraries that train from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import polars
import pytest

from stage2.utils import files
from stage2.variants import EXPORTS
from tests.conftest import Stage2, read_jsonl

FORMATS = [name for name, export in EXPORTS.items() if export.of == "mined set"]


def hard_by_side(run: Path) -> dict[str, list[dict[str, Any]]]:
    split = json.loads((run / files.SPLIT).read_text())
    hard = read_jsonl(run / files.HARD)
    sides = {side: [row for row in hard if row["qa_id"] in split[side]] for side in split}
    return {side: sides[side] for side in ("train", "dev", "test") if sides[side]}


@pytest.mark.parametrize("to", FORMATS)
def test_datasets_reads_every_side(stage2: Stage2, finished: Path, tmp_path: Path, to: str) -> None:
    told = stage2("export", finished, "--to", to).stderr
    expected = hard_by_side(finished)
    assert {path.stem for path in (tmp_path / "out").iterdir()} == expected.keys()
    assert f"--to {to} has no place for" in told
    for side, samples in expected.items():
        path = tmp_path / "out" / f"{side}.jsonl"
        read = datasets.Dataset.from_json(str(path), cache_dir=str(tmp_path / "cache"))
        positives = [(row["question"], row["ground_truth_contexts"]) for row in samples]
        found = [
            (
                row.get("anchor", row.get("query")),
                row.get("positive") or row.get("pos") or row.get("docs")
                or [passage["text"] for passage in row["positive_passages"]],
            )
            for row in read
        ]  # fmt: skip
        for question, texts in positives:
            assert any(
                one == question and (texts[0] == own if isinstance(own, str) else texts[0] in own)
                for one, own in found
            )


def test_scores_are_those_of_the_evaluation(stage2: Stage2, finished: Path, tmp_path: Path) -> None:
    stage2("export", finished, "--to", "flag-embedding", "--questions", "all")
    rows = [row for path in (tmp_path / "out").iterdir() for row in read_jsonl(path)]
    evaluated = json.loads((finished / files.EVALUATION).read_text())
    by_question = {row["question"]: list(row["similarities"].values()) for row in evaluated}
    assert len(rows) == len(evaluated) == 12
    for row in rows:
        assert row["pos_scores"] + row["neg_scores"] == by_question[row["query"]]


def test_parquet_holds_the_rows_of_jsonl(stage2: Stage2, finished: Path, tmp_path: Path) -> None:
    for kind in ("jsonl", "parquet"):
        where = ["--output-dir", tmp_path / kind, "--as", kind]
        stage2("export", finished, "--to", "scored-lists", "--questions", "all", *where)
    for path in (tmp_path / "parquet").iterdir():
        rows = polars.read_parquet(path).to_dicts()
        assert rows == read_jsonl(tmp_path / "jsonl" / f"{path.stem}.jsonl")


def test_a_mined_set_without_hard_questions_says_what_to_do(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--qa", corpus["qa"], "--chunks", corpus["chunks"], "--model", model_dir]
    stage2("mine", *flags, "--topk", 6, "--output-dir", tmp_path / "mined")
    refused = stage2("export", tmp_path / "mined", "--to", "pairs", exit_code=2).stderr
    assert "no question is hard; --questions all" in refused
    assert not (tmp_path / "out").exists()
    told = stage2("export", tmp_path / "mined", "--to", "pairs", "--questions", "all").stderr
    assert "has no split: all questions are in one file" in told
    assert len(read_jsonl(tmp_path / "out" / "train.jsonl")) == 12


def test_sides_that_are_given_have_their_files(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    ids = [row["qa_id"] for row in read_jsonl(corpus["qa"])]
    split = {"train": ids[:6], "dev": [], "test": ids[6:]}
    (tmp_path / "split.json").write_text(json.dumps(split))
    data = ["--qa", corpus["qa"], "--chunks", corpus["chunks"], "--model", model_dir]
    run = tmp_path / "run"
    stage2("mine", *data, "--split-file", tmp_path / "split.json", "--output-dir", run)
    stage2("export", run, "--to", "tevatron", "--questions", "all")
    for side in ("train", "test"):
        rows = read_jsonl(tmp_path / "out" / f"{side}.jsonl")
        assert [row["query_id"] for row in rows] == split[side]
    assert len(list((tmp_path / "out").iterdir())) == 2
