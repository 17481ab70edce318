"""The table of what a gazetteer covers."""

from __future__ import annotations

from stage2.data.annotate import Coverage
from stage2.report.coverage import coverage_table

FOUND = Coverage(
    with_entity={"questions": (1, 4), "chunks": (0, 0)},
    never_met=[f"name {i}" for i in range(12)],
    known=14,
    names=[("埃德蒙", 3), ("a\nb", 1)],
    labels=[("PERSON", 3, 2), ("", 1, 1)],
)


def test_every_count_stands_in_the_table() -> None:
    shown = coverage_table(FOUND).splitlines()
    assert shown[:3] == [
        "texts      with an entity",
        "questions     25.0% (1/4)",
        "chunks                  0",
    ]
    assert "names met: 14.3% (2/14)" in shown
    assert (
        "never met: name 0; name 1; name 2; name 3; name 4; name 5; name 6; name 7; name 8; "
        "name 9; and 2 more" in shown
    )
    assert ["埃德蒙", "3"] in [line.split() for line in shown]
    # A line break in a name does not break the line.
    assert ["a\\nb", "1"] in [line.split() for line in shown]
    assert ["(none)", "1", "1"] in [line.split() for line in shown]


def test_a_pipeline_has_no_names_that_were_never_met() -> None:
    found = Coverage({"chunks": (1, 2)}, None, 0, [("a", 1)], [("", 1, 1)])
    assert "met" not in coverage_table(found)
    assert "label" not in coverage_table(found)
