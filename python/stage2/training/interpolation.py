"""Interpolation between the weights before training and those that training leads to.

A part of the way often keeps what a training gains and loses less of what the model knew (Wortsman
et al., "Robust fine-tuning of zero-shot models", CVPR 2022).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor

from stage2.encoding.encoder import Encoder
from stage2.training.parameters import MATRIX, plain_name, plain_state
from stage2.utils.tensors import copy_of_weights


def interpolate(
    start: Mapping[str, Tensor], end: Mapping[str, Tensor], alpha: float
) -> dict[str, Tensor]:
    """Return θ₁ + α(θ₂ − θ₁). Tensors that are not of floating point are those of θ₁.

    Args:
        start: θ₁, a state_dict on the CPU.
        end: θ₂, with the same names and shapes.
        alpha: α, from 0 to 1.
    """
    return {
        name: tensor.lerp(end[name].to(tensor.device), alpha)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in start.items()
    }


class Kept:
    """The weights of a training that are evaluated and kept: α of the way from those before it.

    Training itself goes on from where it is.
    """

    def __init__(self, start: Mapping[str, Tensor], alpha: float) -> None:
        """Keep the way.

        Args:
            start: the weights before training, on the CPU.
            alpha: α, above 0 and at most 1.
        """
        self.start, self.alpha = start, alpha
        self._trained: dict[str, Tensor] | None = None

    def weights(self, model: Encoder) -> Mapping[str, Tensor]:
        """Return the weights to keep, by the names of the plain model, low-rank updates added."""
        weights = plain_state(model)
        return weights if self.alpha == 1 else interpolate(self.start, weights, self.alpha)

    @contextmanager
    def loaded(self, model: Encoder) -> Iterator[None]:
        """Give a model in training these weights inside the context."""
        if self.alpha == 1:
            yield
            return
        self._trained = copy_of_weights(model)
        try:
            model.load_state_dict(
                {name: self._part(name, tensor) for name, tensor in self._trained.items()}
            )
            yield
        finally:
            model.load_state_dict(self._trained)
            self._trained = None

    def trained(self, model: Encoder) -> dict[str, Tensor]:
        """Return the weights that training goes on from, inside the context too."""
        return model.state_dict() if self._trained is None else self._trained

    def _part(self, name: str, tensor: Tensor) -> Tensor:
        plain = plain_name(name)
        if plain is not None:
            return interpolate({name: self.start[plain]}, {name: tensor}, self.alpha)[name]
        # An update is a product of two matrices: α times one of them gives α times the update.
        return tensor * self.alpha if MATRIX in name else tensor
