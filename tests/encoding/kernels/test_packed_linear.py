from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from stage2 import ProbabilisticGBERTV4
from stage2.encoding.kernels import packed_linear
from stage2.encoding.kernels.packed_linear import packed
from stage2.utils.errors import RunFailedError
from tests.conftest import Stage2, data_flags

TEXTS = ["the count of monte cristo", "old ship", "treasure island prison abbot sea night"]


@pytest.fixture(autouse=True)
def _tried_anew() -> Iterator[None]:
    packed_linear._can_pack.cache_clear()
    yield
    packed_linear._can_pack.cache_clear()


def test_packed_layers_give_what_plain_ones_do() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(96, 200), nn.GELU(), nn.Linear(200, 24, bias=False))
    for rows in (torch.randn(1, 96), torch.randn(7, 96), torch.randn(3, 5, 96)):
        with torch.inference_mode():
            plain = model(rows)
            with packed(model):
                found = model(rows)
        assert found.shape == plain.shape
        torch.testing.assert_close(found, plain, atol=1e-6, rtol=1e-5)


def test_weights_that_moved_are_packed_again(model: ProbabilisticGBERTV4) -> None:
    before = model.encode(TEXTS, precision="fp32").mu
    with torch.no_grad():
        for parameter in model.semantic_head.parameters():
            parameter.mul_(-0.5)
    after = model.encode(TEXTS, precision="fp32").mu
    assert abs(after - before).max() > 0.01


def test_the_layers_are_plain_again_whatever_happens() -> None:
    layer = nn.Linear(4, 4)

    def fail() -> None:
        with packed(layer):
            assert ("forward" in layer.__dict__) == packed_linear._can_pack("cpu", torch.float32)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert "forward" not in layer.__dict__


@pytest.mark.parametrize("fault", [AttributeError, RuntimeError, None])
def test_what_torch_does_not_offer_or_miscalculates_is_not_used(
    model: ProbabilisticGBERTV4,
    monkeypatch: pytest.MonkeyPatch,
    fault: type[Exception] | None,
) -> None:
    expected = model.encode(TEXTS, precision="fp32").mu

    def multiply(layer: nn.Linear) -> object:
        if fault is not None:
            raise fault
        return lambda rows: rows.new_zeros(*rows.shape[:-1], layer.out_features)

    monkeypatch.setattr(packed_linear, "_multiply", multiply)
    packed_linear._can_pack.cache_clear()
    found = model.encode(TEXTS, precision="fp32").mu
    torch.testing.assert_close(torch.from_numpy(found), torch.from_numpy(expected))


def compile_by(monkeypatch: pytest.MonkeyPatch, backend: Any) -> None:
    """Trace as usual, but do not run the C++ compiler, which takes a minute."""
    torch.compiler.reset()
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))


def test_a_compiled_model_embeds_as_a_plain_one(
    model: ProbabilisticGBERTV4, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced = []

    def backend(graph: Any, _: Any) -> Any:
        traced.append(graph)
        return graph.forward

    compile_by(monkeypatch, backend)
    plain = model.encode(TEXTS, precision="fp32").mu
    assert not traced
    model.compiled = True
    found = model.encode(TEXTS, precision="fp32").mu
    assert traced
    assert abs(found - plain).max() < 1e-6
    assert "forward" not in model.backbone.__dict__


def test_what_cannot_be_compiled_is_said(
    corpus: dict[str, Path],
    model_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage2: Stage2,
) -> None:
    def backend(*_: Any) -> Any:
        raise OSError("no C++ compiler")

    compile_by(monkeypatch, backend)
    flags = [*data_flags(corpus), "--model", model_dir, "--precision", "fp32"]
    result = stage2("mine", *flags, "--compile", exit_code=1)
    assert "no C++ compiler" in result.stderr
    assert "leave --compile out" in result.stderr


def test_a_failure_while_compiled_is_not_taken_for_one_of_the_compiler(
    model: ProbabilisticGBERTV4, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_by(monkeypatch, "eager")

    def fail() -> None:
        with packed_linear.compiled(model):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with pytest.raises(RunFailedError), packed_linear.compiled(model):
        raise torch._dynamo.exc.Unsupported("this")
