"""The before/after table for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from stage2.report import numbers
from stage2.report.before_after import ACCURACIES, conclusion, is_known, sides, warning
from stage2.report.columns import aligned
from stage2.report.guard import texts
from stage2.report.run import Record
from stage2.report.words import Words, words

# These columns are aligned to the left: the set, its source, and what training saw of it.
_LEFT = (0, 1, -1)


def table(comparison: Record, language: str = "en") -> str:
    """Write before and after as plain text in aligned columns.

    Each set of questions has a line for each source of candidates: the number of questions,
    Top-1/3/5 and MRR before and after with the chance level in brackets, and what training saw of
    them. Under them each baseline has a line for each set that was held out and ranked over the
    whole corpus, or for all questions if none was. Above the table are the names of the models, if
    they are known. Below it are what the rankings of held-out questions are without, a warning if
    nothing was held out, and the verdict.

    Args:
        comparison: the content of `comparison.json`.
        language: `en` or `zh`.

    Raises:
        ValueError: there is no such language.
    """
    say = words(language)
    header = [
        say("plain_set"),
        say("plain_source"),
        say("plain_count"),
        *(say("plain_metric", metric=name) for name in (*ACCURACIES.values(), say("mrr"))),
        say("plain_training"),
    ]
    rows = [header, *(_row(part, comparison, say) for part in comparison["sets"])]
    rows += _of_baselines(comparison, say)
    lines = [*_models(comparison, say), *aligned(rows, _LEFT), *_left_out(comparison, say)]
    if not any(part["held_out"] for part in comparison["sets"]):
        lines.append(warning(comparison, say).replace("**", ""))
    if "verdict" in comparison:
        # The table has ASCII arrows only, so the verdict has too.
        lines.append(conclusion(comparison, say).replace("→", "->").replace("−", "-"))
    lines += [text.replace("→", "->").replace("−", "-") for text in texts(comparison, language)]
    return "\n".join(lines)


def _left_out(comparison: Record, say: Words) -> list[str]:
    """Say for each set what its rankings are without, because training has seen it."""
    sets = {part["name"]: part["left_out"] for part in comparison["sets"] if part.get("left_out")}
    return [
        say("plain_unseen", set=say(f"plain_{name}"), what=say("unseen_value", **counts))
        for name, counts in sets.items()
    ]


def _row(part: Record, comparison: Record, say: Words) -> list[str]:
    return [
        say(f"plain_{part['name']}"),
        say(f"plain_{part['source']}"),
        str(part["num_queries"]),
        *_values([part[side] for side, _ in sides(comparison)], say),
        _training(part, comparison, say),
    ]


def _of_baselines(comparison: Record, say: Words) -> list[list[str]]:
    """Write a line for each baseline and each set on which a model is judged."""
    shown = [part for part in comparison["sets"] if part.get("baselines")]
    shown = [part for part in shown if part["held_out"]] or shown[-1:]
    return [
        [
            say("plain_baseline", set=say(f"plain_{part['name']}"), name=say(f"baseline_{name}")),
            say(f"plain_{part['source']}"),
            str(part["num_queries"]),
            *_values([metrics], say),
            say(f"plain_training_{name}"),
        ]
        for part in shown
        for name, metrics in part["baselines"].items()
    ]


def _values(sides_of_part: Sequence[Record], say: Words) -> list[str]:
    """Write each metric of one ranking, or of two with an arrow between them, and its chance."""
    metrics = {**dict.fromkeys(ACCURACIES, numbers.percent), "mrr": numbers.decimal}
    return [
        say(
            "plain_value",
            # The arrow is ASCII, because the encoding of a terminal may have no other.
            values=" -> ".join(written(side[key]) for side in sides_of_part),
            chance=written(sides_of_part[0]["chance"][key]),
        )
        for key, written in metrics.items()
    ]


def _training(part: Record, comparison: Record, say: Words) -> str:
    if part["held_out"]:
        return say("plain_held_out")
    if not is_known(comparison):
        return say("plain_unknown")
    if part["name"] == "dev" and not part["seen_in_training"]:
        return say("plain_chosen_on")
    return say("plain_seen", seen=part["seen_in_training"], count=part["num_queries"])


def _models(comparison: Record, say: Words) -> list[str]:
    names = ["".join(char if char.isprintable() else "\ufffd" for char in name)
             for name in comparison.get("models", ())]  # fmt: skip
    return [
        say("plain_model", side=say(side), name=name)
        for (_, side), name in zip(sides(comparison), names, strict=False)
    ]
