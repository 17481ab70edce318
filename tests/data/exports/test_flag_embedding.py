"""Nothing that FlagEmbedding's rows can hold is lost."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stage2.data.exports import flag_embedding
from stage2.data.mined import Mined
from tests.data.exports.test_columns import MINED


@settings(max_examples=30)
@given(st.lists(MINED, max_size=4))
def test_texts_and_scores_come_back(questions: list[Mined]) -> None:
    rows = list(flag_embedding.rows(questions))
    for row, one in zip(rows, questions, strict=True):
        assert row["query"] == one.question
        for side, passages in (("pos", one.positives), ("neg", one.negatives)):
            found = list(zip(row[side], row[f"{side}_scores"], strict=True))
            assert found == [(passage.text, passage.score) for passage in passages]
