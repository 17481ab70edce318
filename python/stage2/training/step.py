"""One step of training: questions in, gradients out.

Texts are embedded in groups, end to end where that is possible, and else of like length, so that
little is padded. By default the graph of all groups is kept and walked once. With gradient caching
(Gao et al. 2021, "Scaling deep contrastive learning batch size under memory limited setup") there
is never more than one group's: embed all without a graph, take the loss's gradient at the
embeddings, then embed each group again and hand it its part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.func import functional_call

from stage2.config import Settings
from stage2.encoding.kernels import dropout, unpadded
from stage2.encoding.ranking_lists import RankingLists
from stage2.encoding.tokens import (
    BATCH_TOKENS,
    Batch,
    TokenizedTexts,
    batches_by_tokens,
    collate,
    on_device,
)
from stage2.models.gbert.model import Pooled, ProbabilisticGBERTV4
from stage2.training import losses
from stage2.utils import distributed, rng
from stage2.utils.arrays import Floats, Ints
from stage2.utils.device import describe, resolve_precision
from stage2.utils.errors import BadInputError


@dataclass(frozen=True)
class Vectors:
    """What similarity needs of n texts; both forms of `Pooled` that a loss has a gradient in.

    Attributes:
        mu: float32 (n, d).
        entity: float32 (n, d).
        has_entity: bool (n,).
    """

    mu: Tensor
    entity: Tensor
    has_entity: Tensor


@dataclass(frozen=True)
class Questions:
    """B questions of a step, and the n distinct texts that they need.

    Lists of different length are padded with their own first candidate and masked.

    Attributes:
        groups: rows of the lists' tokens, int64, in the order that the texts are embedded in.
        question: int64 (B,), places among the n texts.
        candidate: int64 (B, N), places among the n texts.
        mask: bool (B, N).
        relevance: int64 (B, N), 1 for ground truths.
        flat: int64 (B, N), rows of the lists' candidates.
        same_text: int64 (n,), equal for texts that are the same, as they are embedded.
    """

    groups: list[Ints]
    question: Ints
    candidate: Ints
    mask: npt.NDArray[np.bool_]
    relevance: Ints
    flat: Ints
    same_text: Ints


def accumulate_gradients(
    model: ProbabilisticGBERTV4,
    lists: RankingLists,
    rows: Ints,
    settings: Settings,
    total: int,
    teacher: Floats | None = None,
) -> float:
    """Add the gradient of (sum of the questions' losses) / `total` to the parameters' `.grad`.

    A batch may thus come in parts, one after the other or on several devices: with `total` the
    questions of the whole batch, what the parts add up to is the gradient of its mean loss.

    Args:
        model: on the device to train on; in training mode where dropout is wanted.
        lists: all questions.
        rows: int64, those of this part; with none nothing happens.
        settings: loss and its parameters, precision, micro_batch.
        total: questions of the whole batch.
        teacher: float32 (m,), scores of the lists' candidates, for margin-mse.

    Returns:
        The sum of the questions' losses over `total`.
    """
    if not len(rows):
        return 0.0
    questions = gather_questions(model, lists, rows, settings)
    groups = _groups_of(model, lists, questions, settings)
    if (world := distributed.world()) is not None:
        from stage2.encoding.distributed import SharedGroups

        groups = SharedGroups(world, groups)
    embedded = groups.embed()
    vectors = _join(embedded)
    mu, entity = (x.detach().requires_grad_() for x in (vectors.mu, vectors.entity))
    leaves = Vectors(mu, entity, vectors.has_entity)
    value = list_losses(leaves, questions, settings, teacher).sum() / total
    value.backward()
    sizes = [len(group.mu) for group in embedded]
    parts = (_gradient(leaf).split(sizes) for leaf in (mu, entity))
    groups.backward(list(zip(*parts, strict=True)))
    return value.item()


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
        model: ProbabilisticGBERTV4,
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
        self._kept: list[Vectors] = []

    def embed(self) -> list[Vectors]:
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

    def _embed(self, numbers: Iterable[int]) -> list[Vectors]:
        device = self.model.device
        dtype = resolve_precision(self.precision, device)
        forward = with_weights_of(self.model, dtype)
        found = []
        for number in numbers:
            texts = self.texts[number]
            seed = self.seeds[number]
            with (
                rng.seeded(device, seed),
                dropout.in_bulk(self.model, seed),
                unpadded.end_to_end(self.model, dtype),
            ):
                pooled = forward(collate(self.model, texts, np.arange(len(texts))))
            found.append(Vectors(pooled.mu, pooled.entity, pooled.has_entity))
        return found


def with_weights_of(model: ProbabilisticGBERTV4, dtype: torch.dtype) -> Callable[[Batch], Pooled]:
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


def batch_loss(
    model: ProbabilisticGBERTV4,
    lists: RankingLists,
    rows: Ints,
    settings: Settings,
    teacher: Floats | None = None,
) -> Tensor:
    """Mean loss of the given questions, a scalar with its graph."""
    questions = gather_questions(model, lists, rows, settings)
    vectors = _join(_groups_of(model, lists, questions, settings).embed())
    return list_losses(vectors, questions, settings, teacher).mean()


def gather_questions(
    model: ProbabilisticGBERTV4, lists: RankingLists, rows: Ints, settings: Settings
) -> Questions:
    """Find the distinct texts that questions need, and group them by length."""
    lengths = lists.lengths[rows]
    column = np.arange(lengths.max())
    mask = column[None, :] < lengths[:, None]
    flat = lists.offsets[rows][:, None] + np.where(mask, column[None, :], 0)
    needed = np.concatenate([lists.questions[rows], lists.candidates[flat].ravel()])
    used, places = np.unique(needed, return_inverse=True)

    token_counts = np.fromiter((len(lists.tokens.ids[row]) for row in used), np.int64, len(used))
    padded = not unpadded.by_runs(model)
    most = BATCH_TOKENS[model.device.type] if padded else unpadded.GROUP_TOKENS
    if model.device.type == "cuda" and (world := distributed.world()) is not None:
        most = share_of_tokens(token_counts, most, world.size)
    groups = list(batches_by_tokens(token_counts, settings.micro_batch or most, padded))
    embedded_at = np.empty(len(used), np.int64)
    embedded_at[np.concatenate(groups)] = np.arange(len(used))
    question, candidate = np.split(embedded_at[places], [len(rows)])
    return Questions(
        groups=[used[group] for group in groups],
        question=question,
        candidate=candidate.reshape(flat.shape),
        mask=mask,
        relevance=(column[None, :] < lists.num_relevant[rows][:, None]).astype(np.int64),
        flat=flat,
        same_text=np.unique(
            lists.tokens.same_text[used[np.concatenate(groups)]], return_inverse=True
        )[1],
    )


def share_of_tokens(lengths: Ints, most: int, cards: int) -> int:
    """Tokens of a group, so that each of some cards has one: one could take a whole step.

    Args:
        lengths: int64 (n,), tokens of each text of a step.
        most: that a card should take at once.
        cards: that share the step.
    """
    if cards == 1:
        return most
    return min(most, max(int(lengths.max()), -(-int(lengths.sum()) // cards)))


def list_losses(
    vectors: Vectors, questions: Questions, settings: Settings, teacher: Floats | None = None
) -> Tensor:
    """Loss of each question, float32 (B,), by the similarity that evaluation uses."""
    device = vectors.mu.device
    question, candidate = (
        on_device(questions.question, device),
        on_device(questions.candidate, device),
    )
    mask, relevance = on_device(questions.mask, device), on_device(questions.relevance, device)
    if settings.loss in ("in-batch", "infonce"):
        among = candidate[relevance > 0] if settings.loss == "in-batch" else candidate
        return losses.infonce(
            cross_similarity(vectors, question),
            relevance=_in_batch_relevance(
                candidate, relevance, on_device(questions.same_text, device)
            ),
            mask=_among(among, len(vectors.mu)).expand(len(question), -1),
            temperature=settings.temperature,
        )
    similarities = pair_similarity(vectors, question[:, None], candidate)
    if settings.loss == "triplet":
        return losses.triplet(similarities, mask, relevance, settings.margin)
    if settings.loss == "listnet":
        return losses.listnet(similarities, mask, relevance, settings.temperature)
    if settings.loss == "margin-mse":
        if teacher is None:
            raise BadInputError("the loss margin-mse needs the scores of a teacher")
        taught = on_device(teacher[questions.flat], device)
        return losses.margin_mse(similarities, taught, mask, relevance, settings.margin)
    return losses.margin_ranking(similarities, mask, relevance, settings.margin, settings.pairs)


def pair_similarity(vectors: Vectors | Pooled, left: Tensor, right: Tensor) -> Tensor:
    """Similarity of pairs of texts, as evaluation computes it.

    Args:
        vectors: n texts.
        left: int64, rows of `vectors`; broadcast against `right`.
        right: int64.

    Returns:
        float32 of the broadcast shape.
    """
    by_entity = vectors.has_entity[left] & vectors.has_entity[right]
    entity = (vectors.entity[left] * vectors.entity[right]).sum(dim=-1)
    sentence = (vectors.mu[left] * vectors.mu[right]).sum(dim=-1)
    return torch.where(by_entity, entity, sentence)


def cross_similarity(vectors: Vectors, left: Tensor) -> Tensor:
    """Similarity of texts to every text: int64 (B,), rows of `vectors`, to float32 (B, n)."""
    by_entity = vectors.has_entity[left][:, None] & vectors.has_entity
    entity = vectors.entity[left] @ vectors.entity.T
    sentence = vectors.mu[left] @ vectors.mu.T
    return torch.where(by_entity, entity, sentence)


def _among(contexts: Tensor, texts: int) -> Tensor:
    """Which of the texts, bool (n,), are these contexts; a batch's questions are none."""
    among = torch.zeros(texts, dtype=torch.bool, device=contexts.device)
    among[contexts.flatten()] = True
    return among


def _in_batch_relevance(candidate: Tensor, relevance: Tensor, same_text: Tensor) -> Tensor:
    """Relevance, int64 (B, n): 1 for texts that are a ground truth of the question, however typed.

    In whose list ever they stand.
    """
    kinds = int(same_text.max()) + 1
    found = torch.zeros(len(candidate), kinds, dtype=torch.int64, device=candidate.device)
    return found.scatter_reduce(1, same_text[candidate], relevance, "amax")[:, same_text]


def _groups_of(
    model: ProbabilisticGBERTV4, lists: RankingLists, questions: Questions, settings: Settings
) -> Groups:
    tokens = lists.tokens
    texts = [
        TokenizedTexts(
            [tokens.ids[row] for row in rows], [tokens.entity_tokens[row] for row in rows]
        )
        for rows in questions.groups
    ]
    seeds = torch.randint(2**63 - 1, (len(texts),)).tolist()
    precision = describe(resolve_precision(settings.precision, model.device))
    return Groups(model, texts, seeds, precision, settings.micro_batch is not None)


def _join(groups: list[Vectors]) -> Vectors:
    return Vectors(
        torch.cat([group.mu for group in groups]),
        torch.cat([group.entity for group in groups]),
        torch.cat([group.has_entity for group in groups]),
    )


def _gradient(leaf: Tensor) -> Tensor:
    return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
