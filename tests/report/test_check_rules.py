"""The rules of `stage2 check`: each holds where it is right, in the order of the table."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from stage2.report.check_rules import REMARKS, RULES, advice

ROOT = Path(__file__).resolve().parents[2]


def facts() -> dict[str, Any]:
    """Return facts with which training is right."""

    def ranking(mrr: float) -> dict[str, Any]:
        return {
            **dict.fromkeys(("ndcg10", "top1", "top3", "top10", "recall100"), mrr),
            "mrr": mrr,
            "chance": dict.fromkeys(("ndcg10", "mrr", "top1", "top3", "top10", "recall100"), 0.01),
        }

    text = {"max_length": 256, "cut": 1, "counted": 9, "texts": 9, "lost": 5, "lost_share": 0.1,
            "unknown_share": 0.0}  # fmt: skip
    kind = {"name": "empty", "count": 0, "share": 0.0, "examples": []}
    share = {"count": 30, "share": 0.3}
    gain = {"gain": 0.02, "power": 0.9, "more_questions": 0}
    return {
        "version": "0", "seed": 0, "model": "m", "questions": 100, "chunks": 50,
        "rankings": {"model": ranking(0.6), "bm25": ranking(0.5)},
        "headroom": {"topk": 3, "possible_gain": 0.3,
                     **dict.fromkeys(("first", "hard", "reach", "beyond"), share)},
        "texts": {"questions": dict(text), "chunks": dict(text)},
        "past_limit": None,
        "prompts": None,
        "labels": {"doubtful_share": 0.02, "kinds": [kind], "not_checked": []},
        "sides": None,
        "power": {"held_out": 60, "groups": 50.0, "possible": 0.25, "smallest_gain": 0.03,
                  "gain": dict(gain), "target": {**gain, "gain": 0.075}},
    }  # fmt: skip


PROMPTS = {
    "told": "without", "prompts": {"query": "q: "}, "questions": 9, "chunks": 9, "without": 0.5,
    "with": 0.6, "difference": 0.1, "low": 0.05, "high": 0.15, "p": 0.01,
}  # fmt: skip
SIDE = {"questions": 9, "same_chunk": 1, "near_duplicate": 0, "same_wording": 0, "share": 0.05}

CUT = {
    "limit": 256, "by": "answers", "questions": 90, "share": 0.5, "groups": 12, "difference": -0.2,
    "low": -0.3, "high": -0.1, "p": 0.01, "cost": 0.1,
}  # fmt: skip
UNKNOWN = dict.fromkeys(("difference", "low", "high", "p", "cost")) | {"groups": 0}

# By rule: what makes it hold, and what is just short of it.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another_model": (
        {"texts.questions.unknown_share": 0.2, "rankings.model.mrr": 0.4},
        {"texts.questions.unknown_share": 0.2},
    ),
    "use_prompt": ({"prompts": PROMPTS}, {"prompts": PROMPTS | {"p": 0.06}}),
    "drop_prompt": (
        {"prompts": PROMPTS | {"told": "with", "difference": -0.1}},
        {"prompts": PROMPTS | {"told": "with"}},
    ),
    # A training is expected to close 0.075.
    "cut_texts": ({"past_limit": CUT}, {"past_limit": CUT | {"cost": 0.07}}),
    "mend_labels": ({"labels.doubtful_share": 0.1}, {"labels.doubtful_share": 0.09}),
    "mend_sides": ({"sides": {"test": SIDE}}, {"sides": {"test": SIDE | {"share": 0.04}}}),
    "leave": ({"headroom.possible_gain": 0.019}, {"headroom.possible_gain": 0.02}),
    "collect": ({"power.target.more_questions": 70}, {"power.gain.more_questions": 70}),
    "train": ({}, {"power.target.more_questions": None}),
}


# The same for remarks.
BESIDE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "answers_cut": (
        {"past_limit": CUT | {"p": 0.06}},
        {"past_limit": CUT | UNKNOWN | {"share": 0.1}},
    ),
    "truths_cut": (
        {"past_limit": CUT | UNKNOWN | {"by": "tokens"}},
        {"past_limit": CUT | UNKNOWN | {"by": "tokens", "share": 0.1}},
    ),
}


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    found = copy.deepcopy(facts())
    for path, value in changes.items():
        *way, last = path.split(".")
        place = found
        for name in way:
            place = place[name]
        place[last] = value
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_holds_where_it_is_right(rule: Any) -> None:
    holds, short = CASES[rule.name]
    told = advice(changed(holds))
    assert (told["rule"], told["action"]) == (rule.name, rule.action)
    assert advice(changed(short))["rule"] != rule.name
    for text in told["text"].values():
        assert not re.search(r"[{}]", text)


@pytest.mark.parametrize("remark", REMARKS, ids=lambda remark: remark.name)
def test_a_remark_stands_beside_the_rule_that_holds(remark: Any) -> None:
    assert advice(facts())["remarks"] == []
    holds, short = BESIDE[remark.name]
    told = advice(changed(holds))
    assert told["rule"] == "train"
    assert [one["rule"] for one in told["remarks"]] == [remark.name]
    for text in told["remarks"][0]["text"].values():
        assert "50.0%" in text
        assert not re.search(r"[{}]", text)
    assert advice(changed(short)) == advice(facts())


def test_what_the_sentence_says_is_not_remarked_too() -> None:
    told = advice(changed({"past_limit": CUT}))
    assert (told["rule"], told["remarks"]) == ("cut_texts", [])
    # Labels that nobody can believe stand after it, since it is believed by its own test.
    both = advice(changed({"past_limit": CUT | {"p": 0.06}, "labels.doubtful_share": 0.2}))
    assert (both["rule"], both["remarks"][0]["rule"]) == ("mend_labels", "answers_cut")


def test_a_model_at_chance_is_blind_only_if_words_do_better() -> None:
    assert advice(changed({"rankings.model.mrr": 0.015}))["rule"] == "another_model"
    both = {"rankings.model.mrr": 0.015, "rankings.bm25.mrr": 0.02}
    assert advice(changed(both))["rule"] != "another_model"


def test_earlier_rules_come_first() -> None:
    every: dict[str, Any] = {}
    for rule in reversed(RULES):
        every |= CASES[rule.name][0]
        assert advice(changed(every))["rule"] in (rule.name, "leave")


def test_both_languages_say_the_same_numbers() -> None:
    for rule in (*RULES, *REMARKS):
        names = [{name for _, name, _, _ in Formatter().parse(text) if name}
                 for text in (rule.en, rule.zh)]  # fmt: skip
        assert names[0] == names[1], rule.name


def test_the_page_of_the_docs_has_the_rules_in_their_order() -> None:
    page = (ROOT / "docs" / "check.md").read_text("utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE)
    known = [*CASES, *BESIDE]
    assert [name for name in listed if name in known] == [rule.name for rule in (*RULES, *REMARKS)]
