"""Texts to vectors: batching, sharing, padding, entities, precision."""

from __future__ import annotations

import copy
import pickle
import threading
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
from stage2.encoding.encode import encode_tokens
from stage2.encoding.tokens import batches_by_tokens, token_budget, tokenize
from stage2.utils.errors import BadInputError, RunFailedError
from tests.small import WORDS

TEXTS = [" ".join(WORDS[i : i + n]) for i, n in enumerate([1, 30, 5, 12, 2, 40, 7, 5])]


@pytest.mark.parametrize("budget", [1, 16, 100, 10_000])
def test_vectors_do_not_depend_on_batching(model: stage2.ProbabilisticGBERTV4, budget: int) -> None:
    alone = np.concatenate([model.encode([text], precision="fp32").mu for text in TEXTS])
    together = model.encode(TEXTS, precision="fp32", batch_tokens=budget).mu
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_each_distinct_text_is_encoded_once(
    model: stage2.ProbabilisticGBERTV4, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    forward = type(model).forward
    monkeypatch.setattr(
        type(model), "forward", lambda self, b: seen.append(len(b.input_ids)) or forward(self, b)
    )
    embeddings = model.encode([*TEXTS, *TEXTS[::-1]])
    assert sum(seen) == len(TEXTS)
    assert np.array_equal(embeddings.mu[: len(TEXTS)], embeddings.mu[len(TEXTS) :][::-1])


def test_the_same_text_with_other_entities_is_another(model: stage2.ProbabilisticGBERTV4) -> None:
    text = TEXTS[1]
    embeddings = model.encode([text, text, text], [[(0, 3)], [(4, 9)], []])
    assert embeddings.has_entity.tolist() == [True, True, False]
    assert not np.allclose(embeddings.entity[0], embeddings.entity[1])
    np.testing.assert_allclose(embeddings.mu[0], embeddings.mu[2], atol=1e-6)
    assert not embeddings.entity[2].any()


def test_both_forms_of_targets(model: stage2.ProbabilisticGBERTV4) -> None:
    pairs = model.encode(TEXTS[:1], [[(0, 3)]])
    mappings = model.encode(TEXTS[:1], [[{"char_start": 0, "char_end": 3, "span_text": "the"}]])
    assert np.array_equal(pairs.entity, mappings.entity)
    with pytest.raises(BadInputError, match="char_start"):
        model.encode(TEXTS[:1], [[{"start": 0}]])
    with pytest.raises(BadInputError, match="expected as many"):
        model.encode(TEXTS, [[]])


@pytest.mark.parametrize(
    ("texts", "further", "said"),
    [
        ("a string", {}, "texts is one string"),
        (["a", None], {}, r"texts\[1\] is None"),
        (["a\ud800b"], {}, r"texts\[0\] has half a surrogate pair at character 1"),
        (["a"], {"entities": [[(0, 2)]]}, r"entities\[0\] has the span 0 to 2.*1 characters"),
        (["a", "b"], {"entities": [[], [(1, 1)]]}, r"entities\[1\] has the span 1 to 1"),
        (["a"], {"entities": [[(-1, 1)]]}, "has the span -1 to 1"),
        (["a"], {"entities": [None]}, r"entities\[0\] is None"),
        (["a", "b"], {"entities": [None]}, "2 texts but entities for 1"),
        (["a"], {"batch_tokens": 0}, "batch_tokens is 0; expected 1 or more"),
    ],
)
def test_what_is_no_text_and_no_span_of_it_is_refused(
    model: stage2.ProbabilisticGBERTV4, texts: Any, further: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadInputError, match=said):
        model.encode(texts, **further)


def test_mean_entity_vector(model: stage2.ProbabilisticGBERTV4) -> None:
    text = "count sailed marseilles"
    both = model.encode([text], [[(0, 5), (13, 23)]]).entity[0]
    each = [model.encode([text], [[span]]).entity[0] for span in ((0, 5), (13, 23))]
    assert [float(np.linalg.norm(vector)) for vector in each] == pytest.approx([1, 1], rel=1e-5)
    np.testing.assert_allclose(both, np.mean(each, axis=0), atol=1e-6)


def test_an_entity_past_the_cut_is_absent(model: stage2.ProbabilisticGBERTV4) -> None:
    text = " ".join(["count"] * 200)
    embeddings = model.encode([text, text], [[(1190, 1199)], [(0, 5), (1190, 1199)]])
    assert embeddings.has_entity.tolist() == [False, True]
    assert embeddings.entity_count.tolist() == [0, 1]


def test_no_texts(model: stage2.ProbabilisticGBERTV4) -> None:
    assert model.encode([]).mu.shape == (0, 64)


def test_kappa_is_at_least_one(model: stage2.ProbabilisticGBERTV4) -> None:
    embeddings = model.encode(TEXTS)
    assert (embeddings.kappa > 1).all()
    np.testing.assert_allclose(np.linalg.norm(embeddings.mu, axis=1), 1, rtol=1e-5)


def test_encoding_leaves_the_mode_as_it_was(model: stage2.ProbabilisticGBERTV4) -> None:
    model.train()
    tokens = tokenize(model, TEXTS[:2], [[], []])
    first, second = (encode_tokens(model, tokens).mu for _ in range(2))
    assert np.array_equal(first, second), "dropout was on"
    assert model.training


def test_bf16_is_close(model: stage2.ProbabilisticGBERTV4) -> None:
    full, half = (model.encode(TEXTS, precision=precision).mu for precision in ("fp32", "bf16"))
    assert full.dtype == half.dtype == np.float32
    assert (full * half).sum(axis=1).min() > 0.99
    assert not np.array_equal(full, half)


def test_unknown_precision(model: stage2.ProbabilisticGBERTV4) -> None:
    with pytest.raises(BadInputError, match="fp8"):
        model.encode(TEXTS, precision="fp8")


@given(st.lists(st.integers(1, 64), max_size=40), st.integers(1, 300))
def test_batches_cover_every_text_once_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = list(batches_by_tokens(np.array(lengths, np.int64), budget))
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[row] for row in batch)
        assert len(batch) == 1 or len(batch) * longest <= budget


def test_similarity_falls_back_to_sentences(model: stage2.ProbabilisticGBERTV4) -> None:
    left = model.encode(TEXTS[:2], [[(0, 3)], []])
    right = model.encode(TEXTS[2:4], [[(0, 3)], []])
    found = stage2.similarity(left, right)
    assert found.shape == (2, 2)
    assert found.dtype == np.float32
    sentence = left.mu @ right.mu.T
    entity = left.entity @ right.entity.T
    expected = [[entity[0, 0], sentence[0, 1]], [sentence[1, 0], sentence[1, 1]]]
    np.testing.assert_allclose(found, expected, atol=2e-6)
    np.testing.assert_allclose(
        stage2.similarity(left.without_entities(), right), sentence, atol=2e-6
    )


def test_threads_change_no_more_than_the_last_digits(model: stage2.ProbabilisticGBERTV4) -> None:
    threads = torch.get_num_threads()
    try:
        found = []
        for count in (1, 2):
            torch.set_num_threads(count)
            embeddings = model.encode(TEXTS, precision="fp32")
            found.append(stage2.similarity(embeddings, embeddings))
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


@given(
    texts=st.lists(st.text(max_size=80) | st.sampled_from(TEXTS), min_size=1, max_size=6),
    annotated=st.sets(st.integers(0, 5)),
)
def test_tokens_are_those_that_transformers_gives(
    backbone: Path, texts: list[str], annotated: set[int]
) -> None:
    """Texts with entities are asked for their offsets, the others are not."""
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
    card = torch.device("cuda")
    assert token_budget(card, torch.float32) == token_budget(card, torch.bfloat16) > half


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


def test_threads_get_the_vectors_that_one_alone_gets(model: stage2.ProbabilisticGBERTV4) -> None:
    """Precision, attention and packed weights change the model for a while."""
    jobs = [(TEXTS[i % 8 :] + TEXTS[: i % 8], ("fp32", "bf16")[i % 2]) for i in range(8)]
    jobs = [(texts[: 1 + i], precision) for i, (texts, precision) in enumerate(jobs)]
    expected = [model.encode(texts, precision=precision).mu for texts, precision in jobs]
    ready = threading.Barrier(8)

    def work(number: int) -> list[bool]:
        ready.wait()
        return [
            np.array_equal(model.encode(texts, precision=precision).mu, right)
            for turn in range(6)
            for (texts, precision), right in [
                ((jobs + jobs)[number + turn], (expected + expected)[number + turn])
            ]
        ]

    with ThreadPoolExecutor(8) as pool:
        found = [same for part in pool.map(work, range(8)) for same in part]
    assert len(found) == 48
    assert all(found)
    assert model.backbone.config._attn_implementation == "sdpa"
    assert not any("forward" in vars(module) for module in model.modules())


def test_models_that_cut_elsewhere_share_a_tokenizer(model: stage2.ProbabilisticGBERTV4) -> None:
    short = copy.copy(model)
    short.max_length = 5
    text = " ".join(WORDS[:30])

    def lengths(which: stage2.ProbabilisticGBERTV4) -> set[int]:
        return {len(tokenize(which, [text, text], [[], [(0, 3)]]).ids[1]) for _ in range(50)}

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lengths, [model, short] * 2))
    assert found == [{32}, {5}] * 2


def test_a_model_in_training_embeds_for_its_own_thread_alone(
    model: stage2.ProbabilisticGBERTV4,
) -> None:
    with ThreadPoolExecutor(1) as pool, model.guard.training():
        assert len(model.encode(TEXTS)) == len(TEXTS)
        other = pool.submit(model.encode, TEXTS)
        with pytest.raises(RunFailedError, match="is being trained by another thread"):
            other.result()
        own = copy.deepcopy(model)
        assert own.guard is not model.guard
        assert len(pool.submit(own.encode, TEXTS).result()) == len(TEXTS)
    assert len(model.encode(TEXTS)) == len(TEXTS)
    assert pickle.loads(pickle.dumps(model.guard)).training
