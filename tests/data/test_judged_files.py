"""BEIR and TREC in all that they hold; tests/data/formats/test_trec.py has the faults of qrels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stage2._core import InputError
from stage2.config import Settings
from stage2.data.formats import read
from stage2.data.formats.beir import tables
from tests.beir import HEADER, one_file
from tests.formats import questions_of


def test_both_readers_of_beir_find_the_same_answers(tmp_path: Path) -> None:
    folder = one_file(tmp_path)
    contents = read(Settings(data=str(folder)), False)
    dataset = contents.dataset
    assert dataset is not None
    found = tables(Settings(data=str(folder)), folder)
    answered = np.flatnonzero(np.diff(found.relevant.offsets))
    assert [found.question_ids[row] for row in answered] == list(dataset.qa_ids)
    assert found.chunk_ids == list(dataset.chunk_ids)
    assert found.relevant.chunks.tolist() == dataset.relevant.tolist()
    assert found.relevant.grades is not None
    assert dataset.grades is not None
    assert found.relevant.grades.tolist() == dataset.grades.tolist()


def test_a_table_without_a_header_is_one_of_judgements(tmp_path: Path) -> None:
    folder = one_file(tmp_path)
    qrels = folder / "qrels" / "all.tsv"
    whole = questions_of(tables(Settings(), folder))
    qrels.write_text(qrels.read_text().removeprefix(HEADER))
    assert questions_of(tables(Settings(), folder)) == whole


def test_rows_of_the_corpus_and_the_questions_are_checked(tmp_path: Path) -> None:
    folder = one_file(tmp_path)
    with (folder / "corpus.jsonl").open("a") as file:
        file.write('{"_id": "c1", "title": "", "metadata": {}}\n')
    with pytest.raises(InputError, match=r"corpus.jsonl:21:1: the row has no text or"):
        tables(Settings(), folder)
    with (folder / "queries.jsonl").open("a") as file:
        file.write('{"_id": "q00", "text": "another"}\n')
    found = tables(Settings(on_error="skip"), folder)
    assert [row.reason for row in found.rejected] == ["missing_field", "duplicate_qa_id"]
