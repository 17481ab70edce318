"""A model whose weights have 16 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from stage2 import ProbabilisticGBERTV4
from stage2.encoding.encode import encode
from stage2.models.auto import load_model
from stage2.models.export import export
from tests.small import TEXTS


def test_weights_are_halved(model: ProbabilisticGBERTV4, tmp_path: Path) -> None:
    export(model, "torch-fp16", tmp_path / "out")
    for path in (tmp_path / "out").rglob("*.safetensors"):
        assert {one.dtype for one in load_file(path).values()} == {torch.float16}
    ours = model.encode(TEXTS, precision="fp32").mu
    found = encode(load_model(tmp_path / "out"), TEXTS, precision="fp32").mu
    assert 0 < np.abs(found - ours).max() < 5e-3
