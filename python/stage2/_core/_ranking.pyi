"""Ranks, metrics and orders of lists of candidates."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, final

from stage2._core._types import Floats, Ints, Scores

@final
class Ranking:
    """The ranks of the best relevant candidates in n lists, and metrics.

    All numbers are exact expectations over all orders of equal scores (McSherry and Najork, ECIR
    2008). Or ties are broken as in trec_eval, and all numbers are its values.
    """

    def __len__(self) -> int: ...
    def take(self, rows: Ints) -> Ranking:
        """Return the lists at `rows`, int64 (m,), in that order.

        Raises:
            ValueError: a list does not exist.
        """
    @staticmethod
    def from_counts(
        above: Ints, equal: Ints, starts: Ints, lengths: Ints, gains: Floats | None = None
    ) -> Ranking:
        """Rank lists by counts of scores. The results are expectations over all orders of ties.

        Args:
            above: int64 (p,), for each relevant candidate, list after list, the number of
                candidates in its list with a higher score.
            equal: int64 (p,), the number of candidates with an equal score, itself included.
            starts: int64 (n + 1,), where the relevant candidates of each list start.
            lengths: int64 (n,), the number of candidates in each list.
            gains: float64 (p,), above 0, the gain of each relevant candidate; None means 1.

        Raises:
            ValueError: no scores can have such counts.
        """
    @staticmethod
    def concat(parts: Sequence[Ranking]) -> Ranking:
        """Join the lists of several rankings."""
    @property
    def rank(self) -> Floats:
        """The expected rank of the best relevant candidate, from 1: float64 (n,)."""
    @property
    def ties(self) -> Ints:
        """The number of other candidates with the score of the best relevant one: int64 (n,).

        It is 0 if ties are broken.
        """
    @property
    def reciprocal_rank(self) -> Floats:
        """The expected reciprocal rank: float64 (n,)."""
    @property
    def average_precision(self) -> Floats:
        """The expected average precision: float64 (n,)."""
    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Give a row for each list to another library by Arrow.

        The columns are `rank`, `ties`, `reciprocal_rank`, `average_precision` and `ndcg10`.
        """
    def __arrow_c_schema__(self) -> object:
        """Return a capsule with the names and types of the columns."""
    def success(self, k: int) -> Floats:
        """Return the probability that a relevant candidate is among the first k: float64 (n,)."""
    def recall(self, k: int) -> Floats:
        """Return the expected share of the relevant candidates in the first k: float64 (n,)."""
    def ndcg(self, k: int) -> Floats:
        """Return the expected nDCG at k: float64 (n,).

        The gain of a candidate is its relevance, and the discount is log2(rank + 1). The ideal
        order is that of the list's own candidates.
        """
    def metrics(
        self, topk: Iterable[int] = (1, 3, 5), recall_at: Iterable[int] = ()
    ) -> dict[str, Any]:
        """Return the means over the lists.

        Args:
            topk: the values of k for Top-k, elsewhere called Success@k.
            recall_at: the values of k for Recall@k.

        Returns:
            `top{k}` for each k of `topk`, `mrr`, `map`, `ndcg10`, `mean_rank`, `recall{k}` for
            each k of `recall_at`; `ties`, the share of lists with a tie; `num_queries`; and
            `chance`, the same metrics for a random order.
        """

def rank(
    scores: Scores,
    offsets: Ints,
    num_relevant: int | Ints | None = None,
    relevance: Floats | None = None,
    ties: Literal["expected", "trec_eval"] = "expected",
    tie_keys: Ints | None = None,
) -> Ranking:
    """Rank the relevant candidates of n lists.

    Args:
        scores: float32 (m,), finite.
        offsets: int64 (n + 1,), where each list starts.
        num_relevant: the number of relevant candidates, which stand at the start of each list:
            int64 (n,), or one number for all lists. Without it and `relevance` it is 1.
        relevance: float64 (m,), finite, from 0: the gain of each candidate, above 0 if relevant.
        ties: `expected`, all orders of equal scores are equally likely; or `trec_eval`, of equal
            scores the larger key comes first, then the larger index.
        tie_keys: int64 (m,), the keys, for `trec_eval` only.
    """

def order(scores: Scores, offsets: Ints, tie_keys: Ints | None = None) -> Ints:
    """Order each list by falling score. Ties are ordered by rising key, then by index.

    Args:
        scores: float32 (m,), finite.
        offsets: int64 (n + 1,), where each list starts.
        tie_keys: int64 (m,), the keys.

    Returns:
        Places within each list: int64 (m,).
    """

def kendall_tau(scores: Scores, offsets: Ints) -> Floats:
    """Compare the order by score of each list with its given order by Kendall's τ-b.

    Args:
        scores: float32 (m,), finite.
        offsets: int64 (n + 1,), where each list starts.

    Returns:
        float64 (n,); 0 where τ-b is not defined.
    """
