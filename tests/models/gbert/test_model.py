"""ProbabilisticGBERTV4: the texts that it reads, and the pooling of tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from stage2.models.gbert.model import pool
from stage2.models.transformer_encoder import add_up
from tests.conftest import Stage2, data_flags


def test_a_checkpoint_that_does_not_fit_is_named_key_by_key(
    stage2: Stage2, corpus: dict[str, Path], backbone: Path, model: Any, tmp_path: Path
) -> None:
    def edited(name: str, value: torch.Tensor | None) -> Path:
        state = dict(model.state_dict())
        state.pop(name, None)
        if value is not None:
            state[name] = value
        torch.save(state, tmp_path / "edited.pt")
        return tmp_path / "edited.pt"

    for name, value, said in [
        ("energy_proj.bias", None, "missing energy_proj.bias (1,)"),
        ("extra.weight", torch.zeros(2, 3), "unexpected extra.weight (2, 3)"),
        ("energy_proj.weight", torch.zeros(1, 7), "energy_proj.weight is (1, 7), expected (1, 32)"),
        ("semantic_head.2.weight", None, "no semantic_head.2.weight"),
    ]:
        flags = ["--model", edited(name, value), "--backbone", backbone, *data_flags(corpus)]
        assert said in stage2("mine", *flags, exit_code=2).stderr
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_of_another_width_is_refused(
    stage2: Stage2, corpus: dict[str, Path], golden: Path, backbone: Path, tmp_path: Path
) -> None:
    flags = ["--model", golden / "stage1.pt", "--backbone", backbone, *data_flags(corpus)]
    result = stage2("mine", *flags, exit_code=2)
    assert "does not fit the backbone (width 32" in result.stderr


def test_pooling_is_of_the_tokens_that_count() -> None:
    vectors = torch.tensor([[[3.0, 0.0], [0.0, 1.0], [9.0, 9.0]]])
    energy = torch.tensor([[0.5, 0.25, 7.0]])
    mu, kappa = pool(vectors, energy, torch.tensor([[True, True, False]]))
    assert mu.tolist()[0] == pytest.approx([3 / 10**0.5, 1 / 10**0.5])
    assert kappa.tolist() == [1 + 50 * 0.5]
    mu, kappa = pool(vectors[:0], energy[:0], torch.zeros(0, 3, dtype=torch.bool))
    assert (mu.shape, kappa.shape) == ((0, 2), (0,))


def test_values_are_added_up_by_row() -> None:
    values = torch.tensor([[1.0, 2.0], [4.0, 8.0], [16.0, 32.0]])
    found = add_up(values, torch.tensor([2, 0, 2]), torch.empty(3, 2))
    assert found.tolist() == [[4, 8], [0, 0], [17, 34]]
