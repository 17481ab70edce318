"""The choice of the questions that share an update: at random, or similar ones together.

If the ground truths of a batch are its negatives, the batch decides how hard these are. Those of
questions drawn at random are easy to tell apart. Those of similar questions are hard negatives that
cost nothing, since no text is added to the batch (Xiong et al. 2021, "Approximate nearest neighbor
negative contrastive learning for dense text retrieval", have the argument for hard negatives).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stage2.config import TrainingConfig
from stage2.encoding.encode import encode_tokens
from stage2.encoding.encoder import Encoder
from stage2.encoding.ranking_lists import RankingLists
from stage2.mining.search import topk
from stage2.utils.arrays import Ints
from stage2.variants import LOSSES

# The largest number of similar questions that go into a batch together. A batch has several such
# groups, so that most of its negatives are still drawn at random.
GROUP = 8

# In so many nearest questions a group looks for members that are not in another group yet.
_NEAREST = 64


def neighbours_of(model: Encoder, lists: RankingLists, settings: TrainingConfig) -> Ints | None:
    """Find the questions nearest to each question, by the model as it is before training.

    Args:
        model: the model.
        lists: n questions.
        settings: the settings `batches`, `loss` and `precision` are used.

    Returns:
        Rows of `lists`, int64 (n, k), the nearest first; None if batches are drawn at random, as
        they are wherever the negatives of a question are its own.
    """
    if settings.batches != "similar" or LOSSES[settings.loss].negatives == "list":
        return None
    texts, rows = np.unique(lists.questions, return_inverse=True)
    found = encode_tokens(model, lists.tokens.take(texts), precision=settings.precision)
    vectors = np.asarray(found.mu, np.float32)[rows]
    k = min(_NEAREST, len(vectors))
    return topk(vectors, vectors, k, distance=model.distance)[0]


def question_batches(
    lists: RankingLists,
    settings: TrainingConfig,
    epoch: int,
    updates: int,
    neighbours: Ints | None = None,
) -> list[Ints]:
    """Return the questions of each update of an epoch. The seed and the epoch decide the order.

    If the ground truths of a batch are its negatives, questions with the same ground truth go to
    different batches where possible, or into different groups of similar questions. In one batch
    they have fewer negatives.

    Args:
        lists: n questions.
        settings: the settings `seed`, `batch_size`, `accumulate` and `loss` are used.
        epoch: the number of the epoch.
        updates: the number of updates in an epoch.
        neighbours: int64 (n, k), the rows nearest to each; None for batches at random.
    """
    random = np.random.default_rng([settings.seed, epoch])
    order = random.permutation(len(lists))
    if neighbours is not None:
        groups = similar_groups(order, neighbours, lists.first_ground_truths)
        mixed = np.concatenate([groups[place] for place in random.permutation(len(groups))])
        return np.array_split(mixed, updates)
    if LOSSES[settings.loss].negatives != "batch":
        questions = settings.batch_size * settings.accumulate
        return np.split(order, range(questions, len(order), questions))
    chunks = lists.first_ground_truths[order]
    dealt = order[np.lexsort((random.permutation(chunks.max() + 1)[chunks],))]
    return [dealt[number::updates] for number in range(updates)]


def similar_groups(order: Ints, neighbours: Ints, ground_truths: Ints) -> list[Ints]:
    """Put each question into a group with the nearest that are left, of other ground truths.

    Args:
        order: int64 (n,), the order in which questions begin a group.
        neighbours: int64 (n, k), the rows nearest to each, the nearest first.
        ground_truths: int64 (n,), the first ground truth of each.

    Returns:
        Rows; each question is in one group. A group has at most `GROUP`.
    """
    left: npt.NDArray[np.bool_] = np.ones(len(order), bool)
    groups = []
    for first in order.tolist():
        if not left[first]:
            continue
        left[first] = False
        group, answered = [first], {ground_truths[first]}
        for row in neighbours[first][left[neighbours[first]]].tolist():
            if len(group) == GROUP:
                break
            if ground_truths[row] not in answered:
                answered.add(ground_truths[row])
                left[row] = False
                group.append(row)
        groups.append(np.asarray(group, np.int64))
    return groups
