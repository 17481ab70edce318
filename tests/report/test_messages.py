"""Sentences with counts for the console."""

from __future__ import annotations

from dataclasses import replace

from stage2.encoding.truncation import Account
from stage2.report import messages

FINE = Account(texts=3, counted=3, max_length=8, cut=1, tokens=100, lost=10, unknown=10)
MATCHED = {"texts": 4, "equal": 2, "contained": 1, "with_entity": 3, "if_composed": 1}
NONE = {"texts": 4, "equal": 0, "contained": 0, "with_entity": 0, "if_composed": 0}


def test_annotated_texts_are_counted_by_kind() -> None:
    said = messages.annotated({"questions": MATCHED, "chunks": NONE})
    assert said == (
        "entity annotations: 3 of 4 questions and 0 of 4 chunks have one "
        "(1 because one text contains the other)"
    )


def test_why_no_pair_has_entities_is_said() -> None:
    assert messages.no_pair_has_entities({"questions": MATCHED, "chunks": MATCHED}) is None
    one_side = messages.no_pair_has_entities({"questions": MATCHED, "chunks": NONE})
    assert one_side is not None
    assert "none of 4 chunks an entity" in one_side
    composed = messages.no_pair_has_entities({"questions": {**NONE, "if_composed": 2}})
    assert composed is not None
    assert "2 would match after Unicode NFC" in composed


def test_a_model_is_named_where_there_are_several() -> None:
    assert "8 tokens of stage1," in messages.seen_by_model("chunks", FINE, "stage1")
    assert "8 tokens, 10.0% of" in messages.seen_by_model("chunks", FINE)


def test_more_than_a_tenth_is_warned_of() -> None:
    assert list(messages.unseen_by_model("chunks", FINE)) == []
    (warning,) = messages.unseen_by_model("chunks", replace(FINE, lost=11))
    assert warning.startswith("11% of the chunks' tokens lie past the limit of 8,")
    (warning,) = messages.unseen_by_model("chunks", replace(FINE, unknown=60), "stage1")
    assert warning.startswith("60% of the chunks' tokens are unknown to the vocabulary of stage1")
