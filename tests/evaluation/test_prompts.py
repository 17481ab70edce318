"""The effect of prompts is the same as if each reading is measured by itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stage2.config import Settings
from stage2.data.formats import read
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
    other = with_prompts(model, {})
    assert model.prompts == {role: "lean "}
    assert next(other.parameters()) is next(model.parameters())
    lists = [ranking_lists(one, samples, None, corpus=True) for one in (model, other)]
    found = [evaluate(one, part, "fp32") for one, part in zip((model, other), lists, strict=True)]
    ranks = [one.corpus.ranking.reciprocal_rank for one in found if one.corpus is not None]
    readings = Readings(lists[0], found[0].embeddings, lists[1], other, (role,))  # type: ignore[arg-type]
    groups = np.arange(80)
    # With at least as many chunks as there are, the whole corpus counts for documents too.
    effect = prompt_effect(readings, groups, 0, "fp32")
    assert (effect["questions"], effect["chunks"]) == (80, 150)
    assert effect["told"] == pytest.approx(ranks[0].mean())
    assert effect["other"] == pytest.approx(ranks[1].mean())
    assert effect["difference"] == pytest.approx((ranks[1] - ranks[0]).mean())
    assert effect["low"] <= effect["difference"] <= effect["high"]
    monkeypatch.setattr(prompts, "QUESTIONS", 20)
    monkeypatch.setattr(prompts, "CHUNKS", 40)
    part = prompt_effect(readings, groups, 0, "fp32")
    if role == "query":
        assert part == effect
    else:
        assert part["questions"] == 20
        assert 40 <= part["chunks"] <= 60
