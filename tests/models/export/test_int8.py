"""A model whose weights have 8 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stage2 import ProbabilisticGBERTV4
from stage2.models.export import export
from tests.models.export.test_onnx import reader
from tests.small import TEXTS


def test_it_is_smaller_and_close(model: ProbabilisticGBERTV4, tmp_path: Path) -> None:
    for to in ("onnx", "int8"):
        export(model, to, tmp_path / to)
    whole, small = (
        (tmp_path / to / "onnx" / "model.onnx").stat().st_size for to in ("onnx", "int8")
    )
    assert small < whole
    ours = model.encode([text[:100] for text in TEXTS], precision="fp32").mu
    exact = reader(tmp_path / "onnx")([text[:100] for text in TEXTS])
    rounded = reader(tmp_path / "int8")([text[:100] for text in TEXTS])
    assert np.abs(exact - ours).max() < 1e-5 < np.abs(rounded - ours).max() < 0.1
