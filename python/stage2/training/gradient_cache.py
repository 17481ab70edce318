"""The groups of texts in a training step, and the way of gradients through them.

All groups are embedded, the gradient of the loss at their vectors is computed, and it is passed
back through each group. With gradient caching (Gao et al. 2021, "Scaling deep contrastive learning
batch size under memory limited setup") only one group's graph is in memory: all groups are first
embedded without a graph, and each group is embedded again for its gradient.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from stage2.encoding.batches import with_weights_of
from stage2.encoding.encoder import Encoder
from stage2.encoding.kernels import dropout, unpadded
from stage2.encoding.tokens import TokenizedTexts, collate
from stage2.encoding.vectors import Vectors
from stage2.utils import rng
from stage2.utils.device import resolve_precision
from stage2.utils.distributed import World


class Groups:
    """The groups of texts in a training step.

    Each group has a seed for its dropout. So its dropout is the same each time it is embedded, and
    in every process.

    Attributes:
        model: the model that embeds the texts.
        texts: the texts of each group.
        seeds: the seed of each group.
        precision: the precision of matrix products.
        cached: whether a group's graph is built again for its gradient, and not kept.
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
        """Embed each group, and return its vectors. They have their graph unless `cached`."""
        with torch.set_grad_enabled(not self.cached):
            self._kept = self._embed(range(len(self.texts)))
        return self._kept

    def backward(self, gradients: list[tuple[Tensor, Tensor]]) -> None:
        """Add the gradients of the loss to the parameters' `.grad`.

        Args:
            gradients: for each group the gradients of the loss at its μ and ē, float (n, d) each.
        """
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
            found.append(
                Vectors(pooled.mu, pooled.entity, pooled.has_entity, distance=pooled.distance)
            )
        return found


class SharedGroups(Groups):
    """The groups of texts in a training step, shared out among processes."""

    def __init__(self, world: World, groups: Groups) -> None:
        self.world = world
        self.groups = groups
        world.lend(groups.model, groups.model.bare)

    def embed(self) -> list[Vectors[Tensor]]:
        """Embed each group in one of the processes; the vectors come to this process's device."""
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
        distance = given.model.distance
        return [
            Vectors(*(tensor.to(device) for tensor in vectors), distance=distance)
            for vectors in found
        ]

    def backward(self, gradients: list[tuple[Tensor, Tensor]]) -> None:
        """Compute the gradients in all processes, and add them up in this process's model."""
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
    # The groups are kept with their graphs, since the next piece of work needs them for gradients.
    world.kept = groups
    return [
        (found.mu.detach().cpu(), found.entity.detach().cpu(), found.has_entity.cpu())
        for found in groups.embed()
    ]


def _backward_share(world: World, gradients: list[tuple[Tensor, Tensor]]) -> None:
    device = world.lent.device
    groups, world.kept = world.kept, None
    groups.backward([(mu.to(device), entity.to(device)) for mu, entity in gradients])
