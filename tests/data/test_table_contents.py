"""Tables become data sets or samples. The negatives are in formats/test_flagembedding.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from stage2.config import Settings
from stage2.data.dataset import Dataset
from stage2.data.formats import read
from stage2.data.table_contents import contents_of, tables_of
from stage2.utils.errors import BadInputError
from tests.conftest import Stage2
from tests.small import write_jsonl


def test_no_question_with_an_answer_is_refused(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "x.jsonl", [{"query": "q", "pos": [], "neg": ["a"]}])
    with pytest.raises(BadInputError, match="none of the 1 questions has a relevant chunk"):
        read(Settings(data=str(path)), False)


def test_given_negatives_are_used_and_others_are_not_drawn(stage2: Stage2, tmp_path: Path) -> None:
    rows = [
        {"query": f"what is {i}?", "pos": [f"it is {i}"], "neg": [f"it is {i + 1}", "no"]}
        for i in range(4)
    ]
    path = write_jsonl(tmp_path / "x.jsonl", [*rows, {"query": "?", "pos": "a"}])
    done = stage2("prepare", "--data", path, "--on-error", "skip")
    assert "the negatives are those of the data, 8" in done.stderr
    assert "1 rows skipped: wrong_type" in done.stderr
    refused = stage2("prepare", "--data", path, "--negatives", 3, "--on-error", "skip", exit_code=2)
    assert "--negatives 3 has no effect here" in refused.stderr
    samples = read(Settings(data=str(tmp_path / "out" / "constructed_data.jsonl")), False).samples
    assert samples is not None
    assert samples.offsets.tolist() == [0, 3, 6, 9, 12]
    assert [samples.contexts[chunk] for chunk in samples.candidates[:3]] == rows[0]["pos"] + rows[
        0
    ]["neg"]


def test_the_tables_of_a_data_set_make_the_same_data_set(tmp_path: Path) -> None:
    rows = [
        {"question": "who?", "qa_id": "q0", "chunk_ids": ["c1", "c0"], "grades": [1, 3]},
        {"question": "where?", "qa_id": "q1", "chunk_id": "c1", "answer": "Elba"},
    ]
    qa = write_jsonl(tmp_path / "qa.jsonl", rows)
    texts = [{"chunk_id": "c0", "text": "he", "title": "A"}, {"chunk_id": "c1", "text": "Elba"}]
    dataset = Dataset.load(qa, write_jsonl(tmp_path / "chunks.jsonl", texts))
    found = tables_of(dataset)
    again = contents_of(found, Settings(title="ignore")).dataset
    assert again is not None
    for name in ("questions", "qa_ids", "answers", "chunk_ids", "chunk_texts", "chunk_titles"):
        assert list(getattr(again, name)) == list(getattr(dataset, name)), name
    assert list(found.relevant.of(0)) == [(0, 3.0, None), (1, 1.0, None)]
    assert again.relevant.tolist() == dataset.relevant.tolist()
