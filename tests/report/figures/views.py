"""Views to draw figures from, and what a drawn figure contains."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from stage2.report.figures.svg import Figure, View
from stage2.report.page_words import PAGE_WORDS
from stage2.report.run import Run
from stage2.report.words import words

_OF_RUN = ("record", "log", "comparison", "rounds")
HOSTILE = "</title></svg><script>alert(1)</script>\"'"


def view(**given: Any) -> View:
    """Return a view of an empty folder; arguments replace its parts, and those of its run."""
    run = {name: given.pop(name) for name in _OF_RUN if name in given}
    return View(
        **{
            "run": Run(Path(), **({"record": {}, "mining": {}, "log": [], "comparison": {}} | run)),
            "rows": [],
            "count": len(given.get("rows", [])),
            "scores": {},
            "held_out": False,
            "words": PAGE_WORDS["en"],
            "say": words("en"),
        }
        | given
    )


def row(before: float, after: float, held_out: bool = True, number: int = 0) -> dict[str, Any]:
    return {
        "id": f"q{number}",
        "question": f"question {number}",
        "held_out": held_out,
        "before": before,
        "after": after,
        "href": f"#question-{number}",
    }


class Drawn:
    """The elements of a figure, which must be XML."""

    def __init__(self, figure: Figure | None) -> None:
        assert figure is not None
        self.figure = figure
        # HTML needs no namespace in SVG; a parser of XML does not care.
        self.root = ElementTree.fromstring(figure.picture)

    def all(self, tag: str, class_: str = "") -> list[ElementTree.Element]:
        wanted = set(class_.split())
        return [e for e in self.root.iter(tag) if wanted <= set(e.get("class", "").split())]

    def titles(self) -> list[str]:
        return [e.text or "" for e in self.root.iter("title")]

    def texts(self) -> list[str]:
        return [e.text or "" for e in self.root.iter("text")]
