"""The sentences of the verdict, in two languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stage2.report.numbers import probability, signed

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


def sentences(comparison: Mapping[str, Any]) -> dict[str, str]:
    """Write the verdict of a comparison as a sentence in each language.

    Args:
        comparison: the content of `comparison.json`, with `sets` and `verdict`.
    """
    given = comparison["verdict"]
    part = next(
        part
        for part in comparison["sets"]
        if (part["name"], part["source"]) == (given["set"], given["source"])
    )
    return {language: _sentence(part, texts) for language, texts in _TEXTS.items()}


def _sentence(part: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    mrr = part["statistics"]["mrr"]
    text = texts["sentence"].format(
        word=texts[part["statistics"]["verdict"]],
        count=part["num_queries"],
        questions=texts.get(part["name"], texts["all"]),
        source=texts[part["source"]],
        before=mrr["before"],
        after=mrr["after"],
        difference=signed(mrr["difference"]),
        low=signed(mrr["low"]),
        high=signed(mrr["high"]),
        p=probability(mrr["p"]),
    )
    return text + ("" if part["held_out"] else texts["not_held_out"])
