"""`stage2 mine`: the ranks, the hard examples and the refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stage2 import Dataset, Embeddings, ProbabilisticGBERTV4, similarity
from stage2.utils import files
from tests.conftest import Stage2, data_flags, read_jsonl, tree
from tests.small import write_jsonl


def test_mine_writes_three_files_that_its_summary_agrees_with(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--source", "candidates", "--topk", 3, "--model", model_dir]
    stage2("mine", *flags, *data_flags(corpus))
    out = tmp_path / "out"
    summary = json.loads((out / files.MINING_SUMMARY).read_text())
    rows = json.loads((out / files.EVALUATION).read_text())
    constructed = (out / files.CONSTRUCTED).read_text().splitlines()
    hard = (out / files.HARD).read_text().splitlines()

    ranks = [row["consistency_metrics"]["expected_rank"] for row in rows]
    assert [constructed[i] for i, rank in enumerate(ranks) if rank > 3] == hard
    assert summary["num_hard"] == len(hard) > 0
    assert summary["num_samples"] == len(constructed) == len(rows) == 12
    for k in (1, 3, 5):
        expected = np.mean([row["consistency_metrics"][f"expected_top_{k}"] for row in rows])
        assert summary["metrics"][f"top{k}"] == pytest.approx(expected)
    pairs = summary["pairs"]
    assert pairs["entity"] + pairs["fallback"] == 12 * 6
    assert pairs["entity"] > 0


def test_evaluation_rows_have_the_keys_and_types_of_the_reference(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2("mine", "--model", model_dir, *data_flags(corpus))
    row = json.loads((tmp_path / "out" / files.EVALUATION).read_text())[0]
    kinds: dict[str, type] = {
        "qa_id": str,
        "question": str,
        "predict_order": list,
        "ground_truth_order": list,
        "similarities": dict,
        "consistency_metrics": dict,
        "q_entities_count": int,
        "c_entities_count": list,
    }
    assert {key: type(row[key]) for key in kinds} == kinds
    metrics: dict[str, Any] = row["consistency_metrics"]
    assert type(metrics["gt_position"]) is int
    assert type(metrics["kendall_tau"]) is float
    assert all(type(metrics[f"in_top_{k}"]) is bool for k in (1, 3, 5))
    sample = read_jsonl(tmp_path / "out" / files.CONSTRUCTED)[0]
    assert list(sample)[:5] == [
        "question", "ground_truth_contexts", "negative_contexts", "qa_id", "gt_chunk_id",
    ]  # fmt: skip


def test_samples_do_not_depend_on_the_order_of_the_questions(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2("mine", "--model", model_dir, *data_flags(corpus))
    shuffled = dict(corpus, qa=write_jsonl(tmp_path / "qa.jsonl", read_jsonl(corpus["qa"])[::-1]))
    other = tmp_path / "other"
    stage2("mine", "--model", model_dir, *data_flags(shuffled), "--output-dir", other)
    for name in (files.CONSTRUCTED, files.HARD):
        lines, again = (
            (folder / name).read_bytes().splitlines() for folder in (tmp_path / "out", other)
        )
        assert lines == again[::-1]


def test_no_hard_example_is_said_and_not_trained_on(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    listed = ["--source", "candidates", "--topk", 6, "--model", model_dir, *data_flags(corpus)]
    result = stage2("mine", *listed)
    assert "no hard example" in result.stderr
    assert "--negatives" in result.stderr
    # The settings of a run that trains on all questions change nothing here.
    (tmp_path / "all.toml").write_text('train_on = "all"\n', encoding="utf-8")
    flags = ["--config", tmp_path / "all.toml", "--output-dir", tmp_path / "other"]
    result = stage2("mine", *listed, *flags)
    assert "no hard example" in result.stderr
    before = tree(tmp_path / "out")
    result = stage2("train", "--model", model_dir, exit_code=2)
    assert "no hard example" in result.stderr
    assert tree(tmp_path / "out") == before


def test_mining_the_corpus_takes_its_hardest_negatives(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--max-score", 2, "--negatives", 4, "--topk", 2, "--model", model_dir]
    stage2("mine", *flags, *data_flags(corpus))
    out = tmp_path / "out"
    constructed = read_jsonl(out / files.CONSTRUCTED)
    chunks = {row["chunk_id"]: row["text"] for row in read_jsonl(corpus["chunks"])}
    model = ProbabilisticGBERTV4.from_pretrained(model_dir)
    dataset = Dataset.load(corpus["qa"], corpus["chunks"], corpus["entities"])
    assert dataset.annotations is not None

    def embed(texts: list[str]) -> Embeddings:
        spans, offsets = dataset.annotations.spans_for(texts)
        return model.encode(texts, [spans[offsets[i] : offsets[i + 1]] for i in range(len(texts))])

    scores = similarity(embed([row["question"] for row in constructed]), embed([*chunks.values()]))
    hard = []
    for row, values in zip(constructed, scores, strict=True):
        by_id = dict(zip(chunks, values.tolist(), strict=True))
        own = by_id.pop(row["gt_chunk_id"])
        expected = sorted(by_id, key=lambda name: -by_id[name])[:4]
        assert row["negative_chunk_ids"] == expected
        assert row["negative_contexts"] == [chunks[name] for name in expected]
        if sum(value > own for value in by_id.values()) >= 2:
            hard.append(row)
    assert read_jsonl(out / files.HARD) == hard
    summary = json.loads((out / files.MINING_SUMMARY).read_text())
    assert summary["num_hard"] == len(hard) > 0
    assert summary["corpus"]["chunks"] == 20
    assert summary["corpus"]["short_lists"] == 0


def test_mining_the_corpus_does_not_depend_on_the_budget(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--source", "corpus", "--model", model_dir, "--sampling", "random"]
    for budget in ("1KB", "4GB"):
        stage2("mine", *flags, *data_flags(corpus), "--memory-budget", budget,
               "--output-dir", tmp_path / budget)  # fmt: skip
    for name in (files.CONSTRUCTED, files.HARD, files.EVALUATION):
        assert (tmp_path / "1KB" / name).read_bytes() == (tmp_path / "4GB" / name).read_bytes()


def test_filters_that_leave_too_few_negatives_say_so(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--source", "corpus", "--model", model_dir, "--max-score", -2]
    result = stage2("mine", *flags, *data_flags(corpus))
    assert "12 questions have fewer than 5 negatives, 12 of them none" in result.stderr
    assert (tmp_path / "out" / files.HARD).read_bytes() == b""


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--range-min", 3, "--range-max", 3], "--range-max above it"),
        (["--memory-budget", "lots"], "expected a size such as 512MB"),
        (["--memory-budget", "0"], "expected some memory"),
        (["--topk", 21], "a question has only 20 candidates"),
    ],
)
def test_mining_the_corpus_refuses_what_makes_no_sense(
    flags: list[object],
    said: str,
    stage2: Stage2,
    corpus: dict[str, Path],
    model_dir: Path,
    tmp_path: Path,
) -> None:
    call = ["--source", "corpus", "--model", model_dir, *data_flags(corpus), *flags]
    assert said in stage2("mine", *call, exit_code=2).stderr
    assert not (tmp_path / "out").exists()


def test_samples_alone_are_no_corpus_to_mine(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2("prepare", *data_flags(corpus), "--output-dir", tmp_path / "prepared")
    data = tmp_path / "prepared" / files.CONSTRUCTED
    call = ["--source", "corpus", "--model", model_dir, "--data", data]
    assert "needs the corpus" in stage2("mine", *call, exit_code=2).stderr
