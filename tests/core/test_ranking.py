from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import stage2
from stage2._core import Ranking, kendall_tau, order, rank
from tests import reference

# Scores have few values, so most lists have ties. A list of seven has at most 5,040 orders.
SCORES = st.sampled_from([-1.5, -0.0, 0.0, 0.25, 2.0, 1e-45])
GAINS = st.sampled_from([0.0, 0.0, 1.0, 2.0, 2.5])


@st.composite
def ranked_lists(draw: st.DrawFn) -> tuple[list[list[float]], list[int]]:
    lists = draw(st.lists(st.lists(SCORES, min_size=1, max_size=7), min_size=1, max_size=3))
    return lists, [draw(st.integers(1, len(scores))) for scores in lists]


@st.composite
def graded_lists(draw: st.DrawFn) -> tuple[list[list[float]], list[list[float]]]:
    lists, _ = draw(ranked_lists())
    gains = [
        draw(st.lists(GAINS, min_size=len(scores), max_size=len(scores)).filter(any))
        for scores in lists
    ]
    return lists, gains


def flat(lists: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    scores = np.array([score for scores in lists for score in scores], np.float32)
    return scores, np.cumsum([0, *map(len, lists)])


def heads(lists: list[list[float]], relevant: list[int]) -> list[list[float]]:
    """Convert numbers of relevant candidates to gains."""
    return [
        [float(i < count) for i in range(len(scores))]
        for scores, count in zip(lists, relevant, strict=True)
    ]


def check_metrics(ranking: Ranking, k: int, mean: Callable[[reference.Metric], list[float]]):
    """Check every metric of every list against `mean` of the reference's metric."""
    first = reference.first_place
    found = {
        "rank": (ranking.rank, first),
        "reciprocal rank": (ranking.reciprocal_rank, lambda gains: 1 / first(gains)),
        "success": (ranking.success(k), lambda gains: first(gains) <= k),
        "recall": (ranking.recall(k), lambda gains: reference.recall(gains, k)),
        "ndcg": (ranking.ndcg(k), lambda gains: reference.ndcg(gains, k)),
        "average precision": (ranking.average_precision, reference.average_precision),
    }
    for name, (values, metric) in found.items():
        np.testing.assert_allclose(values, mean(metric), rtol=1e-12, atol=1e-12, err_msg=name)


@given(case=ranked_lists(), k=st.integers(1, 8))
def test_metrics_are_means_over_the_orders_of_ties(case, k: int):
    lists, relevant = case
    ranking = rank(*flat(lists), np.array(relevant))
    assert len(ranking) == len(lists)
    gains = heads(lists, relevant)
    check_metrics(ranking, k, lambda metric: [
        reference.expected(*both, metric) for both in zip(lists, gains, strict=True)
    ])  # fmt: skip
    assert ranking.ties.tolist() == [
        scores.count(max(scores[:count])) - 1 for scores, count in zip(lists, relevant, strict=True)
    ]


@given(case=ranked_lists(), k=st.integers(1, 8))
def test_counts_give_the_metrics_of_the_scores(case, k: int):
    lists, relevant = case
    counted = [reference.counts(*both) for both in zip(lists, relevant, strict=True)]
    above, equal = (np.array(list(itertools.chain(*part))) for part in zip(*counted, strict=True))
    starts = np.cumsum([0, *relevant])
    ranking = Ranking.from_counts(above, equal, starts, np.array([*map(len, lists)]))
    gains = heads(lists, relevant)
    check_metrics(ranking, k, lambda metric: [
        reference.expected(*both, metric) for both in zip(lists, gains, strict=True)
    ])  # fmt: skip
    assert ranking.metrics() == rank(*flat(lists), np.array(relevant)).metrics()


@given(case=ranked_lists(), data=st.data(), k=st.integers(1, 8))
def test_counts_may_have_gains(case, data: st.DataObject, k: int):
    lists, relevant = case
    heights = [data.draw(st.lists(GAINS.filter(bool), min_size=n, max_size=n)) for n in relevant]
    counted = [reference.counts(*both) for both in zip(lists, relevant, strict=True)]
    above, equal = (np.array(list(itertools.chain(*part))) for part in zip(*counted, strict=True))
    starts, lengths = np.cumsum([0, *relevant]), np.array([*map(len, lists)])
    ranking = Ranking.from_counts(above, equal, starts, lengths, np.concatenate(heights))
    gains = [
        [*own, *[0.0] * (len(scores) - len(own))]
        for scores, own in zip(lists, heights, strict=True)
    ]
    check_metrics(ranking, k, lambda metric: [
        reference.expected(*both, metric) for both in zip(lists, gains, strict=True)
    ])  # fmt: skip
    assert ranking.metrics() == rank(*flat(lists), relevance=np.concatenate(gains)).metrics()


@pytest.mark.parametrize("gain", [0.0, -1.0, np.nan, np.inf])
def test_a_relevant_candidate_has_a_gain(gain: float):
    arrays = (np.array([0]), np.array([1]), np.array([0, 1]), np.array([2]))
    with pytest.raises(ValueError, match="the gain of a relevant candidate is"):
        Ranking.from_counts(*arrays, np.array([gain]))
    with pytest.raises(ValueError, match="gains has 2 entries for 1 relevant candidates"):
        Ranking.from_counts(*arrays, np.ones(2))


@given(
    above=st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-1, 4), max_size=4),
    equal=st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-1, 4), max_size=4),
    starts=st.lists(st.integers(-1, 5), max_size=4),
    lengths=st.lists(st.integers(-1, 8), max_size=3),
)
def test_counts_that_no_scores_have_are_refused_or_harmless(above, equal, starts, lengths):
    arrays = [np.array(values, np.int64) for values in (above, equal, starts, lengths)]
    try:
        ranking = Ranking.from_counts(*arrays)
    except ValueError:
        return
    assert (ranking.rank >= 1).all()
    assert (ranking.reciprocal_rank <= 1).all()


@given(case=graded_lists(), k=st.integers(1, 8))
def test_relevance_may_be_graded_and_stand_anywhere(case, k: int):
    lists, gains = case
    ranking = rank(*flat(lists), relevance=np.concatenate(gains))
    check_metrics(ranking, k, lambda metric: [
        reference.expected(*both, metric) for both in zip(lists, gains, strict=True)
    ])  # fmt: skip


@given(
    case=graded_lists(),
    k=st.integers(1, 8),
    keys=st.lists(st.integers(-2, 2), min_size=21),
    data=st.data(),
)
def test_trec_eval_breaks_ties_by_the_last_key(case, k: int, keys: list[int], data):
    lists, gains = case
    scores, offsets = flat(lists)
    keys = keys[: len(scores)] if data.draw(st.booleans()) else None
    ranking = rank(
        scores,
        offsets,
        relevance=np.concatenate(gains),
        ties="trec_eval",
        tie_keys=None if keys is None else np.array(keys),
    )
    keys = keys or [0] * len(scores)
    own = [keys[start:end] for start, end in itertools.pairwise(offsets)]
    check_metrics(ranking, k, lambda metric: [
        reference.by_trec_eval(*all_three, metric)
        for all_three in zip(lists, gains, own, strict=True)
    ])  # fmt: skip
    assert not ranking.ties.any()


@pytest.mark.parametrize("num_relevant", [3, 40])
def test_trec_eval_is_pytrec_evals(num_relevant: int):
    """Draw few distinct scores, graded relevance, and names in any order."""
    random = np.random.default_rng(num_relevant)
    lists, length = 20, 60
    scores = random.integers(0, 12, (lists, length)).astype(np.float32)
    grades = np.zeros((lists, length), np.int64)
    grades[:, :num_relevant] = random.integers(1, 4, (lists, num_relevant))
    names = [f"d{number}" for number in random.permutation(length)]
    keys = np.argsort(np.argsort(names))
    run = {str(i): dict(zip(names, row, strict=True)) for i, row in enumerate(scores.tolist())}
    judged = {str(i): dict(zip(names, row, strict=True)) for i, row in enumerate(grades.tolist())}
    measures = {"recip_rank", "map", "ndcg_cut.10", "success.5", "recall.10"}
    theirs = pytrec_eval.RelevanceEvaluator(judged, measures).evaluate(run)

    ranking = stage2.rank(
        scores.ravel(),
        np.arange(lists + 1) * length,
        relevance=grades.ravel(),
        ties="trec_eval",
        tie_keys=np.tile(keys, lists),
    )
    ours = {
        "recip_rank": ranking.reciprocal_rank,
        "map": ranking.average_precision,
        "ndcg_cut_10": ranking.ndcg(10),
        "success_5": ranking.success(5),
        "recall_10": ranking.recall(10),
    }
    for name, values in ours.items():
        expected = [theirs[str(i)][name] for i in range(lists)]
        np.testing.assert_allclose(values, expected, rtol=1e-12, err_msg=name)


@given(case=ranked_lists())
def test_summaries_are_means_beside_the_chance_level(case):
    lists, relevant = case
    ranking = rank(*flat(lists), np.array(relevant))
    metrics = ranking.metrics(topk=(2,), recall_at=(1, 3))
    assert metrics["num_queries"] == len(lists)
    assert metrics["top2"] == pytest.approx(ranking.success(2).mean())
    assert metrics["recall1"] == pytest.approx(ranking.recall(1).mean())
    assert metrics["recall3"] == pytest.approx(ranking.recall(3).mean())
    assert metrics["mrr"] == pytest.approx(ranking.reciprocal_rank.mean())
    assert metrics["map"] == pytest.approx(ranking.average_precision.mean())
    assert metrics["ndcg10"] == pytest.approx(ranking.ndcg(10).mean())
    assert metrics["mean_rank"] == pytest.approx(ranking.rank.mean())
    assert metrics["ties"] == pytest.approx((ranking.ties > 0).mean())

    scores, offsets = flat(lists)
    equal_scores = rank(np.zeros_like(scores), offsets, np.array(relevant))
    constant = equal_scores.metrics(topk=(2,), recall_at=(1, 3))
    assert metrics["chance"] == constant["chance"]
    assert constant["chance"] == {name: constant[name] for name in constant["chance"]}


def test_recall_is_the_share_of_all_relevant_ones_that_are_found():
    # The first, the third and one of the three tied at the end are relevant.
    scores = np.array([0.9, 0.5, 0.2, 0.7, 0.2, 0.2], np.float32)
    ranking = rank(scores, np.array([0, 6]), 3)
    found = [ranking.recall(k)[0] for k in range(1, 8)]
    assert found == pytest.approx([1 / 3, 1 / 3, 2 / 3, 7 / 9, 8 / 9, 1, 1])
    assert ranking.metrics(recall_at=(2,))["chance"]["recall2"] == pytest.approx(2 / 6)
    assert not {name for name in ranking.metrics() if name.startswith("recall")}


def test_chance_among_six_candidates():
    chance = rank(np.arange(12, dtype=np.float32), np.array([0, 6, 12])).metrics()["chance"]
    assert chance["top1"] == pytest.approx(1 / 6)
    assert chance["top3"] == pytest.approx(1 / 2)
    assert chance["top5"] == pytest.approx(5 / 6)
    assert chance["mean_rank"] == 3.5
    assert chance["mrr"] == pytest.approx(sum(1 / place for place in range(1, 7)) / 6)
    assert chance["ndcg10"] == pytest.approx(
        sum(1 / math.log2(place + 1) for place in range(1, 7)) / 6
    )


def test_long_lists_and_many_relevant():
    random = np.random.default_rng(0)
    scores = random.integers(0, 50, 1000).astype(np.float32)
    ranking = rank(scores, np.array([0, 1000]), 40)
    best = scores[:40].max()
    tied, ours = (scores == best).sum(), (scores[:40] == best).sum()
    assert ranking.rank[0] == pytest.approx((scores > best).sum() + (tied + 1) / (ours + 1))
    assert ranking.ties[0] == tied - 1


@given(case=ranked_lists(), keys=st.lists(st.integers(-2, 2), min_size=21, max_size=21))
def test_order_is_a_sort_by_score_key_and_index(case, keys: list[int]):
    lists, _ = case
    scores, offsets = flat(lists)
    keys = keys[: len(scores)]
    found = order(scores, offsets, np.array(keys))
    expected = []
    for start, values in zip(offsets, lists, strict=False):
        own = keys[start : start + len(values)]
        by = [(-value, key, i) for i, (value, key) in enumerate(zip(values, own, strict=True))]
        expected += [i for *_, i in sorted(by)]
    assert found.tolist() == expected
    without = [i for values in lists for _, i in sorted((-v, i) for i, v in enumerate(values))]
    assert order(scores, offsets).tolist() == without


@given(case=ranked_lists())
def test_tau_counts_the_pairs(case):
    lists, _ = case
    found = kendall_tau(*flat(lists))
    np.testing.assert_allclose(found, [reference.kendall_tau(scores) for scores in lists])


def test_tau_is_scipys():
    scores = np.random.default_rng(1).integers(0, 40, 300).astype(np.float32)
    expected = stats.kendalltau(-np.arange(300), scores).statistic
    assert kendall_tau(scores, np.array([0, 300]))[0] == pytest.approx(expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_named(bad: float):
    scores = np.array([1, 2, 3, bad, bad], np.float32)
    for refuse in (rank, order):
        with pytest.raises(ValueError, match=r"score 1 of list 1 is (NaN|inf|-inf); expected fin"):
            refuse(scores, np.array([0, 2, 5]))


@pytest.mark.parametrize(
    ("offsets", "num_relevant", "message"),
    [
        ([0, 2], 1, "expected rising numbers from 0 to the number of scores, 3"),
        ([0, 4, 3], 1, "expected rising numbers"),
        ([1, 3], 1, "expected rising numbers"),
        ([], 1, "expected rising numbers"),
        ([0, 3], 0, "list 0 has 3 candidates, 0 of them relevant"),
        ([0, 1, 3], 2, "list 0 has 1 candidates, 2 of them relevant"),
        ([0, 1, 3], [1, 3], "list 1 has 2 candidates, 3 of them relevant"),
        ([0, 1, 1, 3], 1, "list 1 has 0 candidates"),
        ([0, 1, 3], [1], "num_relevant has 1 entries for 2 lists"),
    ],
)
def test_lists_that_cannot_be_ranked(offsets, num_relevant, message: str):
    if isinstance(num_relevant, list):
        num_relevant = np.array(num_relevant)
    with pytest.raises(ValueError, match=message):
        rank(np.ones(3, np.float32), np.array(offsets, np.int64), num_relevant)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"relevance": np.zeros(3)}, "list 0 has 2 candidates, 0 of them relevant"),
        ({"relevance": np.ones(2)}, "relevance has 2 entries for 3 scores"),
        ({"relevance": np.array([1, 1, -1.0])}, "the relevance of score 0 of list 1 is -1; expec"),
        ({"relevance": np.array([1, np.nan, 1])}, "the relevance of score 1 of list 0 is NaN"),
        ({"relevance": np.ones(3), "num_relevant": 1}, "both say what is relevant"),
        ({"ties": "random"}, 'ties is "random"; expected "expected" or "trec_eval"'),
        ({"tie_keys": np.arange(3)}, 'tie_keys decide nothing where ties is "expected"'),
        ({"ties": "trec_eval", "tie_keys": np.arange(2)}, "tie_keys has 2 entries for 3 scores"),
    ],
)
def test_relevance_and_ties_that_make_no_sense(arguments, message: str):
    with pytest.raises(ValueError, match=message):
        rank(np.ones(3, np.float32), np.array([0, 2, 3]), **arguments)


def test_metrics_need_lists_and_a_k():
    ranking = rank(np.zeros(0, np.float32), np.array([0]))
    with pytest.raises(ValueError, match="no lists to average over"):
        ranking.metrics()
    ranking = rank(np.ones(2, np.float32), np.array([0, 2]))
    with pytest.raises(ValueError, match="expected k from 1"):
        ranking.metrics(topk=[0])
    with pytest.raises(ValueError, match="recall at 0 asked for; expected k from 1"):
        ranking.metrics(recall_at=[10, 0])
    with pytest.raises(ValueError, match="one for each"):
        order(np.ones(2, np.float32), np.array([0, 2]), np.array([1]))


def equal(one: Ranking, other: Ranking) -> None:
    for name in ("rank", "ties", "reciprocal_rank", "average_precision"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_array_equal(one.ndcg(3), other.ndcg(3))
    assert len(one) == len(other)
    if len(one):
        assert one.metrics() == other.metrics()


@given(ranked_lists(), graded_lists(), st.data())
def test_lists_ranked_apart_and_put_together_are_lists_ranked_together(
    plain: tuple[list[list[float]], list[int]],
    graded: tuple[list[list[float]], list[list[float]]],
    data: st.DataObject,
) -> None:
    parts = [rank(*flat(plain[0]), np.array(plain[1])),
             rank(*flat(graded[0]), relevance=np.concatenate(graded[1]))]  # fmt: skip
    lists, gains = plain[0] + graded[0], heads(*plain) + graded[1]
    whole = rank(*flat(lists), relevance=np.concatenate(gains))
    equal(Ranking.concat(parts), whole)
    equal(Ranking.concat(parts[::-1]).take(np.roll(np.arange(len(lists)), len(plain[0]))), whole)

    rows = data.draw(st.lists(st.integers(0, len(lists) - 1)))
    taken = whole.take(np.array(rows, np.int64))
    assert len(taken) == len(rows)
    if rows:
        own = rank(*flat([lists[row] for row in rows]),
                   relevance=np.concatenate([gains[row] for row in rows]))  # fmt: skip
        equal(taken, own)


@pytest.mark.parametrize("row", [-1, 2])
def test_there_is_no_such_list(row: int) -> None:
    ranking = rank(np.zeros(4, np.float32), np.array([0, 2, 4]))
    with pytest.raises(ValueError, match=f"there is no list {row}; expected numbers below 2"):
        ranking.take(np.array([row]))
