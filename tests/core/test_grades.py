"""Grades of relevance, in files and in results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import stage2
from stage2._core import Dataset, Samples
from stage2.config import Settings
from stage2.encoding.encode import encode_tokens
from stage2.encoding.ranking_lists import ranking_lists
from stage2.evaluation.ranking import corpus_blocks, score, score_corpus
from stage2.training.step import gather_questions
from tests.files import jsonl

CHUNKS = [{"id": f"c{i}", "text": f"the text of chunk {i}"} for i in range(8)]


def load(folder: Path, qa: list[dict[str, Any]]) -> Dataset:
    (folder / "qa.jsonl").write_bytes(jsonl(qa))
    (folder / "chunks.jsonl").write_bytes(jsonl(CHUNKS))
    return Dataset.load(folder / "qa.jsonl", folder / "chunks.jsonl")


def test_what_is_judged_not_relevant_is_no_ground_truth(tmp_path: Path):
    qa = [{"question": "?", "chunk_ids": ["c1", "c2", "c3", "c4"], "grades": [1, -1, 3, 0]}]
    dataset = load(tmp_path, qa)
    assert dataset.relevant.tolist() == [3, 1]
    assert dataset.grades is not None
    assert dataset.grades.tolist() == [3, 1]
    assert any("2 chunks have a grade of 0 or less" in warning for warning in dataset.warnings)
    drawn = dataset.construct(negatives=6).candidates[2:]
    assert sorted(drawn.tolist()) == [0, 2, 4, 5, 6, 7]


def test_the_one_chunk_of_a_row_has_its_grade_of_the_list(tmp_path: Path):
    qa = [
        {"question": "a?", "chunk_id": "c2", "chunk_ids": ["c1", "c2"], "grades": [2, 2]},
        {"question": "b?", "chunk_id": "c2", "chunk_ids": ["c1"], "grades": [5, 7]},
        {"question": "c?", "chunk_id": "c3", "grades": [4]},
        {"question": "d?", "chunk_id": "c3"},
    ]
    dataset = load(tmp_path, qa)
    assert dataset.relevant.tolist() == [2, 1, 1, 2, 3, 3]
    assert dataset.grades is not None
    assert dataset.grades.tolist() == [2, 2, 7, 5, 4, 1]


def test_grades_of_one_are_no_grades(tmp_path: Path):
    plain = {"question": "?", "chunk_ids": ["c1", "c2"], "qa_id": "q"}
    written = []
    for row in (plain, {**plain, "grades": [1, 1.0]}):
        dataset = load(tmp_path, [row])
        assert dataset.grades is None
        dataset.construct(2).write_jsonl(tmp_path / "samples.jsonl")
        written.append((tmp_path / "samples.jsonl").read_bytes())
    assert written[0] == written[1]


def test_samples_of_one_question_share_their_grades(tmp_path: Path):
    sample = {"question": "?", "ground_truth_contexts": ["a"], "negative_contexts": ["c", "b"],
              "qa_id": "0", "gt_chunk_ids": ["A"]}  # fmt: skip
    other = {**sample, "qa_id": "1", "ground_truth_contexts": ["b"], "gt_chunk_ids": ["B"],
             "negative_contexts": ["c"], "gt_grades": [3]}  # fmt: skip
    (tmp_path / "samples.jsonl").write_bytes(jsonl([sample, other]))
    samples = Samples.load_jsonl(tmp_path / "samples.jsonl")
    assert samples.grades is not None
    assert samples.grades.tolist() == [1, 3, 3, 1]
    samples.write_jsonl(tmp_path / "again.jsonl")
    lines = (tmp_path / "again.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["gt_grades"] for row in rows] == [[1, 3], [3, 1]]
    again = Samples.load_jsonl(tmp_path / "again.jsonl").grades
    assert again is not None
    assert again.tolist() == samples.grades.tolist()


def test_grades_are_the_gains_of_every_ranking(
    model: stage2.ProbabilisticGBERTV4, tmp_path: Path
) -> None:
    qa = [
        {"question": f"question {i}?", "chunk_ids": [f"c{i}", f"c{i + 1}"], "grades": [1, 3]}
        for i in range(4)
    ]
    samples = load(tmp_path, qa).construct(4)
    lists = ranking_lists(model, samples, None, corpus=True)
    assert lists.grades is not None
    assert lists.grades.tolist() == [3, 1, 0, 0, 0, 0] * 4
    embeddings = encode_tokens(model, lists.tokens, precision="fp32")
    scored = score(lists, embeddings)
    expected = stage2.rank(scored.scores, lists.offsets, relevance=lists.grades)
    np.testing.assert_array_equal(scored.ranking.ndcg(10), expected.ndcg(10))
    assert (scored.ranking.ndcg(1) != stage2.rank(scored.scores, lists.offsets, 2).ndcg(1)).any()
    whole = np.concatenate([block.ranking.ndcg(10) for block in corpus_blocks(lists, embeddings)])
    np.testing.assert_allclose(score_corpus(lists, embeddings).ranking.ndcg(10), whole)
    relevance = gather_questions(model, lists, np.arange(4), Settings()).relevance
    assert relevance.tolist() == [[3, 1, 0, 0, 0, 0]] * 4
    assert lists.select([2]).without_negatives().grades.tolist() == [3, 1]  # type: ignore[union-attr]
