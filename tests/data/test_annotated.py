"""Messages about annotations that belong to few texts or to none."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stage2._core import Annotations
from stage2.utils import files
from tests import reference
from tests.conftest import Stage2, data_flags, read_jsonl
from tests.small import write_jsonl

ENTITY = [{"char_start": 0, "char_end": 3}]


def annotated(path: Path, texts: list[str], targets: Any = ENTITY) -> Path:
    return write_jsonl(path, [{"text": text, "targets": targets} for text in texts])


def texts_of(corpus: dict[str, Path], name: str) -> list[str]:
    return [row.get("text") or row["question"] for row in read_jsonl(corpus[name])]


TEXTS = st.lists(
    st.text(st.sampled_from("ab é\u0301"), min_size=1, max_size=14).filter(str.strip),
    min_size=1,
    max_size=5,
)


@given(annotations=TEXTS, texts=TEXTS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_counts_are_those_of_the_twin(
    tmp_path: Path, annotations: list[str], texts: list[str]
) -> None:
    targets = [{"char_start": 0, "char_end": 1}]
    path = annotated(tmp_path / "entities.jsonl", annotations, targets)
    found = [reference.match_annotation(text, annotations) for text in texts]
    composed = [unicodedata.normalize("NFC", text) for text in annotations]
    equal = [
        i >= 0 and annotations[i].split() == text.split()
        for text, i in zip(texts, found, strict=True)
    ]
    spans = [
        reference.transfer_spans(annotations[i], [(0, 1)], text)
        for text, i in zip(texts, found, strict=True)
        if i >= 0
    ]
    assert Annotations.load(path).matched(texts) == {
        "equal": sum(equal),
        "contained": sum(i >= 0 for i in found) - sum(equal),
        "with_entity": sum(map(bool, spans)),
        "if_composed": sum(
            reference.match_annotation(unicodedata.normalize("NFC", text), composed) >= 0
            for text, i in zip(texts, found, strict=True)
            if i < 0
        ),
    }


def test_the_counts_are_said_and_written(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path
) -> None:
    said = "entity annotations: 6 of 12 questions and 15 of 20 chunks have one"
    assert said in stage2("prepare", *data_flags(corpus)).stderr
    record = files.read_json(tmp_path / "out" / files.RUN)["data"]
    assert record["annotated"]["chunks"] == {
        "texts": 20, "equal": 15, "contained": 0, "with_entity": 15, "if_composed": 0,
    }  # fmt: skip
    assert record["annotated"]["questions"]["equal"] == 6
    stage2("report")
    report = (tmp_path / "out" / files.REPORT).read_text()
    assert "15 of 20 by equal text" in report


def test_annotations_of_other_texts_are_an_error_or_a_warning(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    paths = {**corpus, "entities": annotated(tmp_path / "entities.jsonl", ["Another text."])}
    flags = [*data_flags(paths), "--model", model_dir]
    refused = stage2("mine", *flags, "--similarity", "entity", exit_code=2)
    assert "the annotations match none of 32 texts" in refused.stderr
    assert str(paths["entities"]) in refused.stderr
    assert not (tmp_path / "out").exists()
    told = stage2("mine", *flags)
    assert "0 of 12 questions and 0 of 20 chunks have one" in told.stderr
    assert "warning" in told.stderr
    assert "the annotations match none of 32 texts" in told.stderr
    stage2("report")
    told = stage2("mine", *flags, "--similarity", "sentence", "--overwrite")
    assert "0 of 12 questions" in told.stderr
    assert "match none" not in told.stderr


@pytest.mark.parametrize("kinds", [["qa"], ["chunks"]])
def test_entities_on_one_side_alone_compare_nothing(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path, kinds: list[str]
) -> None:
    texts = [text for kind in kinds for text in texts_of(corpus, kind)]
    paths = {**corpus, "entities": annotated(tmp_path / "entities.jsonl", texts)}
    flags = [*data_flags(paths), "--model", model_dir]
    refused = stage2("mine", *flags, "--similarity", "entity", exit_code=2)
    assert f"none of {12 if kinds == ['chunks'] else 20} " in refused.stderr
    assert "Every pair is compared by its sentences" in stage2("mine", *flags).stderr


def test_annotations_without_entities_are_of_no_use(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    texts = texts_of(corpus, "qa") + texts_of(corpus, "chunks")
    paths = {**corpus, "entities": annotated(tmp_path / "entities.jsonl", texts, [])}
    flags = [*data_flags(paths), "--model", model_dir, "--similarity", "entity"]
    assert "12 questions an entity" in stage2("mine", *flags, exit_code=2).stderr


def test_another_unicode_form_is_named_as_the_cause(
    stage2: Stage2, tmp_path: Path, model_dir: Path
) -> None:
    questions = [f"Où est le café {i} ?" for i in range(3)]
    chunks = [f"Le café {i} est à la gare." for i in range(5)]
    paths = {
        "qa": write_jsonl(
            tmp_path / "qa.jsonl",
            [{"question": text, "chunk_id": i} for i, text in enumerate(questions)],
        ),
        "chunks": write_jsonl(
            tmp_path / "chunks.jsonl", [{"id": i, "text": text} for i, text in enumerate(chunks)]
        ),
        "entities": annotated(
            tmp_path / "entities.jsonl",
            [unicodedata.normalize("NFD", text) for text in questions + chunks],
        ),
    }
    flags = [*data_flags(paths), "--model", model_dir, "--negatives", 2]
    refused = stage2("mine", *flags, "--similarity", "entity", exit_code=2)
    assert "none of 8 texts; 8 would match after Unicode NFC" in refused.stderr

    some = [unicodedata.normalize("NFD", chunks[0]), *questions, *chunks[1:]]
    annotated(paths["entities"], some)
    assert (
        "1 more would match after Unicode NFC"
        in stage2("prepare", *data_flags(paths), "--negatives", 2).stderr
    )


def test_samples_have_contexts(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2("prepare", *data_flags(corpus), "--output-dir", tmp_path / "prepared")
    data = tmp_path / "prepared" / files.CONSTRUCTED
    flags = ["--data", data, "--entities", corpus["entities"], "--model", model_dir, "--topk", 1]
    assert "contexts have one" in stage2("mine", *flags).stderr
    record = files.read_json(tmp_path / "out" / files.RUN)["data"]
    assert record["annotated"]["questions"]["equal"] == 6
    stage2("report")
