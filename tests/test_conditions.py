"""What a call measures decides which settings count."""

from __future__ import annotations

from stage2.call import Call
from stage2.conditions import COMPARES, EMBEDS, HAS_MODEL
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
