"""The measures are pytrec_eval's, which is trec_eval: equal to the last bit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from stage2.data.trec import Found, Run
from stage2.evaluation.trec_eval import (
    MEASURES,
    OFFICIAL,
    evaluate_run,
    wanted_measures,
)
from stage2.utils.errors import BadInputError

DOCUMENTS = [f"d{i}" for i in range(12)]


def run_of(scores: dict[str, dict[str, float]]) -> Run:
    return Run("tag", {
        question: Found(list(found), np.asarray(list(found.values()), np.float32))
        for question, found in scores.items()
    })  # fmt: skip


def found(scores: dict[str, float], judged: dict[str, int], measure: str) -> tuple[float, float]:
    table = evaluate_run(run_of({"q": scores}), {"q": judged}, wanted_measures([measure]))
    value = table.all[0]
    assert value.expected is not None
    return value.value, value.expected


# trec_eval itself does not end where a question has no relevant document at all.
JUDGED = st.dictionaries(
    st.sampled_from(DOCUMENTS), st.integers(-1, 3), max_size=12
).map(lambda judged: {**judged, "d5": 2})  # fmt: skip
# Many are equal, and two are equal as float32 only.
SCORES = st.dictionaries(
    st.sampled_from(DOCUMENTS), st.sampled_from([0.5, 1.0, 0.3, 0.1 + 0.2, -2.0, 1e9]),
    min_size=1, max_size=12,
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(
    st.lists(JUDGED, min_size=1, max_size=3), st.lists(SCORES, min_size=1, max_size=3),
    st.integers(1, 2),
)  # fmt: skip
def test_every_measure_is_trec_evals(
    judged: list[dict[str, int]], scores: list[dict[str, float]], level: int
) -> None:
    qrels = {f"q{i}": one for i, one in enumerate(judged)}
    runs = {f"q{i}": one for i, one in enumerate(scores)}
    theirs = pytrec_eval.RelevanceEvaluator(qrels, set(MEASURES), relevance_level=level)
    expected = theirs.evaluate(runs)
    wanted = wanted_measures(list(MEASURES))
    table = evaluate_run(run_of(runs), qrels, wanted, level)
    assert table.questions.keys() == expected.keys()
    for question, values in table.questions.items():
        ours = {one.name: value.value for one, value in zip(wanted, values, strict=True)}
        assert {name: ours[name] for name in expected[question]} == expected[question]


@settings(deadline=None, max_examples=30)
@given(
    JUDGED, st.dictionaries(st.sampled_from(DOCUMENTS), st.integers(0, 1), min_size=1, max_size=4)
)
def test_expectations_are_means_over_all_orders(
    judged: dict[str, int], scores: dict[str, int]
) -> None:
    """Each order of the equal scores is a run without ties."""
    names = ("map", "recip_rank", "P_5", "recall_5", "success_1", "ndcg", "ndcg_cut_10", "Rprec")
    wanted = wanted_measures(names)
    plain = {name: float(score) for name, score in scores.items()}
    table = evaluate_run(run_of({"q": plain}), {"q": judged}, wanted)
    orders = list(itertools.permutations(scores))
    # Scores are 0 or 1, so an order below a half keeps them apart.
    broken = [{name: plain[name] + place / 100 for place, name in enumerate(order)}
              for order in orders]  # fmt: skip
    values = np.mean(
        [[value.value for value in evaluate_run(run_of({"q": one}), {"q": judged}, wanted).all]
         for one in broken], axis=0,
    )  # fmt: skip
    assert [value.expected for value in table.all] == pytest.approx(values)


def test_relevant_documents_that_were_not_retrieved_count() -> None:
    assert found({"a": 1.0}, {"a": 1, "b": 1}, "map") == (0.5, 0.5)
    assert found({"c": 1.0}, {"a": 1}, "recip_rank") == (0.0, 0.0)


def test_a_missing_question_counts_only_if_asked() -> None:
    run, qrels = run_of({"q": {"a": 1.0}}), {"q": {"a": 1}, "r": {"a": 1}}
    wanted = wanted_measures(["num_q", "map", "num_rel", "gm_map"])
    plain = [value.value for value in evaluate_run(run, qrels, wanted).all]
    assert plain == [1, 1.0, 1, 1.0]
    complete = [value.value for value in evaluate_run(run, qrels, wanted, complete=True).all]
    assert complete == pytest.approx([2, 0.5, 1, 0.00001**0.5])


def test_measures_are_named_as_in_trec_eval() -> None:
    assert [one.name for one in wanted_measures(["P.10,5", "P_5"])] == ["P_5", "P_10"]
    official = [one.name for one in wanted_measures([])]
    assert official[:5] == ["num_q", "num_ret", "num_rel", "num_rel_ret", "map"]
    assert "iprec_at_recall_0.10" in official
    assert {*OFFICIAL} <= MEASURES.keys()


@pytest.mark.parametrize("name", ["nope", "map.5", "P.0", "P.1.5", "iprec_at_recall.2", "P."])
def test_unknown_measures_are_refused(name: str) -> None:
    with pytest.raises(BadInputError, match=f"-m {name}"):
        wanted_measures([name])


def test_a_run_of_other_questions_is_refused() -> None:
    with pytest.raises(BadInputError, match="the run has no question of the qrels: it has 'q'"):
        evaluate_run(run_of({"q": {"a": 1.0}}), {"r": {"a": 1}}, wanted_measures([]))
