"""Each check of the audit has its words."""

from __future__ import annotations

from stage2.mining.audit import CHECKS
from stage2.report.audit_meanings import DETAILS, MEANINGS, with_details, with_meanings


def test_every_check_has_a_meaning_in_each_language() -> None:
    assert list(MEANINGS) == list(DETAILS) == [check.name for check in CHECKS]
    assert all(set(meaning) == {"en", "zh"} for meaning in MEANINGS.values())
    assert all(all(meaning.values()) for meaning in MEANINGS.values())


def test_they_stand_behind_the_counts() -> None:
    check = {"name": "repeated", "count": 2, "questions": 1, "strict": True}
    (told,) = with_meanings({"questions": 3, "checks": [check]})["checks"]
    assert list(told) == ["name", "count", "questions", "meaning", "strict"]
    assert told["meaning"] == MEANINGS["repeated"]


def test_values_become_a_sentence() -> None:
    rows = [
        {"check": "short_list", "values": {"negatives": 2, "wanted": 5}},
        {"check": "near_duplicate", "values": {"index": 0.876, "truth": "c1"}},
        {"check": "positive", "values": {"truth": ""}},
        {"check": "model_above", "values": {"score": 0.5, "lowest": 0.25}},
    ]
    assert [row["detail"] for row in with_details(rows)] == [
        "2 of 5 negatives",
        "Jaccard index 0.88 with ground truth c1",
        "it is a ground truth",
        "score 0.5000, the ground truth's 0.2500",
    ]
