"""The page of `stage2 check`, as Markdown and as one static HTML file that loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from stage2.report import numbers
from stage2.report.check_rules import RULES, Facts
from stage2.report.excerpt import LINE, cut
from stage2.report.markdown import escape, quote
from stage2.report.markdown import table as markdown_table
from stage2.report.page import environment, page_style
from stage2.report.page_words import PAGE_WORDS
from stage2.report.words import Words, words

Row = Sequence[str]

# The metrics in the order of the table, with their names; a Top-k is a share.
_METRICS = {
    "ndcg10": "nDCG@10", "mrr": "MRR", "top1": "Success@1", "top3": "Success@3",
    "top10": "Success@10", "recall100": "Recall@100",
}  # fmt: skip


@dataclass(frozen=True)
class Section:
    """A section of the page, as plain text.

    Attributes:
        title: its heading.
        notes: paragraphs above its table.
        header: the names of the columns; none without a table.
        rows: the cells.
        examples: texts for each kind of finding, with its name.
    """

    title: str
    notes: Sequence[str] = ()
    header: Row = ()
    rows: Sequence[Row] = ()
    examples: Sequence[tuple[str, Sequence[str]]] = field(default=())


def sections(facts: Facts, language: str) -> list[Section]:
    """Return the sections of the page.

    Args:
        facts: the content of `check.json`.
        language: `en` or `zh`.
    """
    say, left_out = words(language), PAGE_WORDS[language]["left_out"]
    return [
        _rankings(facts, say),
        _headroom(facts, say),
        _power(facts, say),
        _prompts(facts, say),
        _texts(facts, say),
        _labels(facts, say, left_out),
        _sides(facts, say),
        Section(
            say("check_rules"),
            [say("check_rules_note", names=" → ".join(rule.name for rule in RULES))],
        ),
    ]


def as_markdown(facts: Facts, language: str) -> str:
    """Return the page as Markdown. All texts are escaped."""
    say = words(language)
    advice, *remarks = _sentences(facts, language)
    parts = [
        f"# {say('check_title')}",
        quote(f"**{escape(advice)}**"),
        *map(escape, remarks),
        escape(_made_of(facts, say)),
    ]
    for section in sections(facts, language):
        parts += [f"## {section.title}", *map(escape, section.notes)]
        if section.rows:
            cells = [[escape(cell) for cell in row] for row in section.rows]
            parts.append(markdown_table([escape(name) for name in section.header], cells))
        for name, texts in section.examples:
            parts += [f"### {escape(name)}", "\n".join(f"- {escape(text)}" for text in texts)]
    return "\n\n".join(parts) + "\n"


def as_html(facts: Facts, language: str) -> str:
    """Return the page as HTML. All texts are escaped, and no script may run."""
    say, style = words(language), page_style()
    advice, *remarks = _sentences(facts, language)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        environment()
        .get_template("check.html")
        .render(
            language="zh-CN" if language == "zh" else "en",
            title=say("check_title"),
            advice=advice,
            remarks=remarks,
            made_of=_made_of(facts, say),
            sections=sections(facts, language),
            style=Markup(style),
            style_hash=digest,
        )
    )


def as_text(facts: Facts, language: str) -> str:
    """Return the table of rankings, the sentence and the remarks, for a terminal."""
    from stage2.report.columns import aligned

    table = _rankings(facts, words(language))
    return "\n".join([*aligned([table.header, *table.rows], (0,)), *_sentences(facts, language)])


def _sentences(facts: Facts, language: str) -> list[str]:
    """Return the sentence that the check ends with, and the remarks beside it."""
    advice = facts["advice"]
    return [one["text"][language] for one in (advice, *advice["remarks"])]


def _made_of(facts: Facts, say: Words) -> str:
    names = ("questions", "chunks", "model", "version", "seed")
    return say("check_made_of", **{name: facts[name] for name in names})


def _rankings(facts: Facts, say: Words) -> Section:
    rankings = facts["rankings"]
    chance = rankings["model"]["chance"]
    rows = [
        [name, _shown(key, chance[key]), *(_shown(key, one[key]) for one in rankings.values())]
        for key, name in _METRICS.items()
    ]
    header = [say("metric"), say("chance"), *(say(f"check_{name}") for name in rankings)]
    return Section(say("check_rankings"), [say("check_rankings_note")], header, rows)


def _shown(key: str, value: float) -> str:
    return numbers.percent(value) if key.startswith("top") else numbers.decimal(value)


def _headroom(facts: Facts, say: Words) -> Section:
    found = facts["headroom"]
    note = say(
        "check_headroom_note",
        topk=found["topk"],
        gain=numbers.decimal(found["possible_gain"]),
    )
    rows = [
        [say(f"check_{name}"), f"{found[name]['count']:,}", numbers.percent(found[name]["share"])]
        for name in ("first", "hard", "reach", "beyond")
    ]
    header = ["", say("check_questions"), say("check_share")]
    return Section(say("check_headroom"), [note], header, rows)


def _power(facts: Facts, say: Words) -> Section:
    found = facts["power"]
    smallest = found["smallest_gain"]
    rows = [
        [say("check_held_out"), f"{found['held_out']:,}"],
        [say("check_groups"), f"{found['groups']:.0f}"],
        [say("check_smallest"), "–" if smallest is None else numbers.decimal(smallest)],
    ]
    for gain in {one["gain"]: one for one in (found["gain"], found["target"])}.values():
        power, more = gain["power"], gain["more_questions"]
        named = numbers.decimal(gain["gain"])
        rows += [
            [say("check_power_of", gain=named), "–" if power is None else numbers.percent(power)],
            [say("check_more", gain=named), "–" if more is None else f"{more:,}"],
        ]
    return Section(say("check_power"), [say("check_power_note")], ["", say("value")], rows)


def _prompts(facts: Facts, say: Words) -> Section:
    found = facts["prompts"]
    if found is None:
        return Section(say("check_prompts"), [say("check_no_prompts")])
    told = say(f"check_told_{found['told']}")
    low, high = (numbers.signed(found[end]) for end in ("low", "high"))
    row = [
        "MRR",
        numbers.decimal(found["without"]),
        numbers.decimal(found["with"]),
        f"{numbers.signed(found['difference'])} [{low}, {high}]",
        numbers.probability(found["p"]),
    ]
    header = ["", say("check_without"), say("check_with"), say("check_difference"), "p"]
    note = say("check_prompts_note", chunks=found["chunks"], told=told)
    prompts = [f"{role}: {prompt!r}" for role, prompt in found["prompts"].items()]
    return Section(say("check_prompts"), [note, "; ".join(prompts)], header, [row])


def _texts(facts: Facts, say: Words) -> Section:
    rows = [
        [
            say(f"check_{role}"),
            f"{text['max_length']:,}",
            numbers.counted(text["cut"] / max(1, text["counted"]), text["counted"]),
            numbers.percent(text["lost_share"]),
            f"{text['lost'] / max(1, text['cut']):.0f}",
            numbers.percent(text["unknown_share"]),
        ]
        for role, text in facts["texts"].items()
    ]
    names = ("role", "limit", "cut", "lost", "lost_each", "unknown")
    notes = list(_past_limit(facts, say)) if rows else [say("check_no_texts")]
    return Section(say("check_texts"), notes, [say(f"check_{name}") for name in names], rows)


def _past_limit(facts: Facts, say: Words) -> Iterator[str]:
    """Say how much of what the questions ask for lies past the limit, and what that costs."""
    found = facts["past_limit"]
    if found is None:
        return
    share = numbers.percent(found["share"])
    yield say(f"check_past_{found['by']}", questions=f"{found['questions']:,}", share=share)
    if found["difference"] is not None:
        yield say(
            "check_past_difference",
            groups=f"{found['groups']:,}",
            difference=numbers.signed(found["difference"]),
            low=numbers.signed(found["low"]),
            high=numbers.signed(found["high"]),
            p=numbers.probability(found["p"]),
        )


def _labels(facts: Facts, say: Words, left_out: str) -> Section:
    found = facts["labels"]
    notes = [say("check_labels_note", share=numbers.percent(found["doubtful_share"]))]
    if found["not_checked"]:
        names = "; ".join(say(f"doubt_{name}") for name in found["not_checked"])
        notes.append(say("check_not_checked", names=names))
    rows = [
        [say(f"doubt_{kind['name']}"), f"{kind['count']:,}", numbers.percent(kind["share"])]
        for kind in found["kinds"]
    ]
    examples = [
        (
            say(f"doubt_{kind['name']}"),
            [_example(one, say, left_out) for one in kind["examples"]],
        )
        for kind in found["kinds"]
        if kind["examples"]
    ]
    header = [say("check_doubt"), say("check_questions"), say("check_share")]
    return Section(say("check_labels"), notes, header, rows, examples)


def _example(one: dict[str, Any], say: Words, left_out: str) -> str:
    parts = [f"{one['qa_id']}: {cut(one['question'], LINE, left_out)}"]
    if one["other_qa_id"] is not None:
        text = cut(one["other_question"], LINE, left_out)
        parts.append(say("check_example_other", id=one["other_qa_id"], text=text))
    if one["answer"]:
        parts.append(say("check_example_answer", text=cut(one["answer"], LINE, left_out)))
    if one["chunk_id"] is not None:
        text = cut(one["chunk"], LINE, left_out)
        parts.append(say("check_example_chunk", id=one["chunk_id"], text=text))
    return " · ".join(parts)


def _sides(facts: Facts, say: Words) -> Section:
    if not facts["sides"]:
        return Section(say("check_sides"), [say("check_no_sides")])
    names = ("questions", "same_chunk", "near_duplicate", "same_wording")
    rows = [
        [say(f"plain_{side}"), *(f"{found[name]:,}" for name in names),
         numbers.percent(found["share"])]
        for side, found in facts["sides"].items()
    ]  # fmt: skip
    header = [say("check_side"), *(say(f"check_{name}") for name in names), say("check_share")]
    return Section(say("check_sides"), [], header, rows)
