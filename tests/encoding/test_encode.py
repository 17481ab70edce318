"""The encoding of texts: batches, equal texts, entities and threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import stage2
from stage2.utils.errors import BadInputError
from tests.small import TEXTS


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


def test_unknown_precision(model: stage2.ProbabilisticGBERTV4) -> None:
    with pytest.raises(BadInputError, match="fp8"):
        model.encode(TEXTS, precision="fp8")


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
