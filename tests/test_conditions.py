"""What a call measures decides which settings count."""

from __future__ import annotations

from stage2.call import Call
from stage2.conditions import (
    COMPARES,
    EMBEDS,
    HAS_MODEL,
    HAS_TEACHER,
    UNTOUCHED,
    taken_by_the_loss,
)
from stage2.config import Settings


def test_what_ranks_decides_what_counts() -> None:
    found = {
        name: tuple(one.holds(Call(Settings(**values), "evaluate", models))
                    for one in (HAS_MODEL, EMBEDS, COMPARES))
        for name, values, models in (
            ("model", {}, ("m",)),
            ("run", {"run": "r"}, ()),
            ("vectors", {"question_vectors": "q", "corpus_vectors": "c"}, ()),
            ("endpoint", {"endpoint": "u"}, ()),
            ("model before", {"run": "r", "before_model": "m"}, ()),
        )
    }  # fmt: skip
    assert found == {
        "model": (True, True, True),
        "run": (False, False, False),
        "vectors": (False, False, True),
        "endpoint": (False, True, True),
        "model before": (True, True, True),
    }


def test_the_loss_and_its_teacher_decide_what_counts() -> None:
    found = {
        (loss, teacher): tuple(
            one.holds(Call(Settings(loss=loss, teacher=teacher), "train"))
            for one in (taken_by_the_loss("margin"), UNTOUCHED, HAS_TEACHER)
        )
        for loss in ("margin", "margin-mse", "similarity-mse")
        for teacher in (None, "t")
    }
    assert found == {
        ("margin", None): (True, True, False),
        ("margin", "t"): (True, True, True),
        ("margin-mse", None): (True, True, False),
        ("margin-mse", "t"): (True, False, True),
        ("similarity-mse", None): (False, True, False),
        ("similarity-mse", "t"): (False, False, True),
    }
