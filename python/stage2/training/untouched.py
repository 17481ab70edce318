"""The scores and vectors of the model before training, where training needs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from stage2.config import TrainingConfig
from stage2.encoding.encoder import Encoder
from stage2.encoding.ranking_lists import RankingLists
from stage2.training.documents import Documents, documents_of
from stage2.training.guide import Guide, guide_of
from stage2.training.question_batches import neighbours_of
from stage2.training.teacher import NOBODY, Teacher, teacher_of
from stage2.utils.arrays import Ints
from stage2.utils.tensors import copy_of_weights


@dataclass(frozen=True)
class Untouched:
    """The scores and vectors of the model before training; None where they are not needed.

    Attributes:
        teacher: what the loss learns from: its own scores, or those of another teacher in its unit.
        guide: its vectors of the lists' texts, for `guide_margin`.
        documents: its vectors of the lists' documents, if these are not trained.
        dev_documents: the same of the documents of dev questions.
        neighbours: int64 (n, k), the questions that it has nearest to each, for `batches`.
        weights: its weights, on the CPU.
    """

    teacher: Teacher = NOBODY
    guide: Guide | None = None
    documents: Documents | None = None
    dev_documents: Documents | None = None
    neighbours: Ints | None = None
    weights: Mapping[str, Tensor] = field(default_factory=dict)


# This is for a training that needs nothing of the model before it.
NOTHING = Untouched()


def untouched_of(
    model: Encoder, lists: RankingLists, dev: RankingLists | None, settings: TrainingConfig
) -> Untouched:
    """Compute what a training needs of the model before it.

    Args:
        model: the model, with the weights from before the training.
        lists: the lists that are trained on.
        dev: the lists of dev questions; None if there are none.
        settings: the settings of the training.

    Raises:
        BadInputError: the loss needs another teacher, or more than it says.
    """
    return Untouched(
        teacher_of(model, lists, settings),
        guide_of(model, lists, settings),
        documents_of(model, lists, settings),
        None if dev is None else documents_of(model, dev, settings),
        neighbours_of(model, lists, settings),
        copy_of_weights(model),
    )
