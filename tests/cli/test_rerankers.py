"""Rerankers that settings name, and where their scores are kept."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stage2.cli.rerankers import reranker
from stage2.config import Settings
from stage2.models.cross_encoder import CrossEncoder
from stage2.models.kept_scores import KeptReranker
from tests.conftest import Stage2, data_flags, read_jsonl
from tests.model_folders import change
from tests.small import TEXTS
from tests.teaching import make_chat_reranker

PAIRS = TEXTS, TEXTS[::-1]


@pytest.mark.parametrize("kind", ["classifier", "chat"])
def test_scores_are_kept_by_content(
    kind: str, cross_encoder: Path, backbone: Path, tmp_path: Path
) -> None:
    folder = cross_encoder if kind == "classifier" else make_chat_reranker(backbone, tmp_path / "m")
    cache = tmp_path / "cache"
    settings = Settings(embedding_cache=str(cache), precision="fp32", device="cpu")
    one = reranker(settings, str(folder))
    assert isinstance(one, KeptReranker)
    scores = one.score(*PAIRS, precision="fp32")
    assert np.ptp(scores) > 0
    again = reranker(settings, str(folder))
    assert isinstance(again, KeptReranker)
    assert len(again.unknown(*PAIRS)) == 0
    assert again.score(*PAIRS, precision="fp32").tolist() == scores.tolist()
    # The name decides nothing, and the tokenizer, which says what is read, does.
    moved = Path(shutil.copytree(folder, tmp_path / "moved"))
    for unknown in (0, len(TEXTS)):
        other = reranker(settings, str(moved))
        assert isinstance(other, KeptReranker)
        assert len(other.unknown(*PAIRS)) == unknown
        change(moved / "tokenizer_config.json", note="another")
    off = reranker(Settings(embedding_cache="off", device="cpu"), str(folder))
    assert not isinstance(off, KeptReranker)
    assert off.score(*PAIRS, precision="fp32") == pytest.approx(scores, abs=1e-5)


def test_the_second_trial_of_a_sweep_asks_its_teacher_nothing(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, cross_encoder: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    asked: list[tuple[str, str]] = []
    score = CrossEncoder.score

    def counted(self: CrossEncoder, questions: Any, contexts: Any, **more: Any) -> Any:
        asked.extend(zip(questions, contexts, strict=True))
        return score(self, questions, contexts, **more)

    monkeypatch.setattr(CrossEncoder, "score", counted)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    stage2(
        "sweep", *data_flags(corpus), "--model", model_dir, "--grid", "learning_rate=1e-4,1e-3",
        "--loss", "margin-mse", "--teacher", cross_encoder, "--epochs", 1,
        "--dev-share", 0.3, "--test-share", 0.3,
    )  # fmt: skip
    told = [*map(read_jsonl, (tmp_path / "out/trials").glob("*/teacher_scores.jsonl"))]
    assert len(told) == 2
    assert told[0] == told[1]
    # A model is tried with a pair when it is loaded, each time. This pair is none of the data.
    questions = {row["question"] for row in read_jsonl(corpus["qa"])}
    pairs = [pair for pair in asked if pair[0] in questions]
    assert len(pairs) == len(set(pairs)) == sum(len(row["scores"]) for row in told[0])
