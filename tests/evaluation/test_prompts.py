"""The effect of prompts is the same as if each reading is measured by itself."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from stage2.config import Settings
from stage2.data.formats import read
from stage2.encoding.encode import encode_tokens
from stage2.encoding.ranking_lists import ranking_lists
from stage2.evaluation import prompts
from stage2.evaluation.evaluate import evaluate
from stage2.evaluation.prompts import Readings, prompt_effect, with_prompts
from stage2.models.auto import load_model
from tests.bag_of_words import questions, write_data, write_model


@pytest.mark.parametrize("role", ["query", "document"])
def test_the_difference_is_that_of_two_evaluations(
    role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(write_model(tmp_path / "model", {role: "lean "}))
    data = write_data(tmp_path / "d", questions(80, 4, 3))
    dataset = read(Settings(data=str(data)), False).dataset
    assert dataset is not None
    samples = dataset.construct(3)
    prompts_of_model = dict(model.prompts)
    other = with_prompts(model, {})
    assert model.prompts == {role: "lean "}
    assert next(other.parameters()) is next(model.parameters())
    lists = [ranking_lists(one, samples, None, corpus=True) for one in (model, other)]
    found = [evaluate(one, part, "fp32") for one, part in zip((model, other), lists, strict=True)]
    ranks = [one.corpus.ranking.reciprocal_rank for one in found if one.corpus is not None]
    ways = [
        Readings(
            lists[told], found[told].embeddings, lists[1 - told],
            partial(encode_tokens, (other, model)[told], precision="fp32"),
            prompts_of_model, has_prompts=told == 0,
        )
        for told in (0, 1)
    ]  # fmt: skip
    groups = np.arange(80)
    # With at least as many chunks as there are, the whole corpus counts for documents too.
    effect, other_way = (prompt_effect(readings, groups, 0) for readings in ways)
    assert (effect["told"], other_way["told"]) == ("with", "without")
    assert effect["prompts"] == {role: "lean "}
    # It is the same effect, whichever way is told.
    for name in ("with", "without", "difference", "low", "high", "p"):
        assert other_way[name] == pytest.approx(effect[name])
    assert (effect["questions"], effect["chunks"]) == (80, 150)
    assert effect["with"] == pytest.approx(ranks[0].mean())
    assert effect["without"] == pytest.approx(ranks[1].mean())
    assert effect["difference"] == pytest.approx((ranks[0] - ranks[1]).mean())
    assert effect["low"] <= effect["difference"] <= effect["high"]
    monkeypatch.setattr(prompts, "QUESTIONS", 20)
    monkeypatch.setattr(prompts, "CHUNKS", 40)
    part = prompt_effect(ways[0], groups, 0)
    if role == "query":
        assert part == effect
    else:
        assert part["questions"] == 20
        assert 40 <= part["chunks"] <= 60
