"""Judgements in labels: each rule, and random judgements against a slow obvious twin."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage2.data.judgements import KINDS, Judgement
from stage2.data.relabel import Relabelled, Rules, decide, keeps_negatives, relabel
from stage2.data.tables import Lists, Tables
from stage2.variants import FORMATS
from tests.reference.labels import relabelled

# Questions 0 and 2 have one text, and so have chunks 0 and 3.
QUESTIONS, CHUNKS = ["who?", "where?", "Who?"], ["he", "here", "home", "He", "away"]


def lists(rows: list[list[int]], grade: float | None = None) -> Lists:
    flat = [chunk for row in rows for chunk in row]
    offsets = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    grades = None if grade is None else np.full(len(flat), grade)
    return Lists(offsets, np.asarray(flat, np.int64), grades)


def tables(relevant: list[list[int]], negatives: list[list[int]]) -> Tables:
    ids = [f"c{row}" for row in range(len(CHUNKS))]
    names = [f"q{row}" for row in range(len(QUESTIONS))]
    return Tables(QUESTIONS, names, CHUNKS, ids, lists(relevant), lists(negatives, 0.0))


def labels(found: Tables) -> list[tuple[list[int], list[int]]]:
    return [
        (sorted(c for c, *_ in found.relevant.of(q)), sorted(c for c, *_ in found.negatives.of(q)))
        for q in range(len(QUESTIONS))
    ]


def done(*judged: tuple[Any, ...], **rules: Any) -> Relabelled:
    given = tables([[0], [1], [0]], [[2], [], [2]])
    return relabel(given, [Judgement(*one) for one in judged], Rules(**rules))


def test_an_answer_is_added_and_is_no_negative_any_more() -> None:
    found = done((0, 2, "answer", "Ada"), (1, 4, "answer", "Ada", 0.5, "why", "now"))
    assert labels(found.tables) == [([0, 2], []), ([1, 4], []), ([0, 2], [])]
    assert found.counts == {"answers_added": 3}
    assert found.changes[-1] == {
        "question_id": "q1", "chunk_id": "c4", "change": "answers_added",
        "before": None, "after": "answer",
        "judged": [{"by": "Ada", "at": "now", "note": "why", "score": 0.5}],
    }  # fmt: skip
    assert found.changes[0]["before"] == "negative"


def test_a_label_is_dropped_with_its_copies_and_for_all_rows_of_the_question() -> None:
    given = tables([[0, 3], [1], [3]], [[], [], []])
    found = relabel(given, [Judgement(2, 0, "not", "Ada")], Rules())
    assert labels(found.tables) == [([], [0, 3]), ([1], []), ([], [3])]
    assert found.counts == {"answers_dropped": 3, "unanswered": 2}
    bare = relabel(given, [Judgement(2, 0, "not", "Ada")], Rules(negatives=False))
    assert labels(bare.tables) == [([], []), ([1], []), ([], [])]
    assert bare.changes[0]["after"] is None


def test_what_is_labelled_so_already_is_counted_once() -> None:
    found = done((0, 3, "answer", "Ada"), (0, 2, "not", "Ada"))
    assert found.changes == []
    assert found.counts == {"agreeing": 2}


def test_judges_who_disagree_change_nothing() -> None:
    found = done((0, 2, "answer", "Ada"), (2, 2, "not", "Bob"), (1, 1, "unsure", "Ada"))
    assert found.counts == {"disputed": 1, "unsure": 1}
    assert labels(found.tables) == labels(tables([[0], [1], [0]], [[2], [], [2]]))


def test_the_last_word_of_a_judge_counts_and_enough_must_agree() -> None:
    judged = [(1, 4, "not", "Ada"), (1, 4, "answer", "Ada"), (1, 4, "unsure", "Eve")]
    assert done(*judged).counts == {"answers_added": 1, "judged_again": 1}
    assert done(*judged, agree=2).counts == {"too_few": 1, "judged_again": 1}
    assert done(*judged, (1, 4, "answer", "Bob"), agree=2).counts["answers_added"] == 1
    found = done(*judged, (1, 4, "not", "Bob"), who=frozenset(["Bob"]))
    assert found.counts == {"negatives_added": 1, "of_others": 3}


def test_a_negative_without_a_place_is_counted() -> None:
    found = done((1, 4, "not", "Ada"), negatives=False)
    assert found.changes == []
    assert found.counts == {"no_place": 1}


@pytest.mark.parametrize(
    ("name", "some", "none"),
    [
        ("beir", True, True),
        ("trec", True, True),
        ("parquet", True, False),
        ("tevatron", True, False),
    ],
)
def test_a_few_judged_negatives_never_become_the_lists_of_all(
    name: str, some: bool, none: bool
) -> None:
    kind = FORMATS[name]
    assert keeps_negatives(tables([[0], [], []], [[1], [], []]), kind) is some
    assert keeps_negatives(tables([[0], [], []], [[], [], []]), kind) is none


def test_scores_of_a_teacher_stay() -> None:
    given = tables([[0], [1], [0]], [[2], [], [2]])
    scored = Lists(given.relevant.offsets, given.relevant.chunks, None, np.asarray([1.0, 2.0, 3.0]))
    given = Tables(**{**vars(given), "relevant": scored})
    found = relabel(given, [Judgement(1, 1, "not", "Ada")], Rules()).tables
    assert list(found.negatives.of(1)) == [(1, 0.0, 2.0)]
    assert [score for _, _, score in found.relevant.of(0)] == [1.0]


def test_decide() -> None:
    votes = [
        Judgement(0, 0, kind, by) for by, kind in (("a", "not"), ("b", "unsure"), ("c", "not"))
    ]
    assert decide(votes, 2) == ("not", "")
    assert decide(votes, 3) == (None, "too_few")
    assert decide([], 1) == (None, "unsure")


ROWS = st.lists(st.sets(st.integers(0, len(CHUNKS) - 1)), min_size=3, max_size=3)
JUDGED = st.tuples(
    st.integers(0, 2), st.integers(0, 4), st.sampled_from(KINDS), st.sampled_from("abc")
)


@given(ROWS, ROWS, st.lists(JUDGED, max_size=12), st.integers(1, 2), st.booleans())
def test_random_judgements_give_what_the_slow_twin_gives(
    relevant: list[set[int]],
    negatives: list[set[int]],
    judged: list[tuple[int, int, str, str]],
    agree: int,
    kept: bool,
) -> None:
    # Rows of one question have one set of answers, and an answer is no negative in any copy.
    relevant[2] = relevant[0]
    negatives[2] = negatives[0]
    texts = [text.lower() for text in CHUNKS]
    for own, others in zip(relevant, negatives, strict=True):
        answers = {texts[chunk] for chunk in own}
        others -= {chunk for chunk in others if texts[chunk] in answers}
    before = tables([sorted(one) for one in relevant], [sorted(one) for one in negatives])
    rules = Rules(agree=agree, negatives=kept)
    found = relabel(before, [Judgement(*one) for one in judged], rules)
    asked = [text.lower() for text in QUESTIONS]
    expected = relabelled(asked, texts, labels(before), judged, agree, kept)
    assert labels(found.tables) == expected
    changed = Counter(row["change"] for row in found.changes)
    assert changed == {k: v for k, v in found.counts.items() if k in changed}
