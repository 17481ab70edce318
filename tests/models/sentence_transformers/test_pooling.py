"""Each pooling against the library's own, on texts of different length."""

from __future__ import annotations

import pytest
import torch
from sentence_transformers.sentence_transformer.modules import Pooling

from stage2.models.sentence_transformers.pooling import POOLINGS, pooled

_STATES = torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(0))
_MASK = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0]])


@pytest.mark.parametrize("name", Pooling.POOLING_MODES)
def test_a_pooling_is_the_librarys(name: str) -> None:
    right = Pooling(4, name)({"token_embeddings": _STATES, "attention_mask": _MASK})
    torch.testing.assert_close(pooled(_STATES, _MASK.bool(), [name]), right["sentence_embedding"])


def test_there_are_no_others() -> None:
    assert set(POOLINGS) == set(Pooling.POOLING_MODES)


def test_several_poolings_are_put_end_to_end() -> None:
    right = Pooling(4, ("cls", "mean"))({"token_embeddings": _STATES, "attention_mask": _MASK})
    found = pooled(_STATES, _MASK.bool(), ["cls", "mean"])
    torch.testing.assert_close(found, right["sentence_embedding"])


@pytest.mark.parametrize("name", Pooling.POOLING_MODES)
def test_a_prompt_is_left_out_as_the_library_does(name: str) -> None:
    # All texts are longer than the prompt, as texts behind a prompt are.
    states, mask = _STATES[:2], _MASK[:2]
    given = {"token_embeddings": states, "attention_mask": mask, "prompt_length": 2}
    right = Pooling(4, name, include_prompt=False)(given)["sentence_embedding"]
    without = mask.bool() & (torch.arange(6) >= 2)
    torch.testing.assert_close(pooled(states, without, [name]), right)
