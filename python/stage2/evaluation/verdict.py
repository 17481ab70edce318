"""The verdict: one test, of one set of questions, named before anything is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# Sets that can bear a verdict, the best evidence first: every question scored by a model that did
# not see it; questions set aside; and what there is.
_SETS = ("cross-validated", "test", "all")
# The whole corpus is what a user searches; candidates drawn for a sample are easier.
_SOURCES = ("corpus", "candidates")

_TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "better": "Better",
        "no_evidence": "No evidence of change",
        "worse": "Worse",
        "sentence": "{word} on {count} {questions}, {source}: MRR {before:.3f} → {after:.3f}, "
        "difference {difference}, 95% interval {low} to {high}, p {p} "
        "(paired randomisation test).",
        "cross-validated": "questions, each scored by a model that had not seen it",
        "test": "questions that training never saw",
        "all": "questions",
        "candidates": "among their candidates",
        "corpus": "over the whole corpus",
        "not_held_out": " These questions were not held out, as far as is known: this says how "
        "well the model remembers, not how it will do on new ones.",
    },
    "zh": {
        "better": "变好",
        "no_evidence": "没有变化的证据",
        "worse": "变差",
        "sentence": "{word}：{count} 个{questions}，{source}：MRR {before:.3f} → {after:.3f}，"
        "差值 {difference}，95% 区间 {low} 至 {high}，p {p}"
        "（配对随机化检验）。",
        "cross-validated": "问题（每个都由没有见过它的模型打分）",
        "test": "训练从未见过的问题",
        "all": "问题",
        "candidates": "在各自的候选中",
        "corpus": "在整个语料库中",
        "not_held_out": "就目前所知，这些问题并非留出：数字说明模型记住了多少，"
        "而不是它在新问题上的表现。",
    },
}


def verdict(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The verdict of a comparison: the word of its most telling set, and why in a sentence.

    Args:
        parts: the `sets` of `comparison.json`, with their statistics.
    """
    part = min(parts, key=_order)
    return {
        "word": part["statistics"]["verdict"],
        "set": part["name"],
        "source": part["source"],
        "held_out": part["held_out"],
        "text": {language: _sentence(part, texts) for language, texts in _TEXTS.items()},
    }


def _order(part: Mapping[str, Any]) -> tuple[int, int]:
    name = part["name"]
    return _SETS.index(name) if name in _SETS else len(_SETS), _SOURCES.index(part["source"])


def _sentence(part: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    mrr = part["statistics"]["mrr"]
    text = texts["sentence"].format(
        word=texts[part["statistics"]["verdict"]],
        count=part["num_queries"],
        questions=texts[part["name"] if part["name"] in _SETS else "all"],
        source=texts[part["source"]],
        before=mrr["before"],
        after=mrr["after"],
        difference=signed(mrr["difference"]),
        low=signed(mrr["low"]),
        high=signed(mrr["high"]),
        p=probability(mrr["p"]),
    )
    return text + ("" if part["held_out"] else texts["not_held_out"])


def signed(value: float) -> str:
    """Write a difference of a metric: +0.012."""
    return fixed(value, 3, "+").replace("-", "−")


def fixed(value: float, digits: int, sign: str = "-") -> str:
    """Write a number with so many decimals: what rounds to nothing is 0, and not −0.

    Args:
        value: the number.
        digits: decimals.
        sign: `+` writes one before positive numbers too.
    """
    return f"{round(value, digits) + 0.0:{sign}.{digits}f}"


def probability(p: float) -> str:
    """Write p with its sign of comparison: = 0.031, or < 0.001."""
    return f"= {p:.3f}" if p >= 0.001 else "< 0.001"
