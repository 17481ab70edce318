"""Losses: pure functions of the similarities between questions and their lists of contexts.

Each takes similarities (B, N), a mask of the entries that count and their relevance. It returns the
loss of every list, (B,). The caller averages over lists, accumulated steps and devices. A list with
nothing to compare has the loss 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable

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

    The contexts of a list are in ground-truth order, and s are their similarities to the question.
    The loss of a list is the mean of max(0, margin - (s_i - s_j)) over its pairs i < j. The loss of
    a batch is the mean over its lists. A list without a pair has the loss 0.

    Args:
        similarities: float (B, N), each row in ground-truth order.
        margin: the least difference between the better and the worse of a pair, in the unit of the
            similarities; at least 0.
        pairs: `all` pairs i < j, or `graded`, only those with different relevance.
        mask: bool (B, N), False where a shorter list has ended; None means all True.
        relevance: (B, N), for `graded`; higher is better. None means 1 for the first context and 0
            for the others.

    Returns:
        A scalar with the dtype of `similarities`.

    Raises:
        BadInputError: the margin is negative or not finite, `pairs` is unknown, or shapes differ.
        TypeError: an argument is not a tensor, or `similarities` is not of floating point.
    """
    return margin_ranking(similarities, mask, relevance, margin, pairs).mean()


def margin_ranking(
    similarities: Tensor,
    mask: Tensor | None = None,
    relevance: Tensor | None = None,
    margin: float = 0.1,
    pairs: Pairs = "all",
) -> Tensor:
    """Return the loss of each list as in `margin_ranking_loss`: float (B,)."""
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
    """Classify each relevant context against all irrelevant ones (InfoNCE).

    The loss is the mean over the relevant p of -log(e^(s_p/t) / (e^(s_p/t) + sum over irrelevant n
    of e^(s_n/t))): van den Oord et al. 2018, "Representation learning with contrastive predictive
    coding", equation 4. Other relevant contexts are not negatives of p. With all texts of a batch
    as contexts, this is known as multiple negatives ranking or in-batch negatives.

    Args:
        similarities: float (B, N), s.
        mask: bool (B, N); None means all True.
        relevance: (B, N), above 0 for relevant contexts; None means that only the first is.
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
    """Penalise the hardest triplet of each list.

    The loss is max(0, margin - (min relevant s - max irrelevant s)): Hermans et al. 2017, "In
    defense of the triplet loss", equation 5 ("batch hard"), with the cosine distance 1 - s and
    negatives from the question's own list. `margin_ranking` with `pairs="graded"` takes the mean
    over all triplets instead.

    Args:
        similarities: float (B, N), s.
        mask: bool (B, N); None means all True.
        relevance: (B, N), above 0 for relevant contexts; None means that only the first is.
        margin: at least 0, in the unit of the similarities.

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
    margin: float | None = 0.1,
) -> Tensor:
    """Learn a teacher's margins between relevant and irrelevant contexts.

    The loss is the mean over pairs (relevant p, irrelevant n) of ((s_p - s_n) - (t_p - t_n))²:
    Hofstätter et al. 2020, "Improving efficient neural ranking models with cross-architecture
    knowledge distillation", equation 1. If the teacher's margin is below `margin`, `margin` is
    used: where stage 1 is its own teacher, its mistakes should not be learnt. Another teacher has
    no such limit, for where it prefers a negative, this is often no negative.

    Args:
        similarities: float (B, N), s.
        teacher: float (B, N), t, the scores of the teacher, in the unit of the similarities.
        mask: bool (B, N); None means all True.
        relevance: (B, N), above 0 for relevant contexts; None means that only the first is.
        margin: the least margin that is learnt, at least 0; None for no limit.

    Returns:
        Float (B,).
    """
    if margin is not None:
        _check_margin(margin)
    similarities, mask, relevance = _checked(similarities, mask, relevance)
    teacher = teacher.to(similarities.dtype).masked_fill(~mask, 0)
    relevant, irrelevant = mask & (relevance > 0), mask & (relevance == 0)
    wanted = teacher[:, :, None] - teacher[:, None, :]
    if margin is not None:
        wanted = wanted.clamp_min(margin)
    error = similarities[:, :, None] - similarities[:, None, :] - wanted
    counted = relevant[:, :, None] & irrelevant[:, None, :]
    return _mean(error.square().flatten(1), counted.flatten(1))


def distill_kl(
    similarities: Tensor,
    teacher: Tensor,
    mask: Tensor | None = None,
    relevance: Tensor | None = None,
    margin: float | None = 0.1,
    temperature: float = 0.05,
) -> Tensor:
    """Learn a teacher's distribution over each list.

    The loss is the Kullback-Leibler divergence of softmax(s/T) from softmax(t/T): Hinton et al.
    2015, "Distilling the knowledge in a neural network", section 2. Their factor T² weighs this
    loss against another one; it is left out, since there is no other here. If stage 1 is the
    teacher, from which training starts, its own distribution would teach nothing. Therefore the
    teacher's score of a relevant context is raised to at least `margin` above all irrelevant ones.

    Args:
        similarities: float (B, N), s.
        teacher: float (B, N), t, the scores of the teacher, in the unit of the similarities.
        mask: bool (B, N), at least one True in each row; None means all True.
        relevance: (B, N), above 0 for relevant contexts; None means that only the first is.
        margin: the least margin that is learnt, at least 0, in the unit of the similarities; None
            for no limit.
        temperature: T, above 0.

    Returns:
        Float (B,).
    """
    if margin is not None:
        _check_margin(margin)
    _check_temperature(temperature)
    similarities, mask, relevance = _checked(similarities, mask, relevance)
    relevant, irrelevant = mask & (relevance > 0), mask & (relevance == 0)
    teacher = teacher.to(similarities.dtype).masked_fill(~mask, 0)
    wanted = teacher
    if margin is not None:
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
    """Compare two probabilities of being ranked first, by relevance and by similarity (ListNet).

    The loss is the cross-entropy -sum over i of softmax(r/t)_i · log softmax(s/t)_i: Cao et al.
    2007, "Learning to rank: from pairwise approach to listwise approach", definition 3 and equation
    2, with the increasing function e^(x/t) on both sides.

    Args:
        similarities: float (B, N), s.
        mask: bool (B, N), at least one True in each row; None means all True.
        relevance: (B, N), r, higher is better; None means 1 for the first and 0 for the others.
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


def similarity_mse(
    similarities: Tensor,
    teacher: Tensor,
    mask: Tensor | None = None,
    relevance: Tensor | None = None,
) -> Tensor:
    """Learn all similarities of a teacher but for their mean.

    The loss is the mean over the contexts i of ((s_i - mean s) - (t_i - mean t))². This is half the
    mean over all pairs (i, j) of ((s_i - s_j) - (t_i - t_j))², so it learns the margin of any two
    contexts. Matrices of similarities are compared, and not vectors, as Tung and Mori 2019,
    "Similarity-preserving knowledge distillation", do: their widths and their axes may differ. The
    mean of a question's similarities is free, because it decides no rank.

    Args:
        similarities: float (B, N), s.
        teacher: float (B, N), t, the similarities of the teacher, in the same unit.
        mask: bool (B, N); None means all True.
        relevance: (B, N), not used: the teacher alone says what is near.

    Returns:
        Float (B,).
    """
    similarities, mask, _ = _checked(similarities, mask, relevance)
    difference = similarities - teacher.to(similarities.dtype).masked_fill(~mask, 0)
    return _mean((difference - _mean(difference, mask)[:, None]).square(), mask)


# The names are those of `variants.LOSSES`.
FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "margin": margin_ranking,
    "in-batch": infonce,
    "infonce": infonce,
    "triplet": triplet,
    "margin-mse": margin_mse,
    "distill-kl": distill_kl,
    "listnet": listnet,
    "similarity-mse": similarity_mse,
}


def _checked(
    similarities: Tensor, mask: Tensor | None, relevance: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Check the three, and fill in defaults. Masked similarities become 0, as they may be infinite.

    Raises:
        BadInputError: shapes differ.
        TypeError: one is not a tensor, or `similarities` is not of floating point.
    """
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
    """Return the mean of the values that count, (B, M) to (B,); 0 if none counts."""
    # `where` and not a product: a value that does not count may be infinite, and 0 · inf is NaN.
    total = torch.where(counted, values, 0).sum(dim=1)
    return total / counted.sum(dim=1).clamp_min(1)


def _check_margin(margin: float) -> None:
    if not (math.isfinite(margin) and margin >= 0):
        raise BadInputError(f"margin is {margin}; expected a finite number, 0 or more")


def _check_temperature(temperature: float) -> None:
    if not (math.isfinite(temperature) and temperature > 0):
        raise BadInputError(f"temperature is {temperature}; expected a finite number above 0")
