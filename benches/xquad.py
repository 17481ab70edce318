"""The paragraphs and questions of XQuAD English, from the folder beside the checkout."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

PATH = Path(__file__).resolve().parents[2] / "shared" / "data" / "xquad" / "xquad.en.json"


@dataclass(frozen=True)
class Xquad:
    """The paragraphs, the questions, and the index of each question's paragraph."""

    paragraphs: list[str]
    questions: list[str]
    paragraph_of: list[int]

    @property
    def texts(self) -> list[str]:
        """All distinct texts."""
        return list(dict.fromkeys([*self.paragraphs, *self.questions]))


def load(share: float = 1.0) -> Xquad:
    """Read the articles, or the first `share` of them.

    Raises:
        FileNotFoundError: the data does not exist.
    """
    articles = json.loads(PATH.read_text(encoding="utf-8"))["data"]
    articles = articles[: max(1, round(len(articles) * share))]
    passages = [passage for article in articles for passage in article["paragraphs"]]
    asked = [
        (place, qa["question"]) for place, passage in enumerate(passages) for qa in passage["qas"]
    ]
    return Xquad(
        [passage["context"] for passage in passages],
        [question for _, question in asked],
        [place for place, _ in asked],
    )
