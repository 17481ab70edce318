"""The rules by which `stage2 check` ends with one sentence: the first rule that holds is told.

A row of `RULES` is a rule. Each row of `REMARKS` that holds is told beside the sentence: it says
nothing for or against a training. docs/check.md gives the same rules in words, in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stage2.report import numbers
from stage2.utils.schema import WORTH_A_WARNING

Facts = Mapping[str, Any]

# The share of the questions with doubtful labels, and of held-out questions that leak, above which
# no number about the model can be believed.
DOUBTFUL, LEAKED = 0.1, 0.05
# A model is blind if its MRR is below so many times that of chance, although BM25 is above this.
NEAR_CHANCE, ABOVE_CHANCE = 2.0, 5.0
LEVEL = 0.05


@dataclass(frozen=True)
class Rule:
    """A rule.

    Attributes:
        name: the name in `check.json`.
        holds: whether it holds, from the content of `check.json`.
        values: what the sentences are filled with, as text.
        en: the sentence in English.
        zh: the sentence in Chinese.
        action: what to do, in a word or two, for programs.
    """

    name: str
    holds: Callable[[Facts], bool]
    values: Callable[[Facts], Mapping[str, str]]
    en: str
    zh: str
    action: str


def unknown_share(facts: Facts) -> float:
    """Return the larger share of tokens that the vocabulary lacks, of questions and of chunks."""
    return max((text["unknown_share"] for text in facts["texts"].values()), default=0.0)


def leaked_share(facts: Facts) -> float:
    """Return the largest share of a held-out side's questions that training would have seen."""
    return max((side["share"] for side in (facts["sides"] or {}).values()), default=0.0)


def _blind(facts: Facts) -> bool:
    model, bm25 = (facts["rankings"][name]["mrr"] for name in ("model", "bm25"))
    chance = facts["rankings"]["model"]["chance"]["mrr"]
    unread = unknown_share(facts) > WORTH_A_WARNING and model < bm25
    return bool(unread or (model < NEAR_CHANCE * chance and bm25 > ABOVE_CHANCE * chance))


def _cut_costs(facts: Facts) -> bool:
    past = facts["past_limit"]
    return bool(
        past and past["cost"] is not None and past["p"] <= LEVEL
        and past["cost"] >= facts["power"]["target"]["gain"]
    )  # fmt: skip


def _much_cut(facts: Facts, by: str) -> bool:
    past = facts["past_limit"]
    much = past and past["by"] == by and past["share"] > WORTH_A_WARNING
    return bool(much and not _cut_costs(facts))


def _of_cut(facts: Facts) -> dict[str, str]:
    past = facts["past_limit"]
    cost, p = past["cost"], past["p"]
    return {
        "share": numbers.percent(past["share"]),
        "limit": f"{past['limit']:,}",
        "cost": "–" if cost is None else numbers.decimal(cost),
        "p": "–" if p is None else numbers.probability(p),
    }


def _prompts_differ(facts: Facts, told: str, sign: int) -> bool:
    found = facts["prompts"]
    return bool(
        found and found["told"] == told and found["p"] <= LEVEL and sign * found["difference"] > 0
    )


def _cannot_show(facts: Facts) -> bool:
    return bool(facts["power"]["target"]["more_questions"] != 0)


def _nothing_to_gain(facts: Facts) -> bool:
    possible = facts["headroom"]["possible_gain"], facts["power"]["possible"]
    return bool(min(possible) < facts["power"]["gain"]["gain"])


def _mrrs(facts: Facts) -> dict[str, str]:
    rankings = facts["rankings"]
    return {
        "model": numbers.decimal(rankings["model"]["mrr"]),
        "bm25": numbers.decimal(rankings["bm25"]["mrr"]),
        "unknown": numbers.percent(unknown_share(facts)),
    }


def _of_prompts(facts: Facts) -> dict[str, str]:
    return {
        "difference": numbers.signed(facts["prompts"]["difference"]),
        "p": numbers.probability(facts["prompts"]["p"]),
    }


def _of_power(facts: Facts) -> dict[str, str]:
    power = facts["power"]
    smallest, more = power["smallest_gain"], power["target"]["more_questions"]
    return {
        "held_out": f"{power['held_out']:,}",
        "smallest": "–" if smallest is None else numbers.decimal(smallest),
        "target": numbers.decimal(power["target"]["gain"]),
        "more": "> 20,000" if more is None else f"{more:,}",
        "possible": numbers.decimal(facts["headroom"]["possible_gain"]),
        "reach": numbers.percent(facts["headroom"]["reach"]["share"]),
        "gain": numbers.decimal(power["gain"]["gain"]),
    }


RULES: tuple[Rule, ...] = (
    Rule(
        "another_model", _blind, _mrrs,
        "Take another model, do not train this one: it does not read these texts (MRR {model}, "
        "BM25 {bm25}; {unknown} of the tokens are unknown to it).",
        "换一个模型，不要训练当前模型：它读不懂这些文本（MRR {model}，BM25 {bm25}；"
        "{unknown} 的词元不在其词表中）。",
        "take another model",
    ),
    Rule(
        "use_prompt", lambda facts: _prompts_differ(facts, "without", 1), _of_prompts,
        "Use the model's prompt before anything else: with it MRR changes by {difference} "
        "(p {p}), without any training.",
        "先使用模型自带的提示词：无需训练，MRR 变化 {difference}（p {p}）。",
        "use the prompt",
    ),
    Rule(
        "drop_prompt", lambda facts: _prompts_differ(facts, "with", -1), _of_prompts,
        "Leave the prompt out before anything else: with it MRR changes by {difference} (p {p}).",
        "先去掉提示词：带上它 MRR 变化 {difference}（p {p}）。",
        "leave the prompt out",
    ),
    Rule(
        "cut_texts", _cut_costs, _of_cut,
        "Cut the texts into shorter chunks before anything else, or let the model read more of "
        "them, as far as it can: the answers of {share} of the questions lie past its limit of "
        "{limit} tokens, which costs about {cost} in MRR (p {p}).",
        "先把文本切成更短的块，或在模型允许的范围内提高长度上限：{share} 的问题其答案在 {limit} "
        "个词元的上限之外，MRR 因此约损失 {cost}（p {p}）。",
        "cut the texts",
    ),
    Rule(
        "mend_labels", lambda facts: facts["labels"]["doubtful_share"] >= DOUBTFUL,
        lambda facts: {"share": numbers.percent(facts["labels"]["doubtful_share"])},
        "Mend the labels first: about {share} of the questions have doubtful ones, so that neither "
        "training nor measuring can be believed.",
        "先修正标注：约 {share} 的问题标注可疑，训练和评测都不可信。",
        "mend labels",
    ),
    Rule(
        "mend_sides", lambda facts: leaked_share(facts) >= LEAKED,
        lambda facts: {"share": numbers.percent(leaked_share(facts))},
        "Deal other sides first: {share} of the held-out questions ask for what training questions "
        "ask for.",
        "先重新划分：{share} 的留出问题与训练问题问的是同样的内容。",
        "deal other sides",
    ),
    Rule(
        "leave", _nothing_to_gain, _of_power,
        "Leave it: with every answer within reach in first place, MRR would rise by {possible}, "
        "which is not worth a training for a gain of {gain} or more.",
        "不必训练：即使所有可及的答案都排到第一，MRR 也只提高 {possible}，"
        "达不到值得训练的 {gain}。",
        "leave it",
    ),
    Rule(
        "collect", _cannot_show, _of_power,
        "Collect about {more} more questions first: the {held_out} held-out ones would not show a "
        "gain of {target} in MRR (the smallest that they show is {smallest}).",
        "先再收集约 {more} 个问题：现有 {held_out} 个留出问题看不出 {target} 的 MRR 提升"
        "（能看出的最小提升为 {smallest}）。",
        "collect questions",
    ),
    Rule(
        "train", lambda _: True, _of_power,
        "Train: {reach} of the questions have their answer within reach but not first, and "
        "{held_out} held-out ones can show a gain in MRR of {smallest}.",
        "可以训练：{reach} 的问题答案可及但未排第一，{held_out} 个留出问题能看出 "
        "{smallest} 的 MRR 提升。",
        "train",
    ),
)  # fmt: skip


REMARKS: tuple[Rule, ...] = (
    Rule(
        "answers_cut", lambda facts: _much_cut(facts, "answers"), _of_cut,
        "Beside that: the answers of {share} of the questions lie past the model's limit of "
        "{limit} tokens. It is not shown that these rank lower for it; shorter chunks, or a higher "
        "limit if the model allows one, would let it read them.",
        "另外：{share} 的问题其答案在模型 {limit} 个词元的上限之外。尚无证据表明其名次因此更低；"
        "更短的块，或模型允许的更高上限，能让模型读到它们。",
        "cut the texts",
    ),
    Rule(
        "truths_cut", lambda facts: _much_cut(facts, "tokens"), _of_cut,
        "Beside that: of a question's ground truth {share} of the tokens lie past the model's "
        "limit of {limit}, and it is not known on which side of it the answers stand. Shorter "
        "chunks, or a higher limit if the model allows one, may help with training and without.",
        "另外：问题的正确文本块平均有 {share} 的词元在模型 {limit} 的上限之外，答案在上限之内"
        "还是之外并不清楚。无论是否训练，更短的块或模型允许的更高上限都可能有帮助。",
        "cut the texts",
    ),
)  # fmt: skip


def advice(facts: Facts) -> dict[str, Any]:
    """Return the rule that holds: its name, its action, and its sentence in each language.

    Args:
        facts: the content of `check.json` without `advice`.

    Returns:
        `rule`, `action` and `text`; and `remarks`, the same of each remark that holds.
    """
    rule = next(one for one in RULES if one.holds(facts))
    remarks = [_told(one, facts) for one in REMARKS if one.holds(facts)]
    return _told(rule, facts) | {"remarks": remarks}


def _told(rule: Rule, facts: Facts) -> dict[str, Any]:
    values = rule.values(facts)
    return {
        "rule": rule.name,
        "action": rule.action,
        "text": {"en": rule.en.format_map(values), "zh": rule.zh.format_map(values)},
    }
