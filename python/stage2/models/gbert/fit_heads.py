"""The fitting of the semantic head, so that μ ranks texts as its backbone does."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stage2.models.gbert.model import HEAD_WIDTH, ProbabilisticGBERTV4
from stage2.utils.arrays import Ints
from stage2.utils.progress import Progress

logger = logging.getLogger(__name__)

FIT_STEPS = 600
FIT_LEARNING_RATE = 3e-3
# So many questions and chunks are compared in a step.
FIT_QUESTIONS, FIT_CHUNKS = 256, 1024
# A temperature that texts with one and the same similarity can be divided by.
_LEAST_TEMPERATURE = 1e-3


@dataclass(frozen=True)
class Seen:
    """n texts as the model and its backbone see them.

    Attributes:
        means: float32 (n, D), the means of the hidden states of their tokens, of unit length. It is
            these that the semantic head can project.
        targets: float32 (n, D'), the vectors of the untouched backbone with its own pooling, of
            unit length.
    """

    means: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.means)

    def take(self, rows: Ints) -> Seen:
        """Return the texts of some rows."""
        index = torch.from_numpy(rows).to(self.means.device)
        return Seen(self.means[index], self.targets[index])


def fit_heads(
    model: ProbabilisticGBERTV4,
    questions: Seen,
    chunks: Seen,
    generator: np.random.Generator,
    progress: Progress | None = None,
) -> None:
    """Set the semantic head to the projection with which μ ranks chunks as the backbone does.

    Args:
        model: the model, whose head is set.
        questions: texts that stand for questions.
        chunks: texts that are ranked.
        generator: it draws the texts of each step.
        progress: called with the number of steps done and of all steps.
    """
    width = questions.means.shape[1]
    rank = min(model.embedding_dim, HEAD_WIDTH // 2, width)
    if rank < model.embedding_dim:
        logger.warning(
            "--embedding-dim %d: a fitted head fills %d dimensions, and the others begin with 0, "
            "for training to use; an index needs no more than %d before it",
            model.embedding_dim, rank, rank,
        )  # fmt: skip
    basis = distilled(principal(questions, chunks, rank), questions, chunks, generator, progress)
    set_projection(model, basis)


def principal(questions: Seen, chunks: Seen, rank: int) -> Tensor:
    """Return the projection that best keeps the cosines of the means, float32 (D, rank).

    Of all linear maps to `rank` dimensions it is the one on the first eigenvectors of the second
    moments (Eckart and Young, 1936). Questions and chunks count alike, however many they are.
    """
    first, second = (part.means.double() for part in (questions, chunks))
    moments = first.T @ first / len(first) + second.T @ second / len(second)
    basis: Tensor = torch.linalg.eigh(moments).eigenvectors.flip(1)[:, :rank].float().contiguous()
    return basis


def distilled(
    basis: Tensor,
    questions: Seen,
    chunks: Seen,
    generator: np.random.Generator,
    progress: Progress | None = None,
) -> Tensor:
    """Improve a projection, (D, rank), until it ranks as the backbone does; return the new one.

    To keep every cosine costs ranks: most pairs of texts have nothing to do with each other, and
    their cosines are as much of that loss as those of the few that are near. So the softmax of a
    question's similarities to chunks is held to that of the backbone by their cross-entropy (Hinton
    et al., "Distilling the knowledge in a neural network", 2015). The temperature is the
    standard deviation of the backbone's similarities, whose size differs from encoder to encoder:
    0.10 to 0.12 for all-MiniLM-L6-v2. The learning rate falls linearly to 0.
    """
    basis = basis.clone().requires_grad_()
    optimizer = torch.optim.Adam([basis], lr=FIT_LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=FIT_STEPS)
    temperature = None
    for step in range(FIT_STEPS):
        left, right = (
            part.take(generator.choice(len(part), min(most, len(part)), replace=False))
            for part, most in ((questions, FIT_QUESTIONS), (chunks, FIT_CHUNKS))
        )
        wanted = left.targets @ right.targets.T
        if temperature is None:
            # The first step has pairs enough to tell it.
            temperature = temperature_of(wanted)
        asked, ranked = (F.normalize(part.means @ basis, dim=-1) for part in (left, right))
        given = asked @ ranked.T / temperature
        loss = F.cross_entropy(given, (wanted / temperature).softmax(dim=1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if progress is not None:
            progress(step + 1, FIT_STEPS)
    return basis.detach()


def temperature_of(similarities: Tensor) -> float:
    """Return the temperature of the softmax that a model is fitted by; see `distilled`."""
    return max(_LEAST_TEMPERATURE, float(similarities.std(correction=0)))


def set_projection(model: ProbabilisticGBERTV4, basis: Tensor) -> None:
    """Have the semantic head compute a projection, (D, rank).

    The head is not linear, but it can compute one, since GELU(x) - GELU(-x) = x: its hidden layer
    computes the projection and its negative, and its output layer subtracts them. This takes two
    hidden units for each dimension. Dimensions of the output beyond `HEAD_WIDTH` / 2 start at 0.
    Spare hidden units keep their random input weights and start with output weights of 0, so that
    the gradient can use them.
    """
    first, _, second = model.semantic_head
    if not (isinstance(first, nn.Linear) and isinstance(second, nn.Linear)):
        raise TypeError("the semantic head is Linear, GELU, Linear")
    rank = basis.shape[1]
    with torch.no_grad():
        first.weight[:rank] = basis.T
        first.weight[rank : 2 * rank] = -basis.T
        first.bias[: 2 * rank] = 0
        second.weight.zero_()
        second.bias.zero_()
        keep = torch.arange(rank)
        second.weight[keep, keep] = 1
        second.weight[keep, rank + keep] = -1
