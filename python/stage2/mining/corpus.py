"""Mining the whole corpus: each question's hardest negatives, and its rank among all chunks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stage2._core import TextColumn
from stage2.config import MiningConfig
from stage2.data.dataset import Annotations, Dataset, Samples
from stage2.encoding.cache import EmbeddingCache
from stage2.encoding.embeddings import Embeddings
from stage2.encoding.encode import encode_windows
from stage2.encoding.encoder import Encoder, LazyModel
from stage2.encoding.similarity import DECIMALS
from stage2.encoding.tokens import Role, Texts
from stage2.encoding.vectors import Vectors
from stage2.evaluation.ranking import TOPK
from stage2.mining.hard_negatives import MinedNegatives, Positives, Rules, mine_with
from stage2.mining.held_out import mine_by_side
from stage2.mining.search import Nearest, search_texts
from stage2.mining.search_distributed import search_shared
from stage2.utils import distributed
from stage2.utils.arrays import Ints
from stage2.utils.device import resolve_device
from stage2.utils.memory import default_budget
from stage2.utils.progress import Progress

_FLOAT_BYTES = 4


@dataclass(frozen=True)
class CorpusMining:
    """The result of a search of the whole corpus for n questions.

    Attributes:
        samples: the questions with their ground truths and their mined negatives.
        ranks: float64 (n,), the rank of each question's best ground truth among the chunks that do
            not answer it; infinity if the search did not reach it.
        depth: for each question at least so many chunks that are not ground truths were ranked.
        counts: int64 (n,), the number of negatives of each question.
        chunks: the size of the corpus.
    """

    samples: Samples
    ranks: npt.NDArray[np.float64]
    depth: int
    counts: Ints
    chunks: int

    def hard(self, topk: int) -> Ints:
        """Select the hard questions: the ground truth ranks below `topk`, and there is a negative.

        Returns:
            Rows, int64, rising.
        """
        return np.flatnonzero((self.ranks > topk) & (self.counts > 0)).astype(np.int64)

    def summary(self, wanted: int) -> dict[str, Any]:
        """Return the facts for `mining_summary.json`.

        Args:
            wanted: the number of negatives that each question should have.
        """
        return {
            "chunks": self.chunks,
            "depth": self.depth,
            **{f"top{k}": float((self.ranks <= k).mean()) for k in TOPK},
            "mrr_within_depth": float((1 / self.ranks).mean()),
            "short_lists": int((self.counts < wanted).sum()),
            "without_negatives": int((self.counts == 0).sum()),
        }


def mine_corpus(
    questions: Vectors[Any],
    chunks: Vectors[Any],
    dataset: Dataset,
    settings: MiningConfig,
    sides: Sequence[Ints] = (),
) -> CorpusMining:
    """Search the whole corpus for each question's negatives.

    Args:
        questions: the vectors of the questions of `dataset`; see `embed_texts`.
        chunks: the vectors of its chunks.
        dataset: the questions and the corpus.
        settings: the settings `negatives`, `topk`, `device`, `memory_budget` and the rules of
            mining are used.
        sides: the rows of the questions of each side of a split, the training side first. Those of
            a side have no negative that answers questions of later sides alone; see
            `mining.held_out`. Ranks are among all chunks all the same.
    """
    positives = Positives(dataset.relevant, dataset.relevant_offsets)
    rules = rules_of(settings)
    groups = dataset.first_of_text
    # Ties make a rank uncertain. Twice the top-k are enough to decide whether it is in the top-k.
    depth = max(rules.end, 2 * settings.topk + 1)
    device = resolve_device(settings.device).type
    search = partial(_search(), device=device, memory_budget=settings.budget or default_budget())
    mined = mine_with(search, questions, chunks, positives, rules, dataset.qa_ids, groups, depth)

    def among(rows: Ints, allowed: Ints, own: Positives) -> MinedNegatives:
        ids = [dataset.qa_ids[row] for row in rows]
        vectors = questions.at(rows), chunks.at(allowed)
        return mine_with(search, *vectors, own, rules, ids, groups[allowed])

    rows, offsets = mine_by_side(among, positives, groups, sides, mined)
    return CorpusMining(
        samples=dataset.with_negatives(rows, offsets),
        ranks=ranks_within(mined, positives, groups),
        depth=min(depth, dataset.num_chunks),
        counts=np.diff(offsets),
        chunks=dataset.num_chunks,
    )


def _search() -> Callable[..., Nearest]:
    """Return the search of this process, or the search that all processes of the command share."""
    if (world := distributed.world()) is None:
        return search_texts
    return partial(search_shared, world)


def ranks_within(
    mined: MinedNegatives, positives: Positives, groups: Ints
) -> npt.NDArray[np.float64]:
    """Compute the expected rank of each question's best ground truth among the other chunks.

    Chunks that answer the question do not count. Scores are rounded as similarities in files are,
    and then compared.

    Args:
        mined: the result of the search for n questions.
        positives: the ground truths of the questions.
        groups: int64 (N,), equal for chunks with the same text.

    Returns:
        float64 (n,); infinity if the search did not reach the ground truth.
    """
    found = np.round(mined.nearest.scores.astype(np.float64), DECIMALS)
    own_scores = np.round(mined.positive_scores.astype(np.float64), DECIMALS)
    searched_all = found.shape[1] == len(groups)
    ranks = np.empty(len(found))
    for i, (rows, scores) in enumerate(zip(mined.nearest.rows, found, strict=True)):
        own = slice(positives.offsets[i], positives.offsets[i + 1])
        best = own_scores[own].max()
        others = scores[~np.isin(groups[rows], groups[positives.rows[own]])]
        above, tied = int((others > best).sum()), int((others == best).sum())
        alike = int((own_scores[own] == best).sum())
        reached = searched_all or scores[-1] < best
        ranks[i] = above + (tied + alike + 1) / (alike + 1) if reached else np.inf
    return ranks


def rules_of(settings: MiningConfig) -> Rules:
    """Return the rules of mining that the settings describe."""
    return Rules(**{item.name: getattr(settings, item.name) for item in fields(Rules)})


def embed_texts(
    model: Encoder | LazyModel,
    annotations: Annotations | None,
    texts: TextColumn,
    role: Role,
    settings: MiningConfig,
    folder: Path | None = None,
    progress: Progress | None = None,
    cache: EmbeddingCache | None = None,
) -> Embeddings:
    """Embed the questions or the chunks of a data set.

    Args:
        model: the model, on its device.
        annotations: the entity annotations, or None.
        texts: n texts.
        role: the role of all texts.
        settings: the settings `similarity`, `precision` and `memory_budget` are used.
        folder: the folder for a file of the vectors if they exceed the budget; None keeps them in
            memory.
        progress: called after each batch.
        cache: the cache of the model's vectors, or None.
    """
    spans, offsets = np.empty((0, 2), np.int64), np.zeros(len(texts) + 1, np.int64)
    if annotations is not None and settings.similarity != "sentence":
        spans, offsets = annotations.spans_for(texts)

    def read(rows: Ints) -> Texts:
        targets = [spans[offsets[i] : offsets[i + 1]] for i in rows]
        return Texts(texts.take(rows), targets, [role] * len(rows))

    vectors = 2 * len(texts) * model.embedding_dim * _FLOAT_BYTES
    beyond = vectors > (settings.budget or default_budget())
    return encode_windows(
        model, len(texts), read,
        precision=settings.precision, progress=progress, folder=folder if beyond else None,
        cache=cache,
    )  # fmt: skip
