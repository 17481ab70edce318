"""`stage2 audit --review` writes the pairs, the page, and a cross-encoder's judgements."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest

from stage2.data.judgements import question_hash
from stage2.models.cross_encoder import CrossEncoder
from stage2.utils import files
from tests.conftest import Stage2, read_jsonl
from tests.negatives import NEARLY, plain, sample
from tests.small import write_jsonl


def files_of(corpus: dict[str, Path]) -> list[object]:
    return ["--qa", corpus["qa"], "--chunks", corpus["chunks"]]


def test_the_whole_corpus_is_looked_at_and_equal_seeds_give_equal_bytes(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    call = ["audit", *files_of(corpus), "--model", model_dir, "--review"]
    told = stage2(*call, "--json", "--output-dir", tmp_path / "a")
    stage2(*call, "--output-dir", tmp_path / "b")
    for name in (files.REVIEW, files.REVIEW_ROWS):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    rows = read_jsonl(tmp_path / "a" / files.REVIEW_ROWS)
    assert json.loads(told.stdout)["result"]["review"] == {"pairs": len(rows), "shown": len(rows)}
    assert {row["kind"] for row in rows} == {"missing", "label"}
    asked = {row["qa_id"]: row for row in read_jsonl(corpus["qa"])}
    texts = {row["chunk_id"]: row["text"] for row in read_jsonl(corpus["chunks"])}
    for row in rows:
        own = asked[row["question_id"]]
        assert row["question_hash"] == question_hash(own["question"])
        assert row["passage"] == texts[row["chunk_id"]]
        assert row["beside"] == texts[row["beside_chunk_id"]]
        labelled = row["chunk_id"] if row["kind"] == "label" else row["beside_chunk_id"]
        assert labelled == own["chunk_id"]
    assert [row["doubt"] for row in rows] == sorted((row["doubt"] for row in rows), reverse=True)
    few = stage2(*call, "--review-pairs", 2, "--output-dir", tmp_path / "c", "--language", "zh")
    assert f"2 doubtful pairs of {len(rows)}, the most doubtful" in few.stderr
    assert read_jsonl(tmp_path / "c" / files.REVIEW_ROWS) == rows[:2]
    assert 'lang="zh-CN"' in (tmp_path / "c" / files.REVIEW).read_text("utf-8")


def by_words(
    _: CrossEncoder, questions: Sequence[str], contexts: Sequence[str], **__: object
) -> Any:
    """Score each pair by a number that follows from its words."""
    pairs = zip(questions, contexts, strict=True)
    scores = [crc32(f"{asked} {read}".encode()) % 1000 / 100 for asked, read in pairs]
    return np.asarray(scores, np.float32)


def test_a_cross_encoder_judges_what_is_shown(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, cross_encoder: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    # One of random weights scores all pairs alike.
    monkeypatch.setattr(CrossEncoder, "score", by_words)
    stage2("audit", *files_of(corpus), "--model", model_dir, "--cross-encoder", cross_encoder,
           "--review", "--review-pairs", 9)  # fmt: skip
    out = tmp_path / "out"
    rows, judged = (read_jsonl(out / name) for name in (files.REVIEW_ROWS, files.CROSS_JUDGEMENTS))
    assert len(rows) == 9
    for row, one in zip(rows, judged, strict=True):
        assert one["by"] == str(cross_encoder)
        assert [one[name] for name in ("question_id", "question_hash", "chunk_id")] == [
            row[name] for name in ("question_id", "question_hash", "chunk_id")
        ]
        other = float(one["note"].rpartition(" ")[2])
        # A passage that is no better than the labelled one is no answer, and the label stays.
        ahead = one["score"] > other if row["kind"] == "missing" else one["score"] >= other
        assert one["judgement"] == ("answer" if ahead else "not")
    assert {one["judgement"] for one in judged} == {"answer", "not"}
    done = stage2("relabel", "--judgements", out / files.CROSS_JUDGEMENTS, *files_of(corpus),
                  "--output", tmp_path / "mended")  # fmt: skip
    assert "answers added" in done.stderr
    changes = read_jsonl(tmp_path / f"mended.{files.RELABELLED}")
    assert {one["by"] for row in changes for one in row["judged"]} == {str(cross_encoder)}


def test_texts_alone_tell_doubt_and_contexts_without_ids_get_those_of_other_readers(
    stage2: Stage2, tmp_path: Path
) -> None:
    row = sample([*plain(1), ("n9", NEARLY)])
    for name in ("gt_chunk_id", "gt_chunk_ids", "negative_chunk_ids"):
        del row[name]
    data = write_jsonl(tmp_path / "data.jsonl", [row])
    told = stage2("audit", "--data", data, "--review")
    assert "the texts alone tell doubt" in told.stderr
    (found,) = read_jsonl(tmp_path / "out" / files.REVIEW_ROWS)
    judged = {"question_id": "q0", "chunk_id": found["chunk_id"], "judgement": "answer", "by": "me"}
    call = ["--judgements", write_jsonl(tmp_path / "j.jsonl", [judged]), "--data", data]
    stage2("relabel", *call, "--output", tmp_path / "mended.jsonl", "--to", "flagembedding")
    (mended,) = read_jsonl(tmp_path / "mended.jsonl")
    assert NEARLY in mended["pos"]


@pytest.mark.parametrize("review", [True, False])
def test_the_number_of_pairs_works_with_the_page_alone(
    stage2: Stage2, tmp_path: Path, review: bool
) -> None:
    data = write_jsonl(tmp_path / "data.jsonl", [sample(plain(3))])
    flags = ["--review"] if review else []
    code = 0 if review else 2
    told = stage2("audit", "--data", data, "--review-pairs", 3, *flags, exit_code=code)
    assert ("--review-pairs 3 has no effect here" in told.stderr) is not review
    assert (tmp_path / "out").exists() is review
