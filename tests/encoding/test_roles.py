"""A text is (role, text) wherever it is embedded, cached or counted as the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import stage2
from stage2.encoding.encode import encode
from stage2.encoding.ranking_lists import ranking_lists
from stage2.encoding.tokens import tokenize
from stage2.encoding.truncation import account_of

TEXT = "count of monte cristo"
PROMPTS = {"query": "the island of elba: ", "document": ""}


@pytest.fixture
def prompted(
    model: stage2.ProbabilisticGBERTV4,
) -> Iterator[stage2.ProbabilisticGBERTV4]:
    model.prompts = PROMPTS  # type: ignore[assignment]
    yield model
    del model.prompts


def test_a_prompt_is_read_before_the_text_of_its_role(
    prompted: stage2.ProbabilisticGBERTV4,
) -> None:
    asked = encode(prompted, [TEXT], role="query", precision="fp32").mu
    found = encode(prompted, [TEXT], role="document", precision="fp32").mu
    written_out = encode(prompted, [PROMPTS["query"] + TEXT], precision="fp32").mu
    assert np.array_equal(asked, written_out)
    assert not np.allclose(asked, found, atol=1e-3)


def test_entities_stand_where_they_stand_in_the_text(
    prompted: stage2.ProbabilisticGBERTV4,
) -> None:
    before = tokenize(prompted, [PROMPTS["query"] + TEXT], [[(20, 25)]])
    assert (PROMPTS["query"] + TEXT)[20:25] == TEXT[:5]
    after = tokenize(prompted, [TEXT], [[(0, 5)]], ["query"])
    assert after.ids[0].tolist() == before.ids[0].tolist()
    assert [x.tolist() for x in after.entity_tokens[0]] == [
        x.tolist() for x in before.entity_tokens[0]
    ]


def test_one_text_of_two_roles_is_two_rows(
    model: stage2.ProbabilisticGBERTV4, tmp_path: Path
) -> None:
    qa, chunks = tmp_path / "qa.jsonl", tmp_path / "chunks.jsonl"
    qa.write_text(json.dumps({"question": TEXT, "chunk_id": "a"}))
    rows = [{"chunk_id": "a", "text": TEXT}, {"chunk_id": "b", "text": "elba"}]
    chunks.write_text("\n".join(map(json.dumps, rows)))
    samples = stage2.Dataset.load(qa, chunks).construct(negatives=1)
    lists = ranking_lists(model, samples, None, corpus=True)
    assert sorted(zip(lists.tokens.roles, lists.tokens.texts, strict=True)) == [
        ("document", TEXT), ("document", "elba"), ("query", TEXT)
    ]  # fmt: skip
    assert lists.tokens.texts[lists.questions[0]] == TEXT
    assert lists.tokens.texts[lists.candidates[0]] == TEXT
    assert lists.questions[0] != lists.candidates[0]


def test_a_prompt_leaves_less_room(prompted: stage2.ProbabilisticGBERTV4) -> None:
    longest = " ".join(["monte"] * (prompted.max_length - 2))
    assert account_of(prompted, [longest], 1, "document").cut == 0
    tokens = len(tokenize(prompted, [PROMPTS["query"]], [()]).ids[0]) - 2
    assert tokens > 0
    assert account_of(prompted, [longest], 1, "query").lost == tokens


def test_as_many_roles_as_texts(model: stage2.ProbabilisticGBERTV4) -> None:
    with pytest.raises(ValueError, match="2 texts, and roles of 1; expected as many"):
        tokenize(model, [TEXT, TEXT], [(), ()], ["query"])
