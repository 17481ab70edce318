"""Each stage says once how much of the texts the model sees."""

from __future__ import annotations

import pytest

from stage2 import Dataset, ProbabilisticGBERTV4
from stage2.cli.text_lengths import tell_text_lengths


def test_counts_are_said_and_given(
    model: ProbabilisticGBERTV4, corpus: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    model.max_length = 4  # two are special tokens
    samples = Dataset.load(corpus["qa"], corpus["chunks"]).construct(5, 0)
    facts = tell_text_lengths(model, samples, "stage1")
    said = capsys.readouterr().err
    assert f"questions (12): {facts['questions']['cut']} are cut at 4 tokens of stage1" in said
    assert "warning: " in said
    assert facts["chunks"]["lost"] > 0
