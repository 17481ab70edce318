"""One step of training: the gradients of the loss of some questions.

Texts are embedded in groups, without padding where possible, else with texts of similar length. By
default the graphs of all groups are kept for one backward pass; see `gradient_cache`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.amp import GradScaler

from stage2.config import TrainingConfig
from stage2.encoding.encoder import Encoder
from stage2.encoding.kernels import unpadded
from stage2.encoding.ranking_lists import RankingLists
from stage2.encoding.similarity import cross_similarity, pair_similarity, similarity
from stage2.encoding.tokens import (
    BATCH_TOKENS,
    TokenizedTexts,
    batches_by_tokens,
    on_device,
)
from stage2.encoding.vectors import Similarity, Vectors, without_entities
from stage2.training.documents import Documents
from stage2.training.gradient_cache import Groups, SharedGroups
from stage2.training.guide import Guide, not_negatives
from stage2.training.losses import FUNCTIONS
from stage2.training.matryoshka import cut
from stage2.training.teacher import NOBODY, Teacher
from stage2.training.untouched import NOTHING, Untouched
from stage2.utils import distributed
from stage2.utils.arrays import Floats, Ints
from stage2.utils.device import describe, resolve_precision
from stage2.utils.errors import BadInputError
from stage2.variants import LOSSES


@dataclass(frozen=True)
class Questions:
    """B questions of a step and the n distinct texts that they need.

    Shorter lists are padded with their first candidate, and masked. The n texts have the order in
    which they are embedded. Those with constant vectors come last.

    Attributes:
        groups: for each group the rows of its texts in the lists' tokens, int64.
        constant: the rows of the texts that are not embedded, int64.
        question: int64 (B,), the places of the questions among the n texts.
        candidate: int64 (B, N), the places of the candidates among the n texts.
        mask: bool (B, N), False for padding.
        relevance: float32 (B, N), the grade of a ground truth, or 1; 0 for a negative.
        flat: int64 (B, N), the indices in the candidates of all lists.
        same_text: int64 (n,), equal for texts that are the same.
        similarity: what the model's vectors are compared by.
    """

    groups: list[Ints]
    constant: Ints
    question: Ints
    candidate: Ints
    mask: npt.NDArray[np.bool_]
    relevance: Floats
    flat: Ints
    same_text: Ints
    similarity: Similarity = "cosine"

    @property
    def texts(self) -> Ints:
        """The rows of the n texts in the lists' tokens, in the order of embedding: int64 (n,)."""
        return np.concatenate([*self.groups, self.constant])


def accumulate_gradients(
    model: Encoder,
    lists: RankingLists,
    rows: Ints,
    settings: TrainingConfig,
    total: int,
    untouched: Untouched = NOTHING,
    scaler: GradScaler | None = None,
) -> float:
    """Add the gradient of (sum of the questions' losses) / `total` to the parameters' `.grad`.

    So a batch can be computed in parts. If `total` is the number of questions in the batch, the
    gradients of all parts add up to the gradient of the batch's mean loss.

    Args:
        model: the model, on its device, in training mode if dropout is wanted.
        lists: the lists of all questions.
        rows: int64, the rows of the questions of this part. Without rows nothing happens.
        settings: the settings `loss`, its parameters, `precision`, `micro_batch`
            and `gradient_checkpointing` are used.
        total: the number of questions in the whole batch.
        untouched: what is needed of the model before training. Documents whose vectors are known
            are constant, and not embedded.
        scaler: what multiplies the loss, and so all gradients; None multiplies by 1.

    Returns:
        The sum of the questions' losses divided by `total`.
    """
    if not len(rows):
        return 0.0
    documents = untouched.documents
    questions = gather_questions(model, lists, rows, settings, documents is not None)
    groups = _groups_of(model, lists, questions, settings)
    if (world := distributed.world()) is not None:
        groups = SharedGroups(world, groups)
    embedded = groups.embed()
    vectors = _join(embedded)
    mu, entity = (x.detach().requires_grad_() for x in (vectors.mu, vectors.entity))
    leaves = Vectors(mu, entity, vectors.has_entity, distance=vectors.distance)
    if documents is not None:
        leaves = _join([leaves, _constant(documents, questions.constant, mu.device)])
    losses = list_losses(leaves, questions, settings, untouched.teacher, untouched.guide)
    value = losses.sum() / total
    (value if scaler is None else scaler.scale(value)).backward()
    sizes = [len(group.mu) for group in embedded]
    parts = (_gradient(leaf).split(sizes) for leaf in (mu, entity))
    groups.backward(list(zip(*parts, strict=True)))
    return value.item()


def batch_loss(
    model: Encoder,
    lists: RankingLists,
    rows: Ints,
    settings: TrainingConfig,
    teacher: Teacher = NOBODY,
) -> Tensor:
    """Compute the mean loss of the questions at `rows`: a scalar with its graph."""
    questions = gather_questions(model, lists, rows, settings)
    vectors = _join(_groups_of(model, lists, questions, settings).embed())
    return list_losses(vectors, questions, settings, teacher).mean()


def gather_questions(
    model: Encoder,
    lists: RankingLists,
    rows: Ints,
    settings: TrainingConfig,
    constant_documents: bool = False,
) -> Questions:
    """Find the distinct texts that the questions at `rows` need, and put them into groups.

    With `constant_documents` only the questions themselves are put into groups.
    """
    lengths = lists.lengths[rows]
    column = np.arange(lengths.max())
    mask = column[None, :] < lengths[:, None]
    flat = lists.offsets[rows][:, None] + np.where(mask, column[None, :], 0)
    needed = np.concatenate([lists.questions[rows], lists.candidates[flat].ravel()])
    used, places = np.unique(needed, return_inverse=True)
    is_constant = constant_documents & ~lists.tokens.is_query[used]
    embedded, constant = np.flatnonzero(~is_constant), np.flatnonzero(is_constant)

    token_counts = np.fromiter(
        (len(lists.tokens.ids[row]) for row in used[embedded]), np.int64, len(embedded)
    )
    padded = not unpadded.by_runs(model)
    most = BATCH_TOKENS[model.device.type] if padded else unpadded.GROUP_TOKENS
    if model.device.type == "cuda" and (world := distributed.world()) is not None:
        most = share_of_tokens(token_counts, most, world.size)
    batches = batches_by_tokens(token_counts, settings.micro_batch or most, padded)
    groups = [used[embedded[batch]] for batch in batches]
    texts = np.concatenate([*groups, used[constant]])
    placed_at = np.empty(len(used), np.int64)
    placed_at[np.searchsorted(used, texts)] = np.arange(len(used))
    question, candidate = np.split(placed_at[places], [len(rows)])
    relevance = column[None, :] < lists.num_relevant[rows][:, None]
    if lists.grades is not None:
        relevance = np.where(mask, lists.grades[flat], 0)
    return Questions(
        groups=groups,
        constant=used[constant],
        question=question,
        candidate=candidate.reshape(flat.shape),
        mask=mask,
        relevance=relevance.astype(np.float32),
        flat=flat,
        same_text=np.unique(lists.tokens.same_text[texts], return_inverse=True)[1],
        similarity=model.similarity,
    )


def share_of_tokens(lengths: Ints, most: int, gpus: int) -> int:
    """Return the largest number of tokens in a group with which every GPU gets a group.

    Args:
        lengths: int64 (n,), the number of tokens in each text of a step.
        most: the largest number of tokens that a GPU should take at once.
        gpus: the number of GPUs that share the step.
    """
    if gpus == 1:
        return most
    return min(most, max(int(lengths.max()), -(-int(lengths.sum()) // gpus)))


def list_losses(
    vectors: Vectors[Tensor],
    questions: Questions,
    settings: TrainingConfig,
    teacher: Teacher = NOBODY,
    guide: Guide | None = None,
) -> Tensor:
    """Compute the loss of each question, with the similarity that evaluation uses.

    With `matryoshka` it is the mean of the losses at several widths.

    Args:
        vectors: the vectors of n texts.
        questions: B questions and their places among the texts.
        settings: the settings `loss` and its parameters are used.
        teacher: what losses with a teacher learn from.
        guide: the vectors of the lists' texts before training, for `guide_margin`.

    Returns:
        float32 (B,).

    Raises:
        BadInputError: the loss needs a teacher, and there is none.
    """
    if not settings.widths:
        return _list_losses(vectors, questions, settings, teacher, guide)
    unit_length = questions.similarity == "cosine"
    found = [
        _list_losses(cut(vectors, width, unit_length), questions, settings, teacher, guide)
        for width in settings.widths
    ]
    return torch.stack(found).mean(dim=0)


def _list_losses(
    vectors: Vectors[Tensor],
    questions: Questions,
    settings: TrainingConfig,
    teacher: Teacher,
    guide: Guide | None,
) -> Tensor:
    """Compute the loss of each question at the full width of the vectors, float32 (B,)."""
    device = vectors.mu.device
    question, candidate = (
        on_device(questions.question, device),
        on_device(questions.candidate, device),
    )
    mask, relevance = on_device(questions.mask, device), on_device(questions.relevance, device)
    kind, function = LOSSES[settings.loss], FUNCTIONS[settings.loss]
    parameters = {name: getattr(settings, name) for name in kind.settings}
    if kind.teacher is not None:
        parameters["teacher"] = on_device(_taught(teacher, questions, settings), device)
        if settings.teacher is not None:
            parameters |= dict.fromkeys(kind.untouched)
    if kind.negatives == "list":
        similarities = pair_similarity(vectors.at(question[:, None]), vectors.at(candidate))
    else:
        among = candidate[relevance > 0] if kind.negatives == "batch" else candidate
        similarities = cross_similarity(vectors.at(question), vectors)
        same_text = on_device(questions.same_text, device)
        relevance = _in_batch_relevance(candidate, relevance, same_text)
        mask = _among(among, len(vectors.mu)).expand(len(question), -1)
        if guide is not None and settings.guide_margin is not None:
            texts = questions.texts
            answers = not_negatives(
                guide, texts[questions.question], texts, relevance.cpu().numpy(),
                settings.guide_margin,
            )  # fmt: skip
            mask = mask & ~on_device(answers, device)
    return function(similarities, mask=mask, relevance=relevance, **parameters)


def _taught(
    teacher: Teacher, questions: Questions, settings: TrainingConfig
) -> npt.NDArray[np.float32]:
    """Return what the loss learns: float32 (B, N), or (B, n) where it compares all n texts."""
    if LOSSES[settings.loss].teacher == "scores" and teacher.scores is not None:
        return teacher.scores[questions.flat]
    if LOSSES[settings.loss].teacher == "vectors" and teacher.vectors is not None:
        vectors = without_entities(teacher.vectors[questions.texts])
        return similarity(vectors.at(questions.question), vectors)
    raise BadInputError(f"the loss {settings.loss} needs a teacher")


def _among(contexts: Tensor, texts: int) -> Tensor:
    """Mark which of n texts are among these contexts: bool (n,)."""
    among = torch.zeros(texts, dtype=torch.bool, device=contexts.device)
    among[contexts.flatten()] = True
    return among


def _in_batch_relevance(candidate: Tensor, relevance: Tensor, same_text: Tensor) -> Tensor:
    """Return the relevance of each of n texts to each question: float32 (B, n).

    It is above 0 for a question's ground truths and for texts that are the same, in any list.
    """
    kinds = int(same_text.max()) + 1
    found = torch.zeros(len(candidate), kinds, dtype=relevance.dtype, device=candidate.device)
    return found.scatter_reduce(1, same_text[candidate], relevance, "amax")[:, same_text]


def _groups_of(
    model: Encoder, lists: RankingLists, questions: Questions, settings: TrainingConfig
) -> Groups:
    tokens = lists.tokens
    texts = [TokenizedTexts.take(tokens, rows) for rows in questions.groups]
    seeds = torch.randint(2**63 - 1, (len(texts),)).tolist()
    precision = describe(resolve_precision(settings.precision, model.device))
    cached = settings.gradient_checkpointing or settings.micro_batch is not None
    return Groups(model, texts, seeds, precision, cached)


def _join(groups: list[Vectors[Tensor]]) -> Vectors[Tensor]:
    return Vectors(
        torch.cat([group.mu for group in groups]),
        torch.cat([group.entity for group in groups]),
        torch.cat([group.has_entity for group in groups]),
        distance=groups[0].distance,
    )


def _constant(documents: Documents, rows: Ints, device: torch.device) -> Vectors[Tensor]:
    """Return the vectors of some documents as tensors without a gradient."""
    found = documents.at(rows)
    parts = (found.mu, found.entity, found.has_entity)
    return Vectors(*(on_device(part, device) for part in parts), distance=found.distance)


def _gradient(leaf: Tensor) -> Tensor:
    return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
