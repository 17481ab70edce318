"""The first dimensions of a vector are trained as vectors of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stage2 import ProbabilisticGBERTV4
from stage2.config import Settings
from stage2.encoding.ranking_lists import RankingLists
from stage2.encoding.vectors import Vectors
from stage2.training.matryoshka import cut
from stage2.training.step import gather_questions, list_losses
from stage2.utils.errors import BadInputError
from tests.conftest import Stage2, data_flags
from tests.sentence_models import KINDS, write_model

SETTINGS = Settings(loss="in-batch", precision="fp32", matryoshka="64,16,4")


def test_the_loss_is_the_mean_of_those_at_each_width(
    model: ProbabilisticGBERTV4, lists: RankingLists
) -> None:
    questions = gather_questions(model, lists, np.arange(4), SETTINGS)
    mu = torch.randn(len(questions.texts), 64, generator=torch.Generator().manual_seed(0))
    none = torch.zeros(len(mu), dtype=torch.bool)
    plain = replace(SETTINGS, matryoshka=None)
    each = []
    for width in (64, 16, 4):
        part = torch.nn.functional.normalize(mu[:, :width], dim=-1)
        each.append(list_losses(Vectors(part, part, none), questions, plain))
    found = list_losses(Vectors(mu, mu, none), questions, SETTINGS)
    torch.testing.assert_close(found, torch.stack(each).mean(dim=0))


def test_vectors_of_a_dot_product_keep_their_length() -> None:
    mu = torch.tensor([[3.0, 4.0, 5.0]])
    vectors = Vectors(mu, mu, torch.zeros(1, dtype=torch.bool))
    assert cut(vectors, 2, unit_length=False).mu.tolist() == [[3, 4]]
    torch.testing.assert_close(cut(vectors, 2, unit_length=True).mu, torch.tensor([[0.6, 0.8]]))


@pytest.mark.parametrize("given", ["64,,4", "0", "x", "8,8"])
def test_widths_are_numbers(given: str) -> None:
    with pytest.raises(BadInputError, match="--matryoshka"):
        Settings(matryoshka=given)


def test_from_the_command_line(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    folder = write_model(KINDS["e5, two prompts"], tmp_path)
    flags = ["run", *data_flags(corpus)[:4], "--model", folder, "--epochs", 1, "--folds", 0]
    refused = stage2(*flags, "--matryoshka", "64,16", exit_code=2)
    assert "64 dimensions of a vector that has 32" in refused.stderr
    assert not (tmp_path / "out").exists()
    stage2(*flags, "--matryoshka", "32,16,8")
    flags[flags.index(folder)] = model_dir
    entities = ["--entities", corpus["entities"], "--matryoshka", "64,16"]
    refused = stage2(*flags, *entities, "--output-dir", tmp_path / "other", exit_code=2)
    assert "give --similarity sentence" in refused.stderr
