"""The lines of trec_eval's table."""

from __future__ import annotations

from collections.abc import Sequence

from stage2.evaluation.trec_eval import MEASURES, Table, Value


def lines(name: str, table: Table, per_query: bool = False, expected: bool = False) -> list[str]:
    """Return the lines of trec_eval's table.

    Args:
        name: the name of the run.
        table: the values.
        per_query: whether each question has lines too, before those of all.
        expected: whether a fourth column has the expectations over all orders of equal scores.
    """

    def line(measure: str, question: str, value: str, beside: str) -> str:
        return "\t".join((f"{measure:<22}", question, value, *([beside] if expected else [])))

    def lines_of(question: str, values: Sequence[Value], one: bool) -> list[str]:
        found = []
        for wanted, value in zip(table.wanted, values, strict=True):
            measure = MEASURES[wanted.measure]
            if one and measure.of_all:
                continue
            form = ".0f" if measure.counts else "6.4f"
            beside = "-" if value.expected is None else f"{value.expected:{form}}"
            found.append(line(wanted.name, question, f"{value.value:{form}}", beside))
        return found

    all_lines = [line("runid", "all", name, "-"), *lines_of("all", table.all, False)]
    if not per_query:
        return all_lines
    return [
        *(row for question, values in table.questions.items()
          for row in lines_of(question, values, True)),
        *all_lines,
    ]  # fmt: skip
