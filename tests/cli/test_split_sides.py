"""The sides of a split, and the messages about them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stage2.cli.split_sides import ground_truths, sides_of
from stage2.config import Settings
from stage2.data.splits import group_questions
from stage2.utils import files
from tests.beir import write_tied
from tests.conftest import Stage2, read_jsonl
from tests.judgements import samples_of, unlike, write_questions
from tests.small import write_jsonl


def test_a_cut_is_said_and_stands_in_the_record_and_the_report(
    stage2: Stage2, model_dir: Path, tmp_path: Path
) -> None:
    flags = write_questions(tmp_path, [[0, 1 + i // 2] for i in range(24)])
    result = stage2("run", "--model", model_dir, *flags)
    assert "cut at their 1 most-shared chunks" in result.stderr
    out = tmp_path / "out"
    record = json.loads((out / files.RUN).read_text())["split"]
    assert (record["rule"], record["chunks_cut"]) == ("cut", 1)
    assert record["leaked"]["test"]["same_chunk"] == record["test"]
    assert record["folds"]["leaked"] == {"same_chunk": 24, "near_duplicate": 0}
    report = (out / files.REPORT).read_text()
    assert "by chunk group, 1 shared chunks cut: train " in report
    assert "24 questions have a ground-truth chunk that a question trained or chosen" in report
    stage2("report", "--language", "zh")
    assert "拆开 1 个共用的文本块" in (out / files.REPORT).read_text()


def test_without_a_split_everyone_is_trained_on_and_chosen_by(tmp_path: Path) -> None:
    grouped = group_questions(samples_of(tmp_path, unlike(12), [[i] for i in range(12)]))
    placed = sides_of(Settings(split="none"), grouped, None)
    assert [rows.tolist() for rows in placed.parts] == [[*range(12)], [*range(12)], []]
    parts = sides_of(Settings(), grouped, None).parts
    assert sorted(row for rows in parts for row in rows.tolist()) == [*range(12)]
    assert all(len(rows) for rows in parts)
    given = {"train": ["q00003"], "dev": [f"q{i:05}" for i in range(3)], "test": ["q00004"]}
    placed = sides_of(Settings(), grouped, given)
    assert [rows.tolist() for rows in placed.parts] == [[3], [0, 1, 2], [4]]
    assert placed.facts()["rule"] == "given"


def test_ground_truths_are_those_of_the_rows_asked_for(tmp_path: Path) -> None:
    texts = unlike(6)
    samples = samples_of(tmp_path, texts, [[0], [2, 1], [3]])
    assert list(ground_truths(samples, np.array([2, 1]))) == [[texts[3]], [texts[2], texts[1]]]


def baselines(part: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the metrics of baselines, not what is drawn or compared with the model after."""
    told = part.get("baselines", {})
    return {
        name: {key: value for key, value in one.items() if key not in ("statistics", "intervals")}
        for name, one in told.items()
    }


def test_questions_that_share_chunks_are_measured_without_what_was_seen(
    stage2: Stage2, model_dir: Path, tmp_path: Path
) -> None:
    """Twelve chunks tie 60 questions together. Two of three questions have one more answer."""
    folder = write_tied(tmp_path / "tied", lambda number: number % 3 > 0)
    flags = ["--data", folder, "--model", model_dir, "--epochs", 1, "--batch-size", 8]
    flags += ["--source", "candidates"]
    result = stage2("run", *flags, "--folds", 3, "--language", "zh")
    assert "60 of 60 questions are in groups that share ground-truth chunks" in result.stderr
    out = tmp_path / "out"
    record, split = files.read_json(out / files.RUN), files.read_json(out / files.SPLIT)
    placed = record["split"]
    assert placed["questions_tied"] == placed["folds"]["questions_tied"] == 60
    sets = {
        (part["name"], part["source"]): part
        for part in files.read_json(out / files.COMPARISON)["sets"]
    }
    truths = {row["qa_id"]: row["gt_chunk_ids"] for row in read_jsonl(out / files.CONSTRUCTED)}
    seen = {chunk for side in ("train", "dev") for qa_id in split[side] for chunk in truths[qa_id]}
    ranked = [qa_id for qa_id in split["test"] if not seen.issuperset(truths[qa_id])]
    shared = [chunk for qa_id in split["test"] for chunk in truths[qa_id] if chunk in seen]
    assert sorted(set(shared)) == split["seen_chunks"]["test"]
    gone = len(split["test"]) - len(ranked)
    counts = {"ground_truths_seen": len(shared), "questions_with_no_other": gone}
    assert gone > 0
    assert placed["unseen"]["test"] == counts
    for source in ("candidates", "corpus"):
        assert sets["test", source]["num_queries"] == len(ranked)
        assert sets["test", source]["left_out"] == counts
        assert sets["dev", source]["left_out"] == placed["unseen"]["dev"]
        crossed = sets["cross-validated", source]
        assert crossed["left_out"] == placed["folds"]["unseen"]["cross-validated"]
        assert crossed["num_queries"] == 60 - crossed["left_out"]["questions_with_no_other"]
        assert "left_out" not in sets["all", source]
    # Stage 1 on dev is what the log of the training began with, and what chose.
    assert record["dev"]["questions"] == sets["dev", "corpus"]["num_queries"]
    first = read_jsonl(out / files.TRAINING_LOG)[0]
    assert first["dev"]["mrr"] == pytest.approx(sets["dev", "corpus"]["before"]["mrr"])
    # The ranks of a question are those of its set.
    rows = {row["qa_id"]: row for row in read_jsonl(out / files.PER_QUESTION)}
    assert {qa_id for qa_id, row in rows.items() if row["set"] == "test"} == set(ranked)
    mean = np.mean([rows[qa_id]["ranks"]["corpus"]["before"] for qa_id in ranked])
    assert mean == pytest.approx(sets["test", "corpus"]["before"]["mean_rank"])
    told = f"test: {len(shared)} ground truths are those of questions trained or chosen on too"
    assert told in result.stderr
    assert f"测试集：有 {len(shared)} 个正确文本块也属于训练或选模型用的问题" in result.stdout
    for name in (files.REPORT, files.PAGE):
        assert f"有 {len(shared)} 个正确文本块也属于训练" in (out / name).read_text("utf-8")
    stage2("report")
    assert f"{len(shared)} ground truths are those of" in (out / files.REPORT).read_text("utf-8")

    # With the split of the run, an evaluation gives the same figures.
    models = ["--model", model_dir, "--model", out / files.SHIPPED_MODEL]
    again = ["--data", folder, *models, "--split-file", out / files.SPLIT, "--output-dir"]
    stage2("evaluate", *again, tmp_path / "evaluated")
    measured = files.read_json(tmp_path / "evaluated" / files.COMPARISON)["sets"]
    assert [part["name"] for part in measured] == ["test", "test", "all", "all"]
    for part in measured[:2]:
        same = sets["test", part["source"]]
        assert part["left_out"] == counts
        assert part["before"] == same["before"]
        for metric in ("mrr", "ndcg10", "mean_rank"):
            assert part["after"][metric] == pytest.approx(same["after"][metric])
        assert baselines(part) == baselines(same)


def test_where_training_saw_every_answer_nothing_is_held_out(
    stage2: Stage2, model_dir: Path, tmp_path: Path
) -> None:
    flags = write_questions(tmp_path, [[i % 3, (i + 1) % 3] for i in range(36)])
    result = stage2("run", "--model", model_dir, *flags, "--negatives", 1, "--topk", 1)
    assert "They choose the model all the same" in result.stderr
    out = tmp_path / "out"
    placed = files.read_json(out / files.RUN)["split"]
    asked = len(files.read_json(out / files.SPLIT)["test"])
    counts = {"ground_truths_seen": 2 * asked, "questions_with_no_other": asked}
    assert placed["unseen"]["test"] == counts
    comparison = files.read_json(out / files.COMPARISON)
    assert {part["name"] for part in comparison["sets"]} == {"dev", "train", "all"}
    assert comparison["verdict"]["held_out"] is False
    assert "None of them is measured" in result.stderr
    assert "none of them is measured" in (out / files.REPORT).read_text("utf-8")
    assert "they choose the model all the same" in (out / files.REPORT).read_text("utf-8")


def test_a_chunk_that_training_saw_cannot_move_what_is_held_out(
    stage2: Stage2, model_dir: Path, tmp_path: Path
) -> None:
    """To remember chunk 0, an answer to every question, is to give it a question's own vector."""
    flags = write_questions(tmp_path, [[0, 1 + i // 2] for i in range(24)])[:6]
    stage2("run", "--model", model_dir, *flags, "--epochs", 1, "--folds", 0)
    split = files.read_json(tmp_path / "out" / files.SPLIT)
    assert split["seen_chunks"] == {"dev": ["c0"], "test": ["c0"]}
    without = {side: split[side] for side in ("train", "dev", "test")}
    given = {name: tmp_path / f"{name}.json" for name in ("seen", "plain")}
    for path, content in zip(given.values(), (split, without), strict=True):
        path.write_text(json.dumps(content))
    chunks = read_jsonl(tmp_path / "chunks.jsonl")
    asked = {row["qa_id"]: row["question"] for row in read_jsonl(tmp_path / "qa.jsonl")}
    found: dict[str, list[dict[str, float]]] = {"seen": [], "plain": []}
    for text in (chunks[0]["text"], asked[split["test"][0]]):
        write_jsonl(tmp_path / "chunks.jsonl", [chunks[0] | {"text": text}, *chunks[1:]])
        for name, path in given.items():
            out = ["--output-dir", tmp_path / name, "--overwrite"]
            stage2("evaluate", "--model", model_dir, *flags, "--split-file", path, *out)
            sets = files.read_json(tmp_path / name / files.COMPARISON)["sets"]
            found[name] += [{key: part["before"][key] for key in METRICS} for part in sets]
    candidates, corpus, *again = found["seen"]
    assert again == [candidates, corpus]
    candidates, corpus, *again = found["plain"]
    assert again[1]["mrr"] > corpus["mrr"]
    assert again[0]["mrr"] > candidates["mrr"]


METRICS = ("top1", "top3", "top5", "mrr", "ndcg10", "mean_rank")


def test_train_and_merge_choose_without_what_was_seen(
    stage2: Stage2, model_dir: Path, tmp_path: Path
) -> None:
    folder = write_tied(tmp_path / "tied", lambda number: number % 3 > 0)
    data = ["--data", folder, "--model", model_dir]
    stage2("mine", *data, "--topk", 1)
    constructed = ["--data", tmp_path / "out" / files.CONSTRUCTED, "--model", model_dir]
    trained = tmp_path / "trained"
    result = stage2("train", *constructed, "--epochs", 1, "--output-dir", trained)
    record = files.read_json(trained / files.RUN)
    gone = record["split"]["unseen"]["dev"]["questions_with_no_other"]
    assert record["dev"]["questions"] == record["split"]["dev"] - gone
    assert f"{gone} of {record['split']['dev']} questions have no other" in result.stderr
    merged = tmp_path / "merged"
    for method in ("sum", "interpolate"):
        models = ["--model", trained / files.SHIPPED_MODEL, "--output-dir", merged]
        stage2("merge", *data, *models, "--method", method, "--overwrite")
        sets = files.read_json(merged / files.COMPARISON)["sets"]
        dev = next(one for one in sets if (one["name"], one["source"]) == ("dev", "corpus"))
        tried = {one["alpha"]: one["mrr"] for one in files.read_json(merged / files.MERGE)["dev"]}
        # At 0 the merged model is the first one, which α was chosen on and the table is about.
        assert tried[0.0] == pytest.approx(dev["before"]["mrr"])
        assert dev["left_out"]["ground_truths_seen"] > 0


def test_a_sweep_chooses_and_measures_without_what_was_seen(
    stage2: Stage2, model_dir: Path, tmp_path: Path
) -> None:
    folder = write_tied(tmp_path / "tied", lambda number: number % 3 > 0)
    flags = ["--data", folder, "--model", model_dir, "--epochs", 1, "--topk", 1]
    stage2("sweep", *flags, "--grid", "learning_rate=1e-4,1e-3")
    out = tmp_path / "out"
    search, test = (files.read_json(out / name) for name in (files.SEARCH_SPLIT, files.TEST_SPLIT))
    assert search["seen_chunks"].keys() == {"dev"}
    assert test["seen_chunks"].keys() == {"test"}
    told = files.read_json(out / files.RUN)["split"]["unseen"]
    measured = files.read_json(out / files.TEST / files.COMPARISON)
    part = next(part for part in measured["sets"] if part["name"] == "test")
    assert part["left_out"] == told["test"]
    assert part["held_out"] is True
    assert measured["verdict"]["set"] == "test"
    for row in read_jsonl(out / files.SWEEP):
        sets = files.read_json(out / row["folder"] / files.COMPARISON)["sets"]
        dev = next(part for part in sets if part["name"] == "dev")
        assert dev["left_out"] == told["dev"]
