"""The meaning of each check of the audit in two languages, and a finding as a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from stage2.utils.decimals import fixed

MEANINGS: Mapping[str, Mapping[str, str]] = {
    "positive": {
        "en": "is a ground truth of this question, or of one with the same text, by id or by text",
        "zh": "按编号或文本是本问题（或同文问题）的正例",
    },
    "near_duplicate": {
        "en": "is nearly the text of a ground truth of this question",
        "zh": "与本问题的正例文本近似重复",
    },
    "contains_answer": {
        "en": "contains the question's answer, word for word",
        "zh": "逐字包含本问题的答案",
    },
    "cross_encoder_above": {
        "en": "scores above a ground truth with the cross-encoder: probably a false negative",
        "zh": "交叉编码器评分高于正例：很可能是假负例",
    },
    "model_above": {
        "en": "scores above a ground truth with the model that is to be trained: hard, or false",
        "zh": "待训练模型评分高于正例：难负例，或假负例",
    },
    "sibling": {
        "en": "has the title of a ground truth of this question: part of the same document",
        "zh": "与本问题的正例标题相同：出自同一文档",
    },
    "repeated": {
        "en": "stands in the list before, by id or by text",
        "zh": "按编号或文本在列表中重复出现",
    },
    "not_finite": {
        "en": "has a score that is NaN or infinite",
        "zh": "评分为 NaN 或无穷大",
    },
    "short_list": {
        "en": "the question has fewer negatives than were asked for, or than the longest list of a "
        "file",
        "zh": "本问题的负例少于要求的数目，或少于文件中最长的列表",
    },
}


def _truth(name: str) -> str:
    return f"ground truth {name}" if name else "a ground truth"


def _scores(values: Mapping[str, Any]) -> str:
    return f"score {fixed(values['score'], 4)}, the ground truth's {fixed(values['lowest'], 4)}"


# A sentence of each check, made of the values that it has found.
DETAILS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "positive": lambda values: f"it is {_truth(values['truth'])}",
    "near_duplicate": lambda values: (
        f"Jaccard index {values['index']:.2f} with {_truth(values['truth'])}"
    ),
    "contains_answer": lambda values: f"the answer is {values['answer']!r}",
    "cross_encoder_above": _scores,
    "model_above": _scores,
    "sibling": lambda values: f"the title is {values['title']!r}",
    "repeated": lambda values: f"also at position {values['position']}",
    "not_finite": lambda values: f"{values['of']}: the score is {values['score']}",
    "short_list": lambda values: f"{values['negatives']} of {values['wanted']} negatives",
}


def with_details(rows: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the rows of `audit.jsonl`: those of an audit, with a sentence in place of the values.

    Args:
        rows: what `Audit.rows` yields.
    """
    for row in rows:
        told = {name: value for name, value in row.items() if name != "values"}
        yield told | {"detail": DETAILS[row["check"]](row["values"])}


def with_meanings(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of `audit.json`: the summary of an audit, with the words for people.

    Args:
        summary: what `Audit.summary` returns.
    """
    checks = []
    for check in summary["checks"]:
        told: dict[str, Any] = {}
        for name, value in check.items():
            told[name] = value
            if name == "questions":
                told["meaning"] = dict(MEANINGS[check["name"]])
        checks.append(told)
    return {**summary, "checks": checks}
