"""Mining the whole corpus: each question's hardest negatives, and its rank among all chunks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
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
from stage2.mining.deeper import mine_until_enough
from stage2.mining.hard_negatives import MinedNegatives, Positives, Rules
from stage2.mining.held_out import MineAmong, mine_by_side
from stage2.mining.search import Nearest, search_texts
from stage2.mining.search_distributed import search_shared
from stage2.mining.second_source import (
    Beside,
    Negatives,
    SecondSource,
    first_rules,
    from_model,
    joined,
    shares,
    source_rows,
)
from stage2.utils import distributed
from stage2.utils.arrays import Ints, Mask
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
        sources: a row for each question, see `second_source.source_rows`; None if the negatives
            are of one source.
    """

    samples: Samples
    ranks: npt.NDArray[np.float64]
    depth: int
    counts: Ints
    chunks: int
    sources: Sequence[Mapping[str, Any]] | None = None

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


@dataclass(frozen=True)
class Problem:
    """The questions and chunks that are mined: n questions over N chunks.

    Attributes:
        questions: the vectors of the questions.
        chunks: the vectors of the chunks.
        positives: the ground truths of the questions, as places of chunks.
        groups: int64 (N,), equal for chunks with the same text.
        keys: the ids of the questions.
    """

    questions: Vectors[Any]
    chunks: Vectors[Any]
    positives: Positives
    groups: Ints
    keys: Sequence[str]

    def among(self, settings: MiningConfig, rules: Rules) -> MineAmong:
        """Return what mines some of the questions among some of the chunks, by their vectors."""
        search = _search(settings)

        def mine(rows: Ints, allowed: Ints, own: Positives) -> MinedNegatives:
            ids = [self.keys[row] for row in rows]
            vectors = self.questions.at(rows), self.chunks.at(allowed)
            return mine_until_enough(search, *vectors, own, rules, ids, self.groups[allowed])

        return mine

    def with_second(
        self,
        first: Negatives,
        settings: MiningConfig,
        second: SecondSource | None,
        mine: Callable[[MineAmong], tuple[Ints, Ints]],
    ) -> Negatives:
        """Add the negatives of a second source to those of the model; None adds none.

        Args:
            first: the negatives of the model, by `second_source.first_rules`.
            settings: the settings `negatives`, `second_share` and the rules of mining are used.
            second: the second source.
            mine: a function that mines all questions by a function that mines some among some
                chunks. It returns chunks, and where those of each question start.
        """
        if second is None:
            return first
        own, more = shares(settings.negatives, settings.second_share)
        if not own:
            none = np.empty(0, np.int64)
            first = from_model(none, np.zeros(len(self.keys) + 1, np.int64))
        rules = replace(rules_of(settings), negatives=more)
        vectors = self.questions, self.chunks
        beside = Beside(second, *vectors, self.groups, self.keys, rules, first.of_questions)
        rows, offsets = mine(beside.among)
        added = Negatives(rows, offsets, np.ones(len(rows), np.bool_))
        return joined(*vectors, (first, added))


def mine_corpus(
    questions: Vectors[Any],
    chunks: Vectors[Any],
    dataset: Dataset,
    settings: MiningConfig,
    sides: Sequence[Ints] = (),
    second: SecondSource | None = None,
) -> CorpusMining:
    """Search the whole corpus for each question's negatives.

    Args:
        questions: the vectors of the questions of `dataset`; see `embed_texts`.
        chunks: the vectors of its chunks.
        dataset: the questions and the corpus.
        settings: the settings `negatives`, `topk`, `device`, `memory_budget`, `second_share` and
            the rules of mining are used.
        sides: the rows of the questions of each side of a split, the training side first. Those of
            a side have no negative that answers questions of later sides alone; see
            `mining.held_out`. Ranks are among all chunks all the same.
        second: another system that gives `second_share` of the negatives, or None.
    """
    positives = Positives(dataset.relevant, dataset.relevant_offsets)
    groups = dataset.first_of_text
    problem = Problem(questions, chunks, positives, groups, dataset.qa_ids)
    rules = first_rules(rules_of(settings), None if second is None else settings.second_share)
    # Ties make a rank uncertain. Twice the top-k are enough to decide whether it is in the top-k.
    depth = max(rules.end, 2 * settings.topk + 1)
    mined = mine_until_enough(
        _search(settings), questions, chunks, positives, rules, dataset.qa_ids, groups, depth
    )
    among = problem.among(settings, rules)
    first = from_model(*mine_by_side(among, positives, groups, sides, mined))

    def by_side(among: MineAmong) -> tuple[Ints, Ints]:
        everyone, everything = np.arange(len(dataset.qa_ids)), np.arange(dataset.num_chunks)
        everywhere = among(everyone, everything, positives)
        return mine_by_side(among, positives, groups, sides, everywhere)

    found = problem.with_second(first, settings, second, by_side)
    return CorpusMining(
        samples=dataset.with_negatives(found.rows, found.offsets),
        ranks=ranks_within(mined, positives, groups),
        depth=min(depth, dataset.num_chunks),
        counts=np.diff(found.offsets),
        chunks=dataset.num_chunks,
        sources=None
        if second is None
        else source_rows(dataset.qa_ids, found, dataset.chunk_ids, second),
    )


def mine_without(
    problem: Problem, settings: MiningConfig, closed: Mask, second: SecondSource | None = None
) -> Negatives:
    """Mine all questions among the chunks that are not closed to them.

    Args:
        problem: the questions and the chunks.
        settings: as in `mine_corpus`.
        closed: bool (N,), the chunks that are never negatives. None is a ground truth of these
            questions.
        second: as in `mine_corpus`.
    """
    allowed = np.flatnonzero(~closed).astype(np.int64)
    everyone = np.arange(len(problem.keys))
    places = np.searchsorted(allowed, problem.positives.rows).astype(np.int64)
    own = Positives(places, np.asarray(problem.positives.offsets, np.int64))

    def mine(among: MineAmong) -> tuple[Ints, Ints]:
        found = among(everyone, allowed, own)
        return allowed[found.rows], found.offsets

    rules = first_rules(rules_of(settings), None if second is None else settings.second_share)
    first = from_model(*mine(problem.among(settings, rules)))
    return problem.with_second(first, settings, second, mine)


def _search(settings: MiningConfig) -> Callable[..., Nearest]:
    """Return the search of this process, or the search that all processes of the command share."""
    world = distributed.world()
    search = search_texts if world is None else partial(search_shared, world)
    device = resolve_device(settings.device).type
    return partial(search, device=device, memory_budget=settings.budget or default_budget())


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
