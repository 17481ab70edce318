"""`--source corpus`: each question's hardest negatives among all chunks, and its true rank."""

from __future__ import annotations

from collections.abc import Callable
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
from stage2.evaluation.ranking import TOPK
from stage2.mining.hard_negatives import MinedNegatives, Positives, Rules, mine_with
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
    """What searching the whole corpus found for n questions.

    Attributes:
        samples: the questions with their mined negatives for candidates.
        ranks: float64 (n,), of the best ground truth among the chunks that do not answer; infinity
            where it lies below `depth`.
        depth: how many chunks that are no ground truth were ranked, at least.
        counts: int64 (n,), the negatives that each question got.
        chunks: the size of the corpus.
    """

    samples: Samples
    ranks: npt.NDArray[np.float64]
    depth: int
    counts: Ints
    chunks: int

    def hard(self, topk: int) -> Ints:
        """Rows of the questions whose ground truth ranks below `topk`, with a negative to train on.

        Returns:
            int64, rising.
        """
        return np.flatnonzero((self.ranks > topk) & (self.counts > 0)).astype(np.int64)

    def summary(self, wanted: int) -> dict[str, Any]:
        """What `mining_summary.json` says of it; `wanted` is the number of negatives asked for."""
        return {
            "chunks": self.chunks,
            "depth": self.depth,
            **{f"top{k}": float((self.ranks <= k).mean()) for k in TOPK},
            "mrr_within_depth": float((1 / self.ranks).mean()),
            "short_lists": int((self.counts < wanted).sum()),
            "without_negatives": int((self.counts == 0).sum()),
        }


def mine_corpus(
    questions: Embeddings, chunks: Embeddings, dataset: Dataset, settings: MiningConfig
) -> CorpusMining:
    """Search the whole corpus for each question's negatives.

    Args:
        questions: vectors of the questions of `dataset`; see `embed_texts`.
        chunks: vectors of its chunks.
        dataset: the questions and the corpus.
        settings: negatives, the rules of mining, topk, device, memory_budget.
    """
    positives = Positives(dataset.relevant, dataset.relevant_offsets)
    rules = rules_of(settings)
    groups = dataset.first_of_text
    # Twice the top-k: with that many found, a rank that ties blur is within the top-k or not.
    depth = max(rules.end, 2 * settings.topk + 1)
    device = resolve_device(settings.device).type
    search = partial(_search(), device=device, memory_budget=settings.budget or default_budget())
    mined = mine_with(search, questions, chunks, positives, rules, dataset.qa_ids, groups, depth)
    samples = dataset.with_negatives(mined.rows, mined.offsets)
    return CorpusMining(
        samples=samples,
        ranks=ranks_within(mined, positives, groups),
        depth=min(depth, dataset.num_chunks),
        counts=mined.counts,
        chunks=dataset.num_chunks,
    )


def _search() -> Callable[..., Nearest]:
    """The search of this process alone, or of all that run the command."""
    if (world := distributed.world()) is None:
        return search_texts
    return partial(search_shared, world)


def ranks_within(
    mined: MinedNegatives, positives: Positives, groups: Ints
) -> npt.NDArray[np.float64]:
    """Expected rank of each question's best ground truth among the chunks that do not answer it.

    Scores are compared at the precision that similarities are written at.

    Returns:
        float64 (n,); infinity where the search did not reach down to the ground truth.
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
    """The rules that settings ask for."""
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
        model: on its device.
        annotations: of the entities of the texts.
        texts: n texts.
        role: of all of them.
        settings: similarity, precision, memory_budget.
        folder: where vectors beyond the budget lie; None: in memory, all of them.
        progress: called after each batch.
        cache: of the model's vectors.
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
