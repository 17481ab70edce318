"""The texts of a step in groups: embedded, then handed the gradient of the loss at their vectors.

With gradient caching (Gao et al. 2021, "Scaling deep contrastive learning batch size under memory
limited setup") there is never more than one group's graph: embed all without one, take the loss's
gradient at the embeddings, then embed each group again and hand it its part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from stage2.encoding.encoder import Encoder, Pooled
from stage2.encoding.kernels import dropout, unpadded
from stage2.encoding.tokens import Batch, TokenizedTexts, collate
from stage2.encoding.vectors import Vectors
from stage2.utils import rng
from stage2.utils.device import resolve_precision
from stage2.utils.distributed import World


class Groups:
    """The texts of a step in groups: embedded, then handed the loss's gradient at their vectors.

    A group draws its dropout from a seed of its own, and so the same one whenever, and on
    whichever device, it is embedded.

    Attributes:
        model: that embeds them.
        texts: of each group.
        seeds: of each group.
        precision: of the matrix products.
        cached: whether a group's graph is built again for its gradient, rather than kept.
    """

    def __init__(
        self,
        model: Encoder,
        texts: list[TokenizedTexts],
        seeds: list[int],
        precision: str,
        cached: bool,
    ) -> None:
        self.model = model
        self.texts = texts
        self.seeds = seeds
        self.precision = precision
        self.cached = cached
        self._kept: list[Vectors[Tensor]] = []

    def embed(self) -> list[Vectors[Tensor]]:
        """The vectors of each group, with their graph unless that is built again."""
        with torch.set_grad_enabled(not self.cached):
            self._kept = self._embed(range(len(self.texts)))
        return self._kept

    def backward(self, gradients: list[tuple[Tensor, Tensor]]) -> None:
        """Add to the parameters' `.grad` what the loss's gradient at μ and ē of each group says."""
        if not self.cached:
            leaving = [vector for group in self._kept for vector in (group.mu, group.entity)]
            arriving = [gradient for pair in gradients for gradient in pair]
            torch.autograd.backward(leaving, arriving)
            return
        for number, pair in enumerate(gradients):
            (group,) = self._embed([number])
            torch.autograd.backward((group.mu, group.entity), pair)

    def _embed(self, numbers: Iterable[int]) -> list[Vectors[Tensor]]:
        device = self.model.device
        dtype = resolve_precision(self.precision, device)
        forward = with_weights_of(self.model, dtype)
        found = []
        for number in numbers:
            texts = self.texts[number]
            seed = self.seeds[number]
            with (
                rng.seeded(device, seed),
                dropout.in_bulk(self.model, device, seed),
                unpadded.end_to_end(self.model, dtype),
            ):
                pooled = forward(collate(self.model, texts, np.arange(len(texts))))
            found.append(Vectors(pooled.mu, pooled.entity, pooled.has_entity))
        return found


def with_weights_of(model: Encoder, dtype: torch.dtype) -> Callable[[Batch], Pooled]:
    """The model's forward pass with weights of `dtype`, whose gradients arrive at its own.

    Weights are cast once for all groups whose graph is kept, and their gradients once on the way
    back; with gradient caching once more for each group. What is trained stays in float32.
    `torch.autocast` would cast every product's activations too, and keep those between products in
    float32: on a CPU a quarter of a step's time went into that.
    """
    if dtype == torch.float32:
        return model
    weights = {name: weight.to(dtype) for name, weight in model.named_parameters()}
    return lambda batch: functional_call(model, weights, (batch,))


class SharedGroups(Groups):
    """Groups of a training step's texts, each embedded in one of the processes."""

    def __init__(self, world: World, groups: Groups) -> None:
        self.world = world
        self.groups = groups
        world.lend(groups.model, groups.model.bare)

    def embed(self) -> list[Vectors[Tensor]]:
        """As `Groups.embed`, on this process's device."""
        given, size = self.groups, self.world.size
        training = given.model.training
        parts = self.world.map(
            _embed_share,
            [
                (given.texts[rank::size], given.seeds[rank::size], given.precision, given.cached,
                 training)
                for rank in range(size)
            ],
        )  # fmt: skip
        device = given.model.device
        found = [parts[i % size][i // size] for i in range(len(given.texts))]
        return [Vectors(*(tensor.to(device) for tensor in vectors)) for vectors in found]

    def backward(self, gradients: list[tuple[Tensor, Tensor]]) -> None:
        """As `Groups.backward`; the gradients of all processes add up in this one's model."""
        size = self.world.size
        lists = [[(mu.cpu(), entity.cpu()) for mu, entity in gradients[rank::size]]
                 for rank in range(size)]  # fmt: skip
        self.world.map(_backward_share, lists)
        self.world.sum_gradients()


def _embed_share(
    world: World, work: tuple[list[TokenizedTexts], list[int], str, bool, bool]
) -> list[tuple[Tensor, Tensor, Tensor]]:
    texts, seeds, precision, cached, training = work
    world.lent.train(training)
    groups = Groups(world.lent, texts, seeds, precision, cached)
    # Kept with its graph: the gradient at the vectors comes back in the next piece of work.
    world.kept = groups
    return [
        (found.mu.detach().cpu(), found.entity.detach().cpu(), found.has_entity.cpu())
        for found in groups.embed()
    ]


def _backward_share(world: World, gradients: list[tuple[Tensor, Tensor]]) -> None:
    device = world.lent.device
    groups, world.kept = world.kept, None
    groups.backward([(mu.to(device), entity.to(device)) for mu, entity in gradients])
