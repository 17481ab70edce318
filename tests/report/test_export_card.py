"""The card of a model in another form."""

from __future__ import annotations

from stage2.models.deviation import Deviation
from stage2.report.export_card import export_card


def test_it_says_what_is_lost() -> None:
    found = Deviation("3 of 9 held-out questions", 3, 40, 0.0312, 0.991, 2 / 3, (0.75, 0.74))
    card = export_card("int8", "a <b> | c", found)
    assert card.startswith("---\nlibrary_name: sentence-transformers\n")
    for part in (
        "3 questions and 40 documents",
        "3.1e-02",
        "at most 0.1",
        "0.991",
        "66.7%",
        "0.750",
    ):
        assert part in card
    assert "<b>" not in card
    assert card.endswith("|\n")
    assert "INFERENCE_PRECISION_HINT" in export_card("openvino", "a", found)
