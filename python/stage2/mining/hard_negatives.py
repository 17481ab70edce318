"""Hard negatives: the rows of a corpus that are most similar to a question but do not answer it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from stage2._core import select_negatives, table
from stage2.config import CandidatesConfig, MiningRules, RunConfig, Sampling
from stage2.encoding.vectors import Vectors, without_entities
from stage2.mining.search import Nearest, search_texts, similarities
from stage2.utils.arrays import Floats, Ints, floats, ints, whole
from stage2.utils.errors import BadInputError

# If a filter can leave rows out, so many ranks are considered for each wanted negative.
_RANKS_PER_NEGATIVE = 10


@dataclass(frozen=True)
class Rules:
    """The rules by which a question's nearest rows become its negatives.

    A positive is never a negative, nor is a row with the same text as a positive. The other rows
    have raw ranks from 0, by falling score.

    Attributes:
        negatives: the largest number of negatives for each question.
        range_min: the first raw rank that is considered.
        range_max: the raw rank after the last one that is considered. None considers `negatives`
            ranks, or ten times as many if a filter is set or negatives are drawn.
        absolute_margin: a negative's score is at most that of the lowest positive minus this.
        relative_margin: a negative's score is at most that of the lowest positive, s, minus this
            share of |s|.
        max_score: a negative's score is at most this.
        min_score: a negative's score is at least this.
        sampling: `top` takes the rows with the largest scores, `random` draws rows.
        seed: the seed of the draw. The draw depends on the seed and the question's key only.
    """

    negatives: int = CandidatesConfig.negatives
    range_min: int = MiningRules.range_min
    range_max: int | None = MiningRules.range_max
    absolute_margin: float | None = MiningRules.absolute_margin
    relative_margin: float | None = MiningRules.relative_margin
    max_score: float | None = MiningRules.max_score
    min_score: float | None = MiningRules.min_score
    sampling: Sampling = MiningRules.sampling
    seed: int = RunConfig.seed

    @property
    def filters(self) -> bool:
        """Whether rows are left out by their scores."""
        limits = (self.absolute_margin, self.relative_margin, self.max_score, self.min_score)
        return any(limit is not None for limit in limits)

    @property
    def end(self) -> int:
        """The raw rank after the last one that is considered."""
        if self.range_max is not None:
            return self.range_max
        some_left_out = self.sampling == "random" or self.filters
        ranks = self.negatives * (_RANKS_PER_NEGATIVE if some_left_out else 1)
        return self.range_min + ranks

    def within(self, size: int) -> dict[str, Any]:
        """Return the rules as the core takes them, for a corpus of `size` rows.

        The core needs numbers of at most that size. Larger ones mean the same.
        """
        return {
            "negatives": min(self.negatives, size),
            "range_min": min(self.range_min, size),
            "range_max": min(self.end, size),
            "absolute_margin": self.absolute_margin,
            "relative_margin": self.relative_margin,
            "max_score": self.max_score,
            "min_score": self.min_score,
            "seed": self.seed if self.sampling == "random" else None,
        }

    def check(self) -> None:
        """Check the rules.

        Raises:
            BadInputError: a rule is not valid, or the rules allow no row.
        """
        try:
            whole("negatives", self.negatives, low=1)
            whole("range_min", self.range_min)
            whole("range_max", 1 if self.range_max is None else self.range_max)
            whole("seed", self.seed, high=2**64 - 1)
        except ValueError as error:
            raise BadInputError(str(error)) from None
        for name in ("absolute_margin", "relative_margin", "max_score", "min_score"):
            _check_number(name, getattr(self, name))
        if self.relative_margin is not None and self.relative_margin < 0:
            raise BadInputError(f"relative_margin is {self.relative_margin}; expected 0 or more")
        if (
            self.min_score is not None
            and self.max_score is not None
            and self.min_score > self.max_score
        ):
            raise BadInputError(
                f"min_score is {self.min_score} and max_score {self.max_score}; expected the "
                "first to be no larger: no score lies between"
            )
        if self.end <= self.range_min:
            raise BadInputError(
                f"the window of ranks is from {self.range_min} to before {self.end}; expected "
                "--range-min from 0, and --range-max above it"
            )
        if self.sampling not in ("top", "random"):
            raise BadInputError(f"sampling is {self.sampling!r}; expected top or random")


@dataclass(frozen=True)
class Positives:
    """The ground truths of n questions, as rows of a corpus.

    Attributes:
        rows: int64 (p,); those of question i are `rows[offsets[i]:offsets[i + 1]]`.
        offsets: int64 (n + 1,). Both arrays may have another integer type.
    """

    rows: Ints
    offsets: Ints

    def of(self, questions: Ints) -> Positives:
        """Return the ground truths of some of the questions, of at least one."""
        own = [self.rows[self.offsets[i] : self.offsets[i + 1]] for i in questions]
        offsets = np.concatenate([[0], np.cumsum([len(rows) for rows in own])])
        return Positives(np.concatenate(own), offsets.astype(np.int64))


@dataclass(frozen=True)
class MinedNegatives:
    """The hard negatives of n questions.

    Attributes:
        rows: int64 (m,), rows of the corpus, by falling score for each question.
        scores: float32 (m,), the scores of `rows`.
        offsets: int64 (n + 1,), where the rows of each question start.
        positive_scores: float32 (p,), the scores of the positives.
        nearest: all rows that the search found, positives included.
    """

    rows: Ints
    scores: Floats
    offsets: Ints
    positive_scores: Floats
    nearest: Nearest

    @property
    def counts(self) -> Ints:
        """The number of negatives of each question: int64 (n,)."""
        return np.diff(self.offsets)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Give `rows` and `scores` to another library by Arrow, a list for each question."""
        made = table({"rows": (self.offsets, self.rows), "scores": (self.offsets, self.scores)})
        return made.__arrow_c_stream__(requested_schema)


def mine_negatives(
    queries: Vectors[Any] | npt.ArrayLike,
    corpus: Vectors[Any] | npt.ArrayLike,
    positives: Positives,
    rules: Rules | None = None,
    *,
    keys: Sequence[str] | None = None,
    groups: Ints | None = None,
    device: str = "cpu",
    memory_budget: int | None = None,
) -> MinedNegatives:
    """Find each question's hard negatives in a corpus by exact search.

    This differs from `mine_hard_negatives` of sentence-transformers: ranks count only rows that are
    not positives; a margin is kept from every positive of a question; a relative margin also lowers
    the limit if the positive's score is negative; the draw has a seed; rows with the same text as a
    positive are left out.

    Args:
        queries: the embeddings of n questions, or float32 (n, d). An array is compared as the
            embeddings beside it are, and two arrays by their inner products.
        corpus: the embeddings of N texts, or float32 (N, d).
        positives: each question's ground truths.
        rules: the rules of selection; None means `Rules()`.
        keys: n ids of the questions, for the draw; None means their numbers.
        groups: int64 (N,), equal for rows with the same text; None means that all texts differ.
        device: `cpu` or a CUDA device. The result is the same.
        memory_budget: bytes that the search may use besides the vectors; None means a quarter of
            the memory.

    Raises:
        BadInputError: a rule is not valid, or the rules allow no row.
        ValueError: a vector contains NaN or infinity, or the arrays do not fit each other.
    """
    search = partial(search_texts, device=device, memory_budget=memory_budget)
    return mine_with(search, queries, corpus, positives, rules or Rules(), keys, groups)


def mine_with(
    search: Callable[[Vectors[Any], Vectors[Any], int], Nearest],
    queries: Vectors[Any] | npt.ArrayLike,
    corpus: Vectors[Any] | npt.ArrayLike,
    positives: Positives,
    rules: Rules,
    keys: Sequence[str] | None = None,
    groups: Ints | None = None,
    depth: int = 0,
) -> MinedNegatives:
    """Find hard negatives as `mine_negatives` does, with a search that the caller provides.

    Args:
        search: a function that finds the k nearest rows of the corpus for each question, as
            `search_texts` does.
        queries: the embeddings of n questions, or float32 (n, d).
        corpus: the embeddings of N texts, or float32 (N, d).
        positives: each question's ground truths.
        rules: the rules of selection.
        keys: n ids of the questions, for the draw; None means their numbers.
        groups: int64 (N,), equal for rows with the same text; None means that all texts differ.
        depth: the search finds at least so many rows that are not positives.

    Raises:
        BadInputError: a rule is not valid, or the rules allow no row.
        ValueError: a vector contains NaN or infinity, or the arrays do not fit each other.
    """
    rules.check()
    left, right = _vectors("queries", queries), _vectors("corpus", corpus)
    # An array says nothing of how it is compared.
    if not isinstance(queries, Vectors):
        left = replace(left, distance=right.distance)
    if not isinstance(corpus, Vectors):
        right = replace(right, distance=left.distance)
    size = len(right.mu)
    names = [str(i) for i in range(len(left.mu))] if keys is None else list(keys)
    if len(names) != len(left.mu):
        raise ValueError(f"{len(names)} keys for {len(left.mu)} questions; expected one for each")
    positives = _checked(positives, len(left.mu), size)
    groups = None if groups is None else ints("groups", groups)
    if groups is not None and groups.shape != (size,):
        raise ValueError(
            f"groups: an array of shape {groups.shape}; expected one for each of {size} rows"
        )
    excluded = _excluded(positives, groups)
    wanted = max(rules.end, whole("depth", depth))
    k = min(size, wanted + int(excluded.max(initial=0)))
    nearest = search(left, right, k)
    scores = similarities(left, right, positives.rows, positives.offsets)
    chosen = select_negatives(
        (nearest.rows, nearest.scores),
        (positives.rows, scores, positives.offsets),
        groups,
        names,
        rules.within(size),
    )
    return MinedNegatives(*chosen, scores, nearest)


def _check_number(name: str, value: Any) -> None:
    """Refuse a value that is not a finite float32, the type of scores. None means no rule."""
    if value is None:
        return
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number)):
        raise BadInputError(f"{name} is {value!r}; expected a number or None")
    # The value is not converted by numpy, which would warn about one that is too large.
    if not abs(float(value)) <= float(np.finfo(np.float32).max):
        raise BadInputError(f"{name} is {value}; expected a finite number of float32")


def _vectors(name: str, given: Vectors[Any] | npt.ArrayLike) -> Vectors[Any]:
    if isinstance(given, Vectors):
        return given
    vectors = floats(name, given)
    if vectors.ndim != 2:
        raise ValueError(f"{name}: an array of shape {vectors.shape}; expected (n, d)")
    return without_entities(vectors)


def _checked(positives: Positives, questions: int, size: int) -> Positives:
    """Convert positives to the core's types, and check that they fit questions and corpus."""
    rows, offsets = (
        ints("positives.rows", positives.rows),
        ints("positives.offsets", positives.offsets),
    )
    if rows.ndim != 1 or offsets.shape != (questions + 1,):
        raise ValueError(
            f"positives: rows of shape {rows.shape} and offsets of shape {offsets.shape}; expected "
            f"(p,) and ({questions + 1},), one more than there are questions"
        )
    if rows.size and not (rows.min() >= 0 and rows.max() < size):
        raise ValueError(
            f"positives: rows from {rows.min()} to {rows.max()}; expected from 0 to {size - 1}"
        )
    if offsets[0] != 0 or offsets[-1] != len(rows) or (np.diff(offsets) < 0).any():
        raise ValueError(
            f"positives: the offsets do not cut up the rows; expected rising numbers from 0 to "
            f"{len(rows)}"
        )
    return Positives(rows, offsets)


def _excluded(positives: Positives, groups: Ints | None) -> Ints:
    """Return an upper bound of the rows that cannot be negatives of each question: int64 (n,)."""
    if groups is None:
        return np.diff(positives.offsets)
    _, group, counts = np.unique(groups, return_inverse=True, return_counts=True)
    sizes = counts[group.reshape(-1)[positives.rows]]
    return np.diff(np.concatenate([[0], np.cumsum(sizes)])[positives.offsets])
