"""Texts without padding give the same results as padded ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

import stage2
from stage2.encoding.kernels import unpadded
from stage2.encoding.tokens import batches_by_tokens, collate, tokenize

TEXTS = ["the count", "old ship", "treasure island prison abbot sea night", "sea", "the old ship"]
SMALL: dict[str, Any] = {
    "vocab_size": 90,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}


def encoder(name: str, **further: Any) -> Any:
    """Make a small encoder of a class with random weights."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**SMALL, **further)
    return getattr(transformers, f"{name}Model")(config).eval()


@pytest.mark.parametrize(
    ("name", "first"),
    [("Bert", 0), ("Electra", 0), ("Roberta", 2), ("XLMRoberta", 2), ("MPNet", None)],
)
def test_an_encoder_is_tried_before_it_goes_without_padding(name: str, first: int | None) -> None:
    """MPNet's attention uses the distance between tokens, which ours does not."""
    backbone = encoder(name)
    was = backbone.config._attn_implementation
    assert unpadded.first_position(backbone) == first
    assert backbone.config._attn_implementation == was
    assert not backbone.training


def test_no_position_is_tried_that_there_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU a position outside the table would end the process."""
    tried: list[int] = []

    def wrong(_backbone: Any, _ids: Any, _layout: Any, first: int) -> torch.Tensor:
        tried.append(first)
        return torch.full((12, 32), 9.0)

    monkeypatch.setattr(unpadded, "hidden_states", wrong)
    for room, places in ((64, [0]), (128, [0, 81])):
        tried.clear()
        backbone = encoder("Bert", pad_token_id=80, max_position_embeddings=room)
        assert unpadded.first_position(backbone) is None
        assert tried == places


def test_a_window_of_attention_is_refused() -> None:
    backbone = encoder("ModernBert", pad_token_id=0, bos_token_id=1, eos_token_id=2,
                       cls_token_id=1, sep_token_id=2)  # fmt: skip
    assert unpadded.first_position(backbone) is None


# Attention on a CPU by plain products and by the fused kernel, and attention as on a GPU.
WAYS = pytest.mark.parametrize(
    ("name", "value"), [("PLAIN_ATTENTION", 512), ("PLAIN_ATTENTION", 0), ("BY_RUNS", ())]
)


@WAYS
def test_vectors_and_gradients_are_those_of_padded_texts(
    model: stage2.ProbabilisticGBERTV4, name: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All results are equal, entities included."""
    monkeypatch.setattr(unpadded, name, value)
    tokens = tokenize(model, TEXTS, [[(0, 3)], [], [(0, 8), (9, 15)], [], []])
    batch = collate(model.eval(), tokens, np.array([2, 4, 0, 1, 3]))

    def run() -> tuple[stage2.models.gbert.model.Pooled, list[torch.Tensor]]:
        model.zero_grad()
        pooled = model(batch)
        (pooled.mu[:, 0].sum() + pooled.entity[:, 1].sum() + pooled.kappa.sum()).backward()
        return pooled, [p.grad.clone() for p in model.parameters() if p.grad is not None]

    expected, gradients = run()
    with unpadded.end_to_end(model):
        assert model.backbone.config._attn_implementation == unpadded.NAME
        found, same = run()
    assert model.backbone.config._attn_implementation == "sdpa"
    for left, right in zip(vars(found).values(), vars(expected).values(), strict=True):
        torch.testing.assert_close(left, right, atol=1e-5, rtol=1e-5)
    assert len(gradients) == len(same)
    for left, right in zip(same, gradients, strict=True):
        torch.testing.assert_close(left, right, atol=1e-5, rtol=1e-4)


@WAYS
def test_dropout_is_drawn_by_the_seed(
    model: stage2.ProbabilisticGBERTV4, name: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpadded, name, value)
    batch = collate(model.train(), tokenize(model, TEXTS, [[]] * 5), np.arange(5))
    with unpadded.end_to_end(model):
        first, second, third = (model(batch).mu for seed in (1, 1, 2) if not _seeded(seed))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


@WAYS
def test_attention_weights_are_dropped(
    model: stage2.ProbabilisticGBERTV4, name: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no other dropout, and the expected vectors are those without dropout."""
    monkeypatch.setattr(unpadded, name, value)
    for where, module in model.named_modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.3 if where.endswith("attention.self.dropout") else 0.0
    batch = collate(model, tokenize(model, TEXTS, [[]] * 5), np.arange(5))
    with torch.no_grad(), unpadded.end_to_end(model):
        right = model.eval()(batch).mu
        model.train()
        torch.manual_seed(0)
        drawn = torch.stack([model(batch).mu for _ in range(200)])
    assert (drawn - right).abs().amax(dim=(1, 2)).min() > 1e-4
    mean = drawn.mean(dim=0)
    assert (mean - right).abs().max() < 0.25 * (drawn - right).abs().max()


def _seeded(seed: int) -> None:
    torch.manual_seed(seed)


def test_a_model_that_cannot_is_trained_with_padding(model: stage2.ProbabilisticGBERTV4) -> None:
    model.__dict__["first_position"] = None
    with unpadded.end_to_end(model):
        assert model.backbone.config._attn_implementation == "eager"
    assert model.backbone.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_card_goes_end_to_end_in_float32_where_the_encoder_is_wide(
    model: stage2.ProbabilisticGBERTV4, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert unpadded.possible(model, dtype)
    kind = property(lambda _model: torch.device("cuda"))
    monkeypatch.setattr(stage2.ProbabilisticGBERTV4, "device", kind)
    assert not unpadded.possible(model, dtype)
    monkeypatch.setattr(unpadded, "_WIDE", 32)
    assert unpadded.possible(model, dtype) == (dtype == torch.float32)


@given(st.lists(st.integers(1, 64), max_size=40), st.integers(1, 300))
def test_batches_without_padding_are_even_and_within_the_budget(
    lengths: list[int], budget: int
) -> None:
    batches = list(batches_by_tokens(np.array(lengths, np.int64), budget, padded=False))
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    sums = [sum(lengths[row] for row in batch) for batch in batches]
    for batch, total in zip(batches, sums, strict=True):
        assert len(batch) == 1 or total <= budget
    # Only the last batch may be smaller than an even share.
    fewest = -(-sum(lengths) // budget) if lengths else 1
    for total in sums[:-1]:
        assert total + max(lengths) > min(budget, sum(lengths) // fewest)


KINDS = [("Bert", 0), ("Electra", 0), ("Roberta", 1), ("XLMRoberta", 1), ("Camembert", 1),
         ("MPNet", 1), ("DistilBert", 0), ("Roberta", 7)]  # fmt: skip


@pytest.mark.parametrize(("name", "pad"), KINDS)
def test_the_mask_says_what_is_padding_and_no_id_does(name: str, pad: int) -> None:
    """A text with the padding's token has the same vector alone, in a batch and unpadded."""
    sizes = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    further = sizes if name == "DistilBert" else {}
    backbone = encoder(name, pad_token_id=pad, **further)
    texts = [[5, pad, 9, 60, pad, pad, 3], [pad, pad], [8, 9, 11, 12], [7, pad, 8]]
    longest = max(map(len, texts))
    ids = torch.tensor([[*text, *[pad] * (longest - len(text))] for text in texts])
    mask = torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in texts])
    told = unpadded.first_padded_position(backbone)
    with torch.inference_mode():
        together = unpadded.padded_hidden_states(backbone, ids, mask, told)
        alone = [
            unpadded.padded_hidden_states(
                backbone, torch.tensor([text]), torch.ones(1, len(text), dtype=torch.int64), told
            )[0]
            for text in texts
        ]
    for row, expected in enumerate(alone):
        torch.testing.assert_close(together[row, : len(expected)], expected, atol=1e-5, rtol=1e-5)
    # If no text contains it, nothing changes.
    plain = torch.tensor([[20, 21, 22, pad], [23, 24, pad, pad]])
    inside = plain != pad
    with torch.inference_mode():
        found = unpadded.padded_hidden_states(backbone, plain, inside.long(), told)
        right = backbone(input_ids=plain, attention_mask=inside.long()).last_hidden_state
        torch.testing.assert_close(found[inside], right[inside], atol=1e-5, rtol=1e-5)
    first = unpadded.first_position(backbone)
    if first is None:
        return
    layout = unpadded.Layout.of(mask)
    unpadded._register()
    backbone.set_attn_implementation(unpadded.NAME)
    with torch.inference_mode():
        found = unpadded.hidden_states(backbone, ids, layout, first)
    torch.testing.assert_close(found, torch.cat(alone), atol=1e-5, rtol=1e-5)


def test_what_is_trained_is_what_is_evaluated_whatever_tokens_a_text_holds(
    backbone: Any, tmp_path: Any
) -> None:
    roberta = encoder("Roberta", pad_token_id=0)
    tokenizer = transformers.AutoTokenizer.from_pretrained(backbone)
    model = stage2.ProbabilisticGBERTV4(roberta, tokenizer, 16, 32).eval()
    special = ("the [PAD] count", "[PAD] [PAD] sea", "[CLS] ship [SEP]", "[MASK] the", "the count")
    evaluated = model.encode(special, precision="fp32", batch_tokens=1).mu
    batch = collate(model, tokenize(model, special, [[]] * 5), np.arange(5))
    with torch.no_grad(), unpadded.end_to_end(model):
        assert model.backbone.config._attn_implementation == unpadded.NAME
        trained = model(batch).mu.numpy()
    np.testing.assert_allclose(trained, evaluated, atol=1e-5)
    with torch.no_grad():
        np.testing.assert_allclose(model(batch).mu.numpy(), evaluated, atol=1e-5)
    half = model.encode(special, precision="bf16").mu
    assert (half * evaluated).sum(axis=1).min() > 0.99


def test_an_encoder_that_gives_an_id_a_meaning_is_trained_with_padding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In one row with other texts, this encoder's tokens would get other vectors."""
    backbone = encoder("Bert", pad_token_id=1)
    forward = backbone.forward

    def counting(input_ids: torch.Tensor, **more: Any) -> Any:
        found = forward(input_ids=input_ids, **more)
        held = (input_ids == 1).sum(dim=1, keepdim=True).unsqueeze(-1)
        found.last_hidden_state = found.last_hidden_state * (1 + held)
        return found

    monkeypatch.setattr(backbone, "forward", counting)
    assert unpadded.first_position(backbone) is None
