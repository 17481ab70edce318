"""Each check of the audit has its words."""

from __future__ import annotations

from stage2.mining.audit import CHECKS
from stage2.report.audit_meanings import MEANINGS, with_meanings


def test_every_check_has_a_meaning_in_each_language() -> None:
    assert list(MEANINGS) == [check.name for check in CHECKS]
    assert all(set(meaning) == {"en", "zh"} for meaning in MEANINGS.values())
    assert all(all(meaning.values()) for meaning in MEANINGS.values())


def test_they_stand_behind_the_counts() -> None:
    check = {"name": "repeated", "count": 2, "questions": 1, "strict": True}
    (told,) = with_meanings({"questions": 3, "checks": [check]})["checks"]
    assert list(told) == ["name", "count", "questions", "meaning", "strict"]
    assert told["meaning"] == MEANINGS["repeated"]
