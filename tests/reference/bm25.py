"""BM25 by its formula, and the tokens that it counts."""

from __future__ import annotations

import math
import unicodedata

UNSPACED = ("CJK UNIFIED", "HIRAGANA", "KATAKANA", "IDEOGRAPHIC ITERATION MARK")


def bm25_tokens(text: str) -> list[str]:
    """Cut a text into words, and into bigrams where its script has no spaces."""
    tokens: list[str] = []
    run, kind = "", ""
    for char in [*unicodedata.normalize("NFKC", text).lower(), " "]:
        now = _kind(char)
        if now == "mark":
            # A mark belongs to the word that it stands on.
            now = kind if kind == "word" else ""
        if now != kind:
            if kind == "word":
                tokens.append(run)
            elif kind:
                tokens += [run[i : i + 2] for i in range(max(1, len(run) - 1))]
            run = ""
        run, kind = run + char if now else "", now
    return tokens


def _kind(char: str) -> str:
    name = unicodedata.name(char, "")
    mark = unicodedata.category(char).startswith("M")
    if not (mark or char.isalnum() or char == "_"):
        return ""
    if name.startswith(UNSPACED):
        return "japanese"
    if name.startswith("THAI"):
        return "thai"
    return "mark" if mark else "word"


def bm25(
    question: list[str], documents: list[list[str]], k1: float = 1.5, b: float = 0.75
) -> list[float]:
    """Return the score of each document. A token that is twice in the question counts twice."""
    mean = sum(map(len, documents)) / len(documents)
    scores = []
    for document in documents:
        score = 0.0
        for token in question:
            frequency = document.count(token)
            if frequency:
                having = sum(token in other for other in documents)
                rarity = math.log(1 + (len(documents) - having + 0.5) / (having + 0.5))
                length = 1 - b + b * len(document) / mean
                score += rarity * frequency / (frequency + k1 * length)
        scores.append(score)
    return scores
