"""Nothing that Tevatron's rows can hold is lost."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stage2.data.exports import tevatron
from stage2.data.mined import Mined
from tests.data.exports.test_columns import MINED


@settings(max_examples=30)
@given(st.lists(MINED, max_size=4))
def test_ids_and_texts_come_back(questions: list[Mined]) -> None:
    for row, one in zip(tevatron.rows(questions), questions, strict=True):
        assert (row["query_id"], row["query"]) == (one.qa_id, one.question)
        for side, passages in (("positive", one.positives), ("negative", one.negatives)):
            found = [(own["docid"], own["text"]) for own in row[f"{side}_passages"]]
            assert found == [(passage.chunk_id, passage.text) for passage in passages]
