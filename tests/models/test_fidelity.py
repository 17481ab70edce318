"""A written model is compared with the model that was measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from stage2 import ProbabilisticGBERTV4
from stage2.models import export
from stage2.models.fidelity import check_fidelity
from stage2.utils.arrays import Floats
from stage2.utils.errors import RunFailedError


def test_the_same_vectors_pass(model: ProbabilisticGBERTV4) -> None:
    check_fidelity(model, lambda texts, _: model.encode(texts, precision="fp32").mu, "here")


def test_other_vectors_or_another_width_fail(model: ProbabilisticGBERTV4) -> None:
    def shifted(texts: Sequence[str], _: str) -> Floats:
        return model.encode(texts, precision="fp32").mu + 1e-4

    with pytest.raises(RunFailedError, match=r"here: read back, .* by up to 1\.0e-04"):
        check_fidelity(model, shifted, "here")
    check_fidelity(model, shifted, "here", tolerance=1e-3)
    with pytest.raises(RunFailedError, match="by up to inf"):
        check_fidelity(model, lambda texts, _: model.encode(texts).mu[:, :8], "here")


def test_what_does_not_fit_is_not_kept(
    model: ProbabilisticGBERTV4, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RunFailedError("other vectors")

    monkeypatch.setattr(export, "check_fidelity", fail)
    with pytest.raises(RunFailedError):
        export.export(model, "sentence-transformers", tmp_path / "exported")
    assert list(tmp_path.iterdir()) == []
