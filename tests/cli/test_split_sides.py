"""The sides of a split, and the messages about them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from stage2.cli.split_sides import ground_truths, sides_of
from stage2.config import Settings
from stage2.data.splits import group_questions
from stage2.utils import files
from tests.conftest import Stage2
from tests.judgements import samples_of, unlike, write_questions


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
