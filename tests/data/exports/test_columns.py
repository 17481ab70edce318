"""The columns of sentence-transformers, for any mined set."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stage2.data.exports import columns
from stage2.data.mined import Mined, Passage

TEXT = st.text(min_size=1, max_size=4)
SCORE = st.floats(-1, 1, width=32)
POSITIVE = st.builds(Passage, TEXT, TEXT, SCORE, st.sampled_from([1.0, 2.0]))
NEGATIVE = st.builds(Passage, TEXT, TEXT, SCORE, st.just(0.0))
MINED = st.builds(
    Mined, TEXT, TEXT, TEXT,
    st.lists(POSITIVE, min_size=1, max_size=3).map(tuple),
    st.lists(NEGATIVE, max_size=3).map(tuple),
)  # fmt: skip


@settings(max_examples=30)
@given(st.lists(MINED, max_size=5))
def test_rows_hold_each_text_where_its_column_says(questions: list[Mined]) -> None:
    pairs = [(row["anchor"], row["positive"]) for row in columns.pairs(questions)]
    assert pairs == [(one.question, own.text) for one in questions for own in one.positives]
    triplets = [tuple(row.values()) for row in columns.triplets(questions)]
    assert triplets == [
        (one.question, own.text, other.text)
        for one in questions
        for own in one.positives
        for other in one.negatives
    ]
    most = max((len(one.negatives) for one in questions), default=0)
    tuples = list(columns.n_tuples(questions))
    assert all(len(row) == 2 + most for row in tuples)
    full = [one for one in questions if most and len(one.negatives) == most]
    assert [list(row.values()) for row in tuples] == [
        [one.question, own.text, *(other.text for other in one.negatives)]
        for one in full
        for own in one.positives
    ]


@settings(max_examples=30)
@given(st.lists(MINED, max_size=5))
def test_lists_hold_every_candidate_with_its_label_or_score(questions: list[Mined]) -> None:
    for rows, name in ((columns.labeled_lists, "labels"), (columns.scored_lists, "scores")):
        for row, one in zip(rows(questions), questions, strict=True):
            docs = [*one.positives, *one.negatives]
            values = [doc.grade if name == "labels" else doc.score for doc in docs]
            assert row == {"query": one.question, "docs": [d.text for d in docs], name: values}
