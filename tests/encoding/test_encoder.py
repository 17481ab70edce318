"""The abstract encoder, and the one that is loaded when it is needed."""

from __future__ import annotations

import pytest
import torch

import stage2
from stage2.encoding.encoder import Encoder, LazyModel, loaded
from stage2.encoding.tokens import collate, tokenize
from tests.small import TEXTS, WORDS


def test_a_family_that_lacks_a_part_cannot_be_made() -> None:
    class Half(Encoder):
        def save(self, folder: object) -> None:
            raise NotImplementedError

    with pytest.raises(TypeError, match="abstract"):
        Half()  # type: ignore[abstract]


def test_what_is_sent_to_others_embeds_without_a_tokenizer(
    model: stage2.ProbabilisticGBERTV4,
) -> None:
    bare = model.bare()
    assert vars(bare.tokenizer) == {"pad_token_id": model.tokenizer.pad_token_id}
    tokens = tokenize(model, TEXTS[:3], [(), (), ()])
    with torch.inference_mode():
        found, expected = (
            one(collate(one, tokens, range(3))).mu  # type: ignore[arg-type]
            for one in (bare, model)
        )
    assert torch.equal(found, expected)
    assert bare.vocabulary == model.vocabulary == 4 + len(WORDS)


def test_a_model_is_loaded_once_and_not_for_its_tokenizer(
    model: stage2.ProbabilisticGBERTV4,
) -> None:
    calls: list[str] = []

    def load() -> Encoder:
        calls.append("load")
        return model

    lazy = LazyModel(load, 64, lambda: model)
    assert lazy.reader.max_length == model.max_length
    assert not calls
    assert loaded(lazy) is lazy.model is loaded(model) is model
    assert calls == ["load"]
    assert LazyModel(load, 64).reader is model
