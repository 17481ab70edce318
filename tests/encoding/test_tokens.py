"""The tokens of texts: ids, entities and batches."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

import stage2
from stage2.encoding.tokens import batches_by_tokens, token_budget, tokenize
from tests.small import TEXTS, WORDS


@given(st.lists(st.integers(1, 64), max_size=40), st.integers(1, 300))
def test_batches_cover_every_text_once_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = list(batches_by_tokens(np.array(lengths, np.int64), budget))
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[row] for row in batch)
        assert len(batch) == 1 or len(batch) * longest <= budget


@given(
    texts=st.lists(st.text(max_size=80) | st.sampled_from(TEXTS), min_size=1, max_size=6),
    annotated=st.sets(st.integers(0, 5)),
)
def test_tokens_are_those_that_transformers_gives(
    backbone: Path, texts: list[str], annotated: set[int]
) -> None:
    """Only for texts with entities does the tokenizer compute offsets."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(backbone)
    model: Any = SimpleNamespace(tokenizer=tokenizer, max_length=16)
    spans = [[(0, 3), (5, 9), (70, 75)] if i in annotated else [] for i in range(len(texts))]
    found = tokenize(model, texts, spans)
    right = transformers.AutoTokenizer.from_pretrained(backbone)(
        texts, truncation=True, max_length=16, return_offsets_mapping=True
    )
    assert [ids.tolist() for ids in found.ids] == right["input_ids"]
    for tokens, offsets, own in zip(
        found.entity_tokens, right["offset_mapping"], spans, strict=True
    ):
        inside = (
            [i for i, (begin, end) in enumerate(offsets) if begin < stop and end > start]
            for start, stop in own
        )
        assert [entity.tolist() for entity in tokens] == [rows for rows in inside if rows]


def test_a_class_of_tokenizers_with_a_way_of_its_own_is_left_it(backbone: Path) -> None:
    class Shouting(transformers.BertTokenizerFast):
        def __call__(self, text: list[str], **more: Any) -> Any:
            return super().__call__([one.lower() for one in text], **more)

    tokenizer = Shouting.from_pretrained(backbone)
    tokenizer.backend_tokenizer.normalizer = None
    found = tokenize(
        SimpleNamespace(tokenizer=tokenizer, max_length=16), ["COUNT", "elba"], [(), ()]
    )
    right = transformers.AutoTokenizer.from_pretrained(backbone)(["count", "elba"])["input_ids"]
    assert [ids.tolist() for ids in found.ids] == right


def test_entities_of_other_texts_are_refused(model: stage2.ProbabilisticGBERTV4) -> None:
    with pytest.raises(ValueError, match="2 texts, and entities of 1"):
        tokenize(model, TEXTS[:2], [()])


def test_a_batch_has_as_many_bytes_in_every_precision() -> None:
    cpu = torch.device("cpu")
    whole, half = (token_budget(cpu, dtype) for dtype in (torch.float32, torch.bfloat16))
    assert half == 2 * whole
    gpu = torch.device("cuda")
    assert token_budget(gpu, torch.float32) == token_budget(gpu, torch.bfloat16) > half


@pytest.mark.parametrize("split", [False, True])
def test_special_tokens_in_a_text_are_what_the_tokenizer_is_set_to(
    backbone: Path, split: bool
) -> None:
    texts = ["the count", "the [SEP] count", "[PAD] count [CLS]"]
    tokenizer = transformers.AutoTokenizer.from_pretrained(backbone, split_special_tokens=split)
    model: Any = SimpleNamespace(tokenizer=tokenizer, max_length=16)
    found = [ids.tolist() for ids in tokenize(model, texts, [[]] * 3).ids]
    other = transformers.AutoTokenizer.from_pretrained(backbone, split_special_tokens=split)
    assert found == [other(text)["input_ids"] for text in texts]
    assert (tokenizer.sep_token_id in found[1][1:-1]) != split


def test_models_that_cut_elsewhere_share_a_tokenizer(model: stage2.ProbabilisticGBERTV4) -> None:
    short = copy.copy(model)
    short.max_length = 5
    text = " ".join(WORDS[:30])

    def lengths(which: stage2.ProbabilisticGBERTV4) -> set[int]:
        return {len(tokenize(which, [text, text], [[], [(0, 3)]]).ids[1]) for _ in range(50)}

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lengths, [model, short] * 2))
    assert found == [{32}, {5}] * 2
