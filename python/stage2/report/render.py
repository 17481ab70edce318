"""The report of a run folder, section by section, and the table that a run ends with."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from stage2 import files
from stage2.report import chart, inventory, numbers
from stage2.report.markdown import aligned, escape
from stage2.report.markdown import table as markdown_table
from stage2.report.run import Record, Run, read_run
from stage2.report.text import Words, words

ACCURACIES = {"top1": "Top-1", "top3": "Top-3", "top5": "Top-5"}
FEW_QUESTIONS = 100


def write_report(run: str | os.PathLike[str], language: str = "en") -> Path:
    """Write `report.md` and the loss curve into a run folder.

    A section whose step has not run says so, and names the command that runs it.

    Args:
        run: folder of the run.
        language: `en` or `zh`.

    Returns:
        The report's path.

    Raises:
        ValueError: there is no such language.
    """
    say = words(language)
    results = read_run(Path(run))
    if results.epochs:
        images = chart.loss_curve(results)
        for name in files.CHARTS:
            files.write_bytes(results.folder / name, images[name.rpartition(".")[2]])
    path = results.folder / files.REPORT
    files.write_text(path, render(results, say))
    return path


def render(run: Run, say: Words) -> str:
    """Write the report's Markdown."""
    sections = {
        "data": _data(run, say),
        "samples": _samples(run, say),
        "before_training": _before_training(run, say),
        "hard_examples": _hard_examples(run, say),
        "training_settings": _training_settings(run, say),
        "loss_by_epoch": _loss_by_epoch(run, say),
        "after_training": _before_and_after(run, say),
        "time": _time(run, say),
        "files": inventory.file_table(run, say),
        "how_to_read": _notes(say),
    }
    parts = [f"# {say('title')}", _verdict(run, say), _made_by(run, say)]
    for name, body in sections.items():
        parts += [f"## {say(name)}", body]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(comparison: Record, language: str = "en") -> str:
    """Write before and after as plain text in aligned columns, for a terminal.

    Held-out questions where there are any; otherwise all sets, each with a warning.

    Raises:
        ValueError: there is no such language.
    """
    say = words(language)
    sets = comparison["sets"]
    blocks = []
    for part in [part for part in sets if part["held_out"]] or sets:
        rows = [["", *ACCURACIES.values(), say("mrr")], [say("chance"), *_chances(part["before"])]]
        for side, name in _sides(comparison):
            metrics = part[side]
            accuracies = [numbers.counted(metrics[k], part["num_queries"]) for k in ACCURACIES]
            rows.append([say(name), *accuracies, f"{metrics['mrr']:.3f}"])
        heading = f"{_set_heading(part, say)}: {_standing(part, comparison, say)}"
        blocks.append(f"{heading}\n{aligned(rows, indent='  ')}")
    return "\n\n".join(blocks)


def _verdict(run: Run, say: Words) -> str:
    """What came of it, in words, on questions that training never saw; or why nobody can say."""
    comparison = run.comparison
    if not comparison:
        return _quote(say("no_comparison"))
    held_out = [part for part in comparison["sets"] if part["held_out"]]
    if not held_out:
        if not comparison.get("trained_on_known", True):
            return _quote(say("training_unknown"))
        part = comparison["sets"][-1]
        return _quote(
            say("measured_on_training", seen=part["seen_in_training"], count=part["num_queries"])
        )
    lines = [_judgement(part, say) for part in held_out]
    if run.shipped_epoch == 0:
        lines.append(say("stage1_shipped" if run.epochs else "nothing_to_train"))
    count = held_out[0]["num_queries"]
    if count < FEW_QUESTIONS:
        lines.append(say("few_questions", count=count))
    return "\n".join(f"- {line}" for line in lines)


def _judgement(part: Record, say: Words) -> str:
    before, after = part["before"], part["after"]
    difference = after["mrr"] - before["mrr"]
    changes = [
        say(
            "verdict_change",
            metric=ACCURACIES["top1"],
            before=numbers.counted(before["top1"], part["num_queries"]),
            after=numbers.counted(after["top1"], part["num_queries"]),
            chance=numbers.percent(before["chance"]["top1"]),
        ),
        say(
            "verdict_change",
            metric=say("mrr"),
            before=f"{before['mrr']:.3f}",
            after=f"{after['mrr']:.3f}",
            chance=f"{before['chance']['mrr']:.3f}",
        ),
    ]
    return say(
        "verdict",
        judgement=say("better" if difference > 0 else "worse" if difference < 0 else "same"),
        count=part["num_queries"],
        source=say(f"among_{part['source']}"),
        changes=say("and").join(changes),
    )


def _made_by(run: Run, say: Words) -> str:
    keys = ("stage2_version", "seed", "started")
    if not all(key in run.record for key in keys):
        return ""
    version, seed, started = (escape(run.record[key]) for key in keys)
    return say("made_by", version=version, seed=seed, started=started)


def _data(run: Run, say: Words) -> str:
    data = run.data
    if "num_qa" not in data:
        return _not_run(say, "prepare")
    rows = [(say(key), _count(data.get(key), say)) for key in
            ("num_qa", "num_chunks", "num_annotations")]  # fmt: skip
    if data.get("source") in ("sample", "files"):
        rows.append((say("source"), say(f"source_{data['source']}")))
    for name, facts in (data.get("files") or {}).items():
        written = say(
            "input_file",
            path=escape(Path(str(facts.get("path", ""))).name),
            rows=_count(facts.get("rows"), say),
            hash=escape(str(facts.get("sha256", ""))[:12]),
        )
        rows.append((escape(name), written))
    return _facts(rows, say)


def _samples(run: Run, say: Words) -> str:
    data, pairs = run.data, run.mining.get("pairs") or {}
    count = data.get("num_samples", run.mining.get("num_samples"))
    if count is None:
        return _not_run(say, "prepare")
    rows = [(say("num_samples"), _count(count, say))]
    if data.get("negatives") is not None:
        rows.append((say("contexts"), say("contexts_value", negatives=escape(data["negatives"]))))
    rows.append((say("texts_encoded"), _count(data.get("texts_encoded"), say)))
    rows.append((say("pairs_entity"), _count(pairs.get("entity"), say)))
    rows.append((say("pairs_fallback"), _count(pairs.get("fallback"), say)))
    split = run.record.get("split")
    if split:
        sizes = {name: split.get(name, 0) for name in ("train", "dev", "test")}
        rows.append((say("split"), say(f"split_{split['by']}", **sizes)))
    return _facts(rows, say)


def _before_training(run: Run, say: Words) -> str:
    metrics = run.mining.get("metrics")
    if not metrics:
        return _not_run(say, "mine")
    count, chance = metrics["num_queries"], metrics["chance"]
    rows = [
        [name, numbers.percent(chance[key]), numbers.counted(metrics[key], count),
         numbers.interval(metrics[key], count)]
        for key, name in ACCURACIES.items()
    ]  # fmt: skip
    for key in ("mrr", "ndcg10", "mean_rank"):
        rows.append([say(key), _decimal(chance[key]), _decimal(metrics[key]), ""])
    rows.append([say("ties"), "", numbers.percent(metrics["ties"]), ""])
    header = [say("metric"), say("chance"), say("result"), say("interval")]
    notes = [say("below_chance")] if metrics["top1"] < chance["top1"] else []
    return "\n\n".join([markdown_table(header, rows), *notes])


def _hard_examples(run: Run, say: Words) -> str:
    mining = run.mining
    if "num_hard" not in mining:
        return _not_run(say, "mine")
    written = numbers.counted(mining["hard_share"], mining["num_samples"])
    rows = [
        (say("hard_rule"), say("hard_rule_value", topk=mining["topk"])),
        (say("num_hard"), written),
    ]
    trained_on = (run.record.get("split") or {}).get("trained_on")
    if trained_on is not None:
        rows.append((say("trained_on"), _count(trained_on, say)))
    note = [] if mining["num_hard"] else [say("no_hard")]
    return "\n\n".join([_facts(rows, say), *note])


def _training_settings(run: Run, say: Words) -> str:
    if not run.log:
        return _not_run(say, "train")
    rows = [(say("hard_examples"), _count(run.log[-1].get("train_examples"), say))]
    for key in ("epochs", "batch_size", "learning_rate", "weight_decay", "margin", "pairs",
                "similarity", "seed"):  # fmt: skip
        rows.append((say(key), escape(run.settings.get(key, say("none")))))
    shipped = run.record.get("shipped") or {}
    if run.shipped_epoch is not None and shipped.get("dev_value") is not None:
        written = say(
            "shipped_value",
            name=_epoch_name(run.shipped_epoch, say),
            metric=say("mrr"),
            value=_decimal(shipped["dev_value"]),
        )
        rows.append((say("shipped"), written))
    return _facts(rows, say)


def _loss_by_epoch(run: Run, say: Words) -> str:
    if not run.epochs:
        return _not_run(say, "train")
    first, last = run.epochs[0], run.epochs[-1]
    rows = []
    for row in run.log:
        dev, loss = row.get("dev") or {}, row.get("loss")
        shipped = row["epoch"] == run.shipped_epoch
        rows.append([
            f"**{row['epoch']}**" if shipped else str(row["epoch"]),
            say("none") if loss is None else f"{loss:.4f}",
            "" if loss is None or row is first else numbers.change(first["loss"], loss),
            numbers.percent(dev["top1"]) if dev else say("none"),
            _decimal(dev["mrr"]) if dev else say("none"),
            f"{row['seconds']:.1f}",
        ])  # fmt: skip
    header = [
        say("epoch"),
        say("loss"),
        say("against_first"),
        say("dev_metric", metric=ACCURACIES["top1"]),
        say("dev_metric", metric=say("mrr")),
        say("seconds"),
    ]
    parts = [markdown_table(header, rows)]
    if run.shipped_epoch is not None:
        parts.append(f"**{say('shipped')}**: {_epoch_name(run.shipped_epoch, say)}")
    if first is not last:
        change = numbers.change(first["loss"], last["loss"])
        parts.append(say("loss_change", first=first["epoch"], last=last["epoch"], change=change))
    parts.append(f"![{say('curve')}]({files.CHARTS[0]})")
    parts.append(f"[{files.CHARTS[1]}]({files.CHARTS[1]})")
    return "\n\n".join(parts)


def _before_and_after(run: Run, say: Words) -> str:
    if not run.comparison:
        return _not_run(say, "evaluate")
    parts = []
    for part in run.comparison["sets"]:
        standing = _standing(part, run.comparison, say)
        parts.append(f"### {escape(_set_heading(part, say))}")
        parts.append(standing if part["held_out"] else _quote(f"**{standing}**"))
        parts.append(_comparison_table(part, _sides(run.comparison), say))
    return "\n\n".join(parts)


def _comparison_table(part: Record, sides: Sequence[tuple[str, str]], say: Words) -> str:
    count, chance = part["num_queries"], part["before"]["chance"]
    both = len(sides) == 2
    header = [say("metric"), say("chance"), *(say(name) for _, name in sides)]
    header += (
        [say("change"), say("interval_before"), say("interval_after")]
        if both
        else [say("interval")]
    )
    rows = []
    for key, name in ACCURACIES.items():
        values = [part[side][key] for side, _ in sides]
        row = [name, numbers.percent(chance[key])]
        row += [numbers.counted(value, count) for value in values]
        row += [numbers.points(values[1] - values[0])] if both else []
        rows.append(row + [numbers.interval(value, count) for value in values])
    for key in ("mrr", "ndcg10", "mean_rank"):
        values = [part[side][key] for side, _ in sides]
        row = [say(key), _decimal(chance[key]), *map(_decimal, values)]
        row += [f"{values[1] - values[0]:+.3f}"] if both else []
        rows.append(row + [""] * len(values))
    row = [say("ties"), "", *(numbers.percent(part[side]["ties"]) for side, _ in sides)]
    rows.append(row + [""] * (len(header) - len(row)))
    return markdown_table(header, rows)


def _time(run: Run, say: Words) -> str:
    stages = run.record.get("stages")
    if not stages:
        return _not_run(say, "run")
    seconds = {name: facts["seconds"] for name, facts in stages.items()}
    rows = [[say(f"stage_{name}"), f"{value:.1f}"] for name, value in seconds.items()]
    rows.append([f"**{say('total')}**", f"**{sum(seconds.values()):.1f}**"])
    facts = []
    record = {key: escape(value) for key, value in run.record.items()}
    if "device" in record:
        written = say(
            "device_value", device=record["device"], precision=record.get("precision", say("none"))
        )
        facts.append((say("device"), written))
    if "cpu" in record:
        facts.append((say("cpu"), record["cpu"]))
    if "python" in record and "torch" in record:
        versions = say("versions_value", python=record["python"], torch=record["torch"])
        facts.append((say("versions"), versions))
    parts = [markdown_table([say("step"), say("seconds")], rows)]
    return "\n\n".join([*parts, *([_facts(facts, say)] if facts else [])])


def _notes(say: Words) -> str:
    return "\n".join(f"- {say(f'note_{name}')}" for name in ("chance", "ties", "interval", "dev"))


def _sides(comparison: Record) -> list[tuple[str, str]]:
    """Keys of a set's metrics and of their names: one model may stand alone."""
    if len(comparison.get("models", ("before", "after"))) == 1:
        return [("before", "model")]
    return [("before", "before"), ("after", "after")]


def _set_heading(part: Record, say: Words) -> str:
    name = part["name"]
    known = name in ("test", "dev", "train", "all")
    return say(
        "set_heading",
        count=part["num_queries"],
        set=say(f"set_{name}") if known else name,
        source=say(f"among_{part['source']}"),
    )


def _standing(part: Record, comparison: Record, say: Words) -> str:
    """What training knew of a set of questions."""
    if part["held_out"]:
        return say("held_out")
    if not comparison.get("trained_on_known", True):
        return say("unknown")
    if part["name"] == "dev" and not part["seen_in_training"]:
        return say("chosen_on")
    return say("seen", seen=part["seen_in_training"], count=part["num_queries"])


def _chances(metrics: Record) -> list[str]:
    chance = metrics["chance"]
    return [*(numbers.percent(chance[key]) for key in ACCURACIES), f"{chance['mrr']:.3f}"]


def _epoch_name(epoch: int, say: Words) -> str:
    return say("epoch_number", number=epoch) if epoch else say("stage1")


def _facts(rows: Sequence[tuple[str, str]], say: Words) -> str:
    return markdown_table([say("item"), say("value")], rows)


def _count(value: object, say: Words) -> str:
    return f"{value:,}" if isinstance(value, int) else say("none")


def _decimal(value: float) -> str:
    return f"{value:.3f}"


def _not_run(say: Words, command: str) -> str:
    """A table that says which command fills it."""
    row = [say("not_run", command=f"stage2 {command}"), say("none")]
    return markdown_table([say("item"), say("value")], [row])


def _quote(text: str) -> str:
    return f"> {text}"
