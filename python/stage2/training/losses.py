"""Losses: pure functions of the similarities of questions to their lists of contexts.

Each takes similarities (B, N), a mask of the entries that count and their relevance, and gives the
loss of every list, (B,): how lists are averaged over a batch, over steps that are accumulated and
over devices is the caller's to say. A list without anything to compare adds 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from stage2.config import Pairs
from stage2.utils.errors import BadInputError


def margin_ranking_loss(
    similarities: Tensor,
    margin: float = 0.1,
    pairs: Pairs = "all",
    mask: Tensor | None = None,
    relevance: Tensor | None = None,
) -> Tensor:
    """Penalise every pair of contexts that is not in order by at least `margin`.

    For contexts in ground-truth order and their similarities s to the question, the loss of a list
    is the mean over its pairs i < j of max(0, margin - (s_i - s_j)); the loss of a batch is the
    mean over its lists. A list without a pair adds 0.

    Args:
        similarities: float (B, N), each row in ground-truth order.
        margin: by how much the better of two must win, in units of cosine; at least 0.
        pairs: `all` i < j; or `graded`, only those whose relevance differs.
        mask: bool (B, N), False where a shorter list has ended; default all True.
        relevance: (B, N), higher is better; for `graded`. Default: the first is relevant, 1, and
            the rest are not, 0.

    Returns:
        Scalar of the dtype of `similarities`.

    Raises:
        BadInputError: a margin that is negative or not finite, unknown `pairs`, or shapes
            that differ.
    """
    return margin_ranking(similarities, mask, relevance, margin, pairs).mean()


def margin_ranking(
    similarities: Tensor,
    mask: Tensor | None = None,
    relevance: Tensor | None = None,
    margin: float = 0.1,
    pairs: Pairs = "all",
) -> Tensor:
    """The lists' own losses of `margin_ranking_loss`, float (B,)."""
    _check_margin(margin)
    if pairs not in ("all", "graded"):
        raise BadInputError(f"pairs is {pairs!r}; expected 'all' or 'graded'")
    similarities, mask, relevance = _checked(similarities, mask, relevance)

    length = similarities.shape[1]
    better, worse = torch.triu_indices(length, length, offset=1, device=similarities.device)
    violation = (margin - (similarities[:, better] - similarities[:, worse])).clamp_min(0)
    counted = mask[:, better] & mask[:, worse]
    if pairs == "graded":
        counted = counted & (relevance[:, better] != relevance[:, worse])
    return _mean(violation, counted)


def infonce(
    similarities: Tensor,
    mask: Tensor | None = None,
    relevance: Tensor | None = None,
    temperature: float = 0.05,
) -> Tensor:
    """Each relevant context against all that are not: a classification that it should win.

    The mean over the relevant p of -log(e^(s_p/t) / (e^(s_p/t) + sum over irrelevant n of
    e^(s_n/t))): van den Oord et al. 2018, "Representation learning with contrastive predictive
    coding", equation 4; other relevant contexts are no negatives of p. Over all texts of a batch
    it is what is known as multiple negatives ranking, or in-batch negatives.

    Args:
        similarities: float (B, N).
        mask: bool (B, N); default all True.
        relevance: (B, N), above 0 what is relevant; default: the first.
        temperature: t, above 0.

    Returns:
        Float (B,).
    """
    _check_temperature(temperature)
    similarities, mask, relevance = _checked(similarities, mask, relevance)
    logits = similarities / temperature
    relevant, irrelevant = mask & (relevance > 0), mask & (relevance == 0)
    against = logits.masked_fill(~irrelevant, -math.inf).logsumexp(dim=1, keepdim=True)
    return _mean(torch.logaddexp(logits, against) - logits, relevant)


def triplet(
    similarities: Tensor,
    mask: Tensor | None = None,
    relevance: Tensor | None = None,
    margin: float = 0.1,
) -> Tensor:
    """The hardest triplet of each list: max(0, margin - (min relevant s - max irrelevant s)).

    Hermans et al. 2017, "In defense of the triplet loss", equation 5 ("batch hard"), with the
    cosine distance 1 - s and negatives of the question's own list. The mean over all triplets
    instead is `margin_ranking` with `pairs="graded"`.

    Args:
        similarities: float (B, N).
        mask: bool (B, N); default all True.
        relevance: (B, N), above 0 what is relevant; default: the first.
        margin: at least 0, in units of cosine.

    Returns:
        Float (B,).
    """
    _check_margin(margin)
    similarities, mask, relevance = _checked(similarities, mask, relevance)
    relevant, irrelevant = mask & (relevance > 0), mask & (relevance == 0)
    lowest = similarities.masked_fill(~relevant, math.inf).amin(dim=1)
    highest = similarities.masked_fill(~irrelevant, -math.inf).amax(dim=1)
    return (margin - (lowest - highest)).clamp_min(0)


def margin_mse(
    similarities: Tensor,
    teacher: Tensor,
    mask: Tensor | None = None,
    relevance: Tensor | None = None,
    margin: float = 0.1,
) -> Tensor:
    """Learn by how much a teacher prefers each relevant context to each that is not.

    The mean over pairs (relevant p, irrelevant n) of ((s_p - s_n) - (t_p - t_n))²: Hofstätter et
    al. 2020, "Improving efficient neural ranking models with cross-architecture knowledge
    distillation", equation 1. Where the teacher prefers p by less than `margin`, `margin` stands
    in: our teacher is stage 1, and what it gets wrong is not to be learnt from it.

    Args:
        similarities: float (B, N), s.
        teacher: float (B, N), t, scores of the teacher, in units of cosine.
        mask: bool (B, N); default all True.
        relevance: (B, N), above 0 what is relevant; default: the first.
        margin: the least that is learnt, at least 0.

    Returns:
        Float (B,).
    """
    _check_margin(margin)
    similarities, mask, relevance = _checked(similarities, mask, relevance)
    teacher = teacher.to(similarities.dtype).masked_fill(~mask, 0)
    relevant, irrelevant = mask & (relevance > 0), mask & (relevance == 0)
    wanted = (teacher[:, :, None] - teacher[:, None, :]).clamp_min(margin)
    error = similarities[:, :, None] - similarities[:, None, :] - wanted
    counted = relevant[:, :, None] & irrelevant[:, None, :]
    return _mean(error.square().flatten(1), counted.flatten(1))


def distill_kl(
    similarities: Tensor,
    teacher: Tensor,
    mask: Tensor | None = None,
    relevance: Tensor | None = None,
    margin: float = 0.1,
    temperature: float = 0.05,
) -> Tensor:
    """Learn how a teacher spreads its preference over each list.

    The Kullback-Leibler divergence of softmax(s/T) from softmax(t/T): Hinton et al. 2015,
    "Distilling the knowledge in a neural network", section 2. Their factor T², which weighs this
    loss against another one, is left out: it stands alone. Each relevant context counts as if the
    teacher preferred it by at least `margin` to all that are not: our teacher is stage 1, from
    which training starts, and without this there would be nothing to learn from it.

    Args:
        similarities: float (B, N), s.
        teacher: float (B, N), t, scores of the teacher, in units of cosine.
        mask: bool (B, N), at least one True in each row; default all True.
        relevance: (B, N), above 0 what is relevant; default: the first.
        margin: the least preference that is learnt, at least 0, in units of cosine.
        temperature: T, above 0.

    Returns:
        Float (B,).
    """
    _check_margin(margin)
    _check_temperature(temperature)
    similarities, mask, relevance = _checked(similarities, mask, relevance)
    relevant, irrelevant = mask & (relevance > 0), mask & (relevance == 0)
    teacher = teacher.to(similarities.dtype).masked_fill(~mask, 0)
    best = teacher.masked_fill(~irrelevant, -math.inf).amax(dim=1, keepdim=True)
    wanted = torch.where(relevant, teacher.maximum(best + margin), teacher)

    def log_chances(scores: Tensor) -> Tensor:
        logits = (scores / temperature).masked_fill(~mask, -math.inf)
        return logits.log_softmax(dim=1).masked_fill(~mask, 0)

    found, target = log_chances(similarities), log_chances(wanted)
    # A masked candidate has two equal logarithms here, and so adds nothing.
    return functional.kl_div(found, target, reduction="none", log_target=True).sum(dim=1)


def listnet(
    similarities: Tensor,
    mask: Tensor | None = None,
    relevance: Tensor | None = None,
    temperature: float = 0.05,
) -> Tensor:
    """Cross-entropy of the chances to be ranked first, by relevance and by similarity.

    -sum over i of softmax(r/t)_i · log softmax(s/t)_i: Cao et al. 2007, "Learning to rank: from
    pairwise approach to listwise approach", definition 3 and equation 2, with the increasing
    function e^(x/t) on both sides.

    Args:
        similarities: float (B, N), s.
        mask: bool (B, N), at least one True in each row; default all True.
        relevance: (B, N), r, higher is better; default: 1 for the first, 0 for the rest.
        temperature: t, above 0.

    Returns:
        Float (B,).
    """
    _check_temperature(temperature)
    similarities, mask, relevance = _checked(similarities, mask, relevance)

    def logits(scores: Tensor) -> Tensor:
        return (scores / temperature).masked_fill(~mask, -math.inf)

    target = logits(relevance.to(similarities.dtype)).softmax(dim=1)
    return -(target * logits(similarities).log_softmax(dim=1).masked_fill(~mask, 0)).sum(dim=1)


# By the names of `config.LOSSES`.
FUNCTIONS: Mapping[str, Callable[..., Tensor]] = {
    "margin": margin_ranking,
    "in-batch": infonce,
    "infonce": infonce,
    "triplet": triplet,
    "margin-mse": margin_mse,
    "distill-kl": distill_kl,
    "listnet": listnet,
}


def _checked(
    similarities: Tensor, mask: Tensor | None, relevance: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """The three with their defaults; what is masked is 0, for it may be infinite."""
    given = {"similarities": similarities, "mask": mask, "relevance": relevance}
    for name, tensor in given.items():
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"{name} is a {type(tensor).__name__}; expected a tensor")
    if not similarities.is_floating_point():
        raise TypeError(f"similarities is of {similarities.dtype}; expected floating point")
    if similarities.dim() != 2:
        raise BadInputError(f"similarities has shape {tuple(similarities.shape)}; expected (B, N)")
    for name, tensor in (("mask", mask), ("relevance", relevance)):
        if tensor is not None and tensor.shape != similarities.shape:
            raise BadInputError(
                f"{name} has shape {tuple(tensor.shape)}; "
                f"expected that of similarities, {tuple(similarities.shape)}"
            )
    if mask is None:
        mask = torch.ones_like(similarities, dtype=torch.bool)
    if relevance is None:
        relevance = torch.zeros_like(similarities)
        relevance[:, :1] = 1
    return similarities.masked_fill(~mask, 0), mask, relevance


def _mean(values: Tensor, counted: Tensor) -> Tensor:
    """Mean of the values that count, (B, M) to (B,); 0 where none does."""
    # `where`, not a product: what does not count may be infinite, and 0 · inf is NaN.
    total = torch.where(counted, values, 0).sum(dim=1)
    return total / counted.sum(dim=1).clamp_min(1)


def _check_margin(margin: float) -> None:
    if not (math.isfinite(margin) and margin >= 0):
        raise BadInputError(f"margin is {margin}; expected a finite number, 0 or more")


def _check_temperature(temperature: float) -> None:
    if not (math.isfinite(temperature) and temperature > 0):
        raise BadInputError(f"temperature is {temperature}; expected a finite number above 0")
