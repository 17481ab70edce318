"""The sentences and the table about the guards: what the gain has cost elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stage2.report import numbers
from stage2.report.markdown import escape, table
from stage2.report.run import Record
from stage2.report.words import CATALOGS, Words, words
from stage2.utils.schema import WORTH_A_WARNING


def sentences(entry: Mapping[str, Any]) -> dict[str, str]:
    """Write what a guard says as a sentence in each language.

    Args:
        entry: an entry of `guards` in `comparison.json`, without its text.
    """
    return {language: _sentence(entry, words(language)) for language in CATALOGS}


def guards_of(comparison: Record) -> list[Record]:
    """Return what each guard says; empty if there are none."""
    return list(comparison.get("guards", []))


def texts(comparison: Record, language: str) -> list[str]:
    """Return the sentence of each guard."""
    return [str(entry["text"][language]) for entry in guards_of(comparison)]


def columns(say: Words) -> list[str]:
    """Return the names of the columns of the table of guards."""
    return [say("guard"), say("guard_questions"), say("before"), say("after"), say("change"),
            say("guard_interval"), say("guard_margin"), say("guard_verdict")]  # fmt: skip


def rows(comparison: Record, say: Words) -> list[list[str]]:
    """Return a row of plain text for each guard, by `columns`."""
    return [
        [
            str(entry["name"]),
            str(entry["num_queries"]),
            numbers.decimal(entry["before"]),
            numbers.decimal(entry["after"]),
            numbers.signed(entry["difference"]),
            say(
                "guard_range", low=numbers.signed(entry["low"]), high=numbers.signed(entry["high"])
            ),
            f"{entry['margin']:g}",
            say(f"guard_{entry['verdict']}"),
        ]
        for entry in guards_of(comparison)
    ]


def elsewhere(comparison: Record, say: Words) -> str:
    """Write a Markdown table with a row for each guard, and its sentence below."""
    found = [[escape(cell) for cell in row] for row in rows(comparison, say)]
    told = [f"- {escape(text)}" for text in texts(comparison, say("language"))]
    return "\n\n".join([table(columns(say), found), "\n".join(told), say("note_guard")])


def _sentence(entry: Mapping[str, Any], say: Words) -> str:
    if entry["unchanged"]:
        return say("guard_unchanged", name=entry["name"], before=numbers.decimal(entry["before"]))
    text = say(
        "guard_sentence",
        verdict=say(f"guard_{entry['verdict']}"),
        name=entry["name"],
        count=entry["num_queries"],
        before=numbers.decimal(entry["before"]),
        after=numbers.decimal(entry["after"]),
        difference=numbers.signed(entry["difference"]),
        low=numbers.signed(entry["low"]),
        high=numbers.signed(entry["high"]),
        margin=f"{entry['margin']:g}",
    )
    if entry["unknown_share"] > WORTH_A_WARNING:
        return text + say("guard_unread", share=numbers.percent(entry["unknown_share"]))
    if entry["verdict"] == "undecided" and entry["groups"] < entry["least_groups"]:
        return text + say("guard_few", groups=entry["groups"], least=entry["least_groups"])
    return text
