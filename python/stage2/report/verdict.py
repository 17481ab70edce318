"""The sentences of the verdict, in two languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stage2.evaluation.verdict import GIVEN, statistics_against
from stage2.report.numbers import decimal, probability, signed

_TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "better": "Better",
        "no_evidence": "No evidence of change",
        "worse": "Worse",
        "better_than": "Better than {name}",
        "no_evidence_than": "No evidence of a difference from {name}",
        "worse_than": "Worse than {name}",
        "untouched_backbone": "{model}, the untouched backbone,",
        "index": " {small} dimensions in place of the {large} of the untouched backbone, {model}: "
        "an index {times:.3g} times smaller, {change}.",
        "less": "{mrr} MRR less",
        "more": "{mrr} MRR more",
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
        "better_than": "好于{name}",
        "no_evidence_than": "没有证据表明与{name}有差别",
        "worse_than": "差于{name}",
        "untouched_backbone": "未改动的主干 {model}",
        "index": "以 {small} 维代替未改动的主干 {model} 的 {large} 维："
        "索引缩小到 1/{times:.3g}，{change}。",
        "less": "MRR 低 {mrr}",
        "more": "MRR 高 {mrr}",
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
    width = comparison.get("embedding_dim")
    return {
        language: _sentence(part, given["against"], texts) + _index(part, width, texts)
        for language, texts in _TEXTS.items()
    }


def _sentence(part: Mapping[str, Any], against: str, texts: Mapping[str, str]) -> str:
    statistics = statistics_against(part)[against]
    mrr, word = statistics["mrr"], statistics["verdict"]
    text = texts["sentence"].format(
        word=texts[word] if against == GIVEN else _than(part, against, word, texts),
        count=part["num_queries"],
        questions=texts.get(part["name"] if part["held_out"] else "all", texts["all"]),
        source=texts[part["source"]],
        before=mrr["before"],
        after=mrr["after"],
        difference=signed(mrr["difference"]),
        low=signed(mrr["low"]),
        high=signed(mrr["high"]),
        p=probability(mrr["p"]),
    )
    return text + ("" if part["held_out"] else texts["not_held_out"])


def _than(part: Mapping[str, Any], against: str, word: str, texts: Mapping[str, str]) -> str:
    """Write the word of a verdict against a baseline, which it names."""
    name = texts[against].format(model=part["baselines"][against]["model"])
    return texts[f"{word}_than"].format(name=name)


def _index(part: Mapping[str, Any], width: int | None, texts: Mapping[str, str]) -> str:
    """Say what a smaller index costs. Without a wider model of the user's this is empty."""
    found = ""
    for baseline in (part.get("baselines") or {}).values():
        large = baseline.get("embedding_dim")
        if width is None or large is None or large <= width:
            continue
        lost = baseline["mrr"] - part["after"]["mrr"]
        change = texts["less" if lost >= 0 else "more"].format(mrr=decimal(abs(lost)))
        found += texts["index"].format(
            small=width, large=large, model=baseline["model"], times=large / width, change=change
        )
    return found
