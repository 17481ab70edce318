"""The sections before and after training: the verdict, and a table for each set of questions."""

from __future__ import annotations

from collections.abc import Sequence

from stage2.report import numbers
from stage2.report.guard import texts
from stage2.report.markdown import escape, not_run, quote, table
from stage2.report.run import Record, Run
from stage2.report.words import Words

ACCURACIES = {"top1": "Top-1", "top3": "Top-3", "top5": "Top-5"}
MEANS = ("mrr", "ndcg10", "mean_rank")
FEW_QUESTIONS = 100
_RECALL = "recall"


def verdict(run: Run, say: Words) -> str:
    """Write the verdict on questions that training never saw, or why there is none."""
    comparison = run.comparison
    if not comparison:
        return quote(say("no_comparison"))
    held_out = [part for part in comparison["sets"] if part["held_out"]]
    lines = [f"**{escape(conclusion(comparison, say))}**"] if "verdict" in comparison else []
    lines += [f"**{escape(text)}**" for text in texts(comparison, say("language"))]
    lines += [_judgement(part, say) for part in held_out]
    lines += _remembered(comparison, say)
    if run.shipped_epoch == 0 and is_known(comparison):
        lines.append(say("stage1_shipped" if run.epochs else "nothing_to_train"))
    if held_out and held_out[0]["num_queries"] < FEW_QUESTIONS:
        lines.append(say("few_questions", count=held_out[0]["num_queries"]))
    listed = "\n".join(f"- {line}" for line in lines)
    return listed if held_out else f"{quote(warning(comparison, say))}\n\n{listed}".rstrip()


def conclusion(comparison: Record, say: Words) -> str:
    """Return the sentence of the verdict in the report's language."""
    return str(comparison["verdict"]["text"][say("language")])


def warning(comparison: Record, say: Words) -> str:
    """Warn that no question was held out, so that the numbers are not to be quoted."""
    if not is_known(comparison):
        return say("training_unknown")
    part = comparison["sets"][-1]
    seen, count = part["seen_in_training"], part["num_queries"]
    return say("measured_on_training", seen=seen, count=count) if seen else say("nothing_held_out")


def before_and_after(run: Run, say: Words) -> str:
    """Write a table for each set of questions and each source of candidates."""
    if not run.comparison:
        return not_run(say, "evaluate")
    parts = []
    for part in run.comparison["sets"]:
        standing = standing_of(part, run.comparison, say)
        heading = say(
            "set_heading",
            count=part["num_queries"],
            set=say(f"set_{part['name']}"),
            source=say(f"among_{part['source']}"),
        )
        parts.append(f"### {heading}")
        parts.append(standing if part["held_out"] else quote(f"**{standing}**"))
        parts += [say("unseen_value", **part["left_out"])] if part.get("left_out") else []
        parts.append(_comparison_table(part, sides(run.comparison), say))
        if "statistics" in part and len(sides(run.comparison)) == 2:
            parts.append(_evidence(part, say))
    return "\n\n".join(parts)


def standing_of(part: Record, comparison: Record, say: Words) -> str:
    """Say whether training saw a set of questions."""
    if part["held_out"]:
        return say("cross_validated" if part["name"] == "cross-validated" else "held_out")
    if not is_known(comparison):
        return say("unknown")
    if part["name"] == "dev" and not part["seen_in_training"]:
        return say("chosen_on")
    return say("seen", seen=part["seen_in_training"], count=part["num_queries"])


def sides(comparison: Record) -> list[tuple[str, str]]:
    """Return for each model the key of its metrics and the key of its name in `words`.

    A comparison can have only one model.
    """
    if len(comparison.get("models", ("before", "after"))) == 1:
        return [("before", "model")]
    return [("before", "before"), ("after", "after")]


def baselines_of(part: Record) -> dict[str, Record]:
    """Return the metrics of the baselines by name; none for a set ranked among candidates."""
    return dict(part.get("baselines") or {})


def baseline_names(comparison: Record) -> list[str]:
    """Return the names of all baselines that a comparison has, each once."""
    parts = comparison.get("sets", [])
    return list(dict.fromkeys(name for part in parts for name in baselines_of(part)))


def interval(part: Record, key: str, side: str) -> Record | None:
    """Return the ends of the 95% interval of a metric as `low` and `high`, or None if it has none.

    Top-k and MRR have one; files of older versions have none of MRR.

    Args:
        part: a set of questions.
        key: the key of the metric.
        side: `before`, `after` or the name of a baseline.
    """
    short = key.removeprefix("top")
    if side in baselines_of(part):
        found: Record = part["baselines"][side]["intervals"]
        return found.get(short)
    statistics = part.get("statistics", {})
    of_sides = statistics.get("success", {}).get(short) or statistics.get(key, {}).get("intervals")
    return (of_sides or {}).get(side)


def span(part: Record, key: str, side: str) -> str:
    """Write the interval of a metric: 46–72%, or 0.312–0.420; "" if it has none."""
    found = interval(part, key, side)
    if found is None:
        return ""
    written = numbers.span if key in ACCURACIES else numbers.decimals
    return written(found["low"], found["high"])


def is_known(comparison: Record) -> bool:
    """Return whether it is known which questions were trained on."""
    return bool(comparison.get("trained_on_known", True))


def recalls(part: Record) -> dict[str, str]:
    """Return the names of the Recall@k metrics of a set of questions, by their keys."""
    return {
        key: f"Recall@{key.removeprefix(_RECALL)}"
        for key in part["before"]
        if key.startswith(_RECALL)
    }


def _remembered(comparison: Record, say: Words) -> list[str]:
    """Compare, on the same questions, a model that saw them with models that did not."""
    sources = [part["source"] for part in comparison["sets"]]
    source = "candidates" if "candidates" in sources else "corpus"
    parts = {part["name"]: part for part in comparison["sets"] if part["source"] == source}
    seen, unseen = parts.get("all"), parts.get("cross-validated")
    if not seen or not unseen or not seen["seen_in_training"]:
        return []
    won = {name: part["after"]["top1"] - part["before"]["top1"]
           for name, part in (("seen", seen), ("unseen", unseen))}  # fmt: skip
    return [
        say(
            f"remembered_{source}",
            count=seen["num_queries"],
            trained=seen["seen_in_training"],
            before=numbers.percent(seen["before"]["top1"]),
            after=numbers.percent(seen["after"]["top1"]),
            crossed=numbers.percent(unseen["after"]["top1"]),
            seen=numbers.points(won["seen"]),
            unseen=numbers.points(won["unseen"]),
        )
    ]


def _judgement(part: Record, say: Words) -> str:
    before, after, count = part["before"], part["after"], part["num_queries"]
    # Metrics are means of floats, so values that differ only in their last bits count as equal.
    difference = round(after["mrr"] - before["mrr"], 9)
    changes = [
        say(
            "verdict_change",
            metric=ACCURACIES["top1"],
            before=numbers.counted(before["top1"], count),
            after=numbers.counted(after["top1"], count),
            chance=numbers.percent(before["chance"]["top1"]),
        ),
        say(
            "verdict_change",
            metric=say("mrr"),
            before=numbers.decimal(before["mrr"]),
            after=numbers.decimal(after["mrr"]),
            chance=numbers.decimal(before["chance"]["mrr"]),
        ),
    ]
    return say(
        "verdict",
        judgement=say("better" if difference > 0 else "worse" if difference < 0 else "same"),
        count=count,
        source=say(f"among_{part['source']}"),
        changes=say("and").join(changes),
    )


def _evidence(part: Record, say: Words) -> str:
    """Write the intervals and tests of the differences."""
    statistics = part["statistics"]
    metrics = {key: say(key) for key in ("mrr", "ndcg10")} | recalls(part)
    found = [
        say(
            "evidence",
            metric=name,
            difference=numbers.signed(statistics[key]["difference"]),
            low=numbers.signed(statistics[key]["low"]),
            high=numbers.signed(statistics[key]["high"]),
            p=numbers.probability(statistics[key]["p"]),
        )
        for key, name in metrics.items()
    ]
    for k, flips in statistics["success"].items():
        p = numbers.probability(flips["p"])
        found.append(say("flips", k=k, fixed=flips["fixed"], broken=flips["broken"], p=p))
    return say("semicolon").join(found)


def _comparison_table(part: Record, shown: Sequence[tuple[str, str]], say: Words) -> str:
    count, chance = part["num_queries"], part["before"]["chance"]
    both = len(shown) == 2
    baselines = {say(f"baseline_{name}"): found for name, found in baselines_of(part).items()}
    columns = [*baselines.values(), *(part[side] for side, _ in shown)]
    header = [say("metric"), say("chance"), *baselines, *(say(name) for _, name in shown)]
    header += [say("change")] if both else []
    header += [say("interval_of", name=name) for name in baselines]
    header += map(say, ("interval_before", "interval_after") if both else ("interval",))
    rows = []
    for key, name in ACCURACIES.items():
        values = [column[key] for column in columns]
        row = [name, numbers.percent(chance[key])]
        row += [numbers.counted(value, count) for value in values]
        row += [numbers.points(values[-1] - values[-2])] if both else []
        rows.append(row + [numbers.interval(value, count) for value in values])
    for key, name in ({key: say(key) for key in MEANS} | recalls(part)).items():
        values = [column[key] for column in columns]
        row = [name, numbers.decimal(chance[key]), *map(numbers.decimal, values)]
        row += [numbers.difference(values[-2], values[-1])] if both else []
        names = [*baselines_of(part), *(side for side, _ in shown)]
        rows.append(row + [span(part, key, side) for side in names])
    ties = (numbers.percent(column["ties"]) for column in columns)
    return table(header, [*rows, [say("ties"), "", *ties]])
