"""The sections about training: its settings, the loss by epoch, and which model was shipped."""

from __future__ import annotations

from stage2.config import SETTINGS
from stage2.report import numbers
from stage2.report.before_after import ACCURACIES
from stage2.report.markdown import escape, facts, not_run, table
from stage2.report.run import Record, Run
from stage2.report.words import Words
from stage2.usage import counted
from stage2.utils import files

_ROWS = sorted(
    (name for name, item in SETTINGS.items() if item.metadata["row"] is not None),
    key=lambda name: SETTINGS[name].metadata["row"],
)


def training_settings(run: Run, say: Words) -> str:
    """Write the settings that the trained model was made from."""
    made_from = run.made_from("train")
    if not made_from and not run.log:
        return not_run(say, "train")
    seen = run.log[-1]["train_examples"] if run.log else 0
    examples = run.shipped.get("refit_on") or seen
    rows = [(say("trained_on"), f"{examples:,}")]
    names = {"loss": "loss_function"}
    used = counted(made_from)
    rows += [(say(names.get(key, key)), escape(made_from[key])) for key in _ROWS if key in used]
    if teacher := run.record.get("teacher"):
        share, questions = numbers.percent(teacher["top1"]), f"{teacher['questions']:,}"
        told = say("teacher_told", name=escape(teacher["name"]), share=share, questions=questions)
        rows.append((say("teacher"), told))
    return facts(rows, say)


def loss_by_epoch(run: Run, say: Words) -> str:
    """Write the loss and the dev metrics by epoch, the choice of the model, and the chart."""
    if not run.epochs:
        return say("nothing_to_train") if run.made_from("train") else not_run(say, "train")
    first = run.epochs[0]["loss"]
    rows = []
    for row in run.log:
        dev, loss = row["dev"], row["loss"]
        shipped = row["epoch"] == run.shipped_epoch
        rows.append([
            f"**{_epoch(row, say)}**" if shipped else _epoch(row, say),
            say("none") if loss is None else f"{loss:.4f}",
            "" if loss is None or row is run.epochs[0] else numbers.change(first, loss),
            numbers.percent(dev["top1"]),
            numbers.decimal(dev["mrr"]),
            f"{row['seconds']:.1f}",
        ])  # fmt: skip
    header = [
        say("epoch"),
        say("loss"),
        say("against", name=point_name(run.epochs[0], say)),
        say("dev_metric", metric=ACCURACIES["top1"]),
        say("dev_metric", metric=say("mrr")),
        say("seconds"),
    ]
    png, svg = files.CHARTS
    curve = f"![{say('curve')}]({png})\n\n[{svg}]({svg})"
    return "\n\n".join([table(header, rows), *rounds(run, say), *_remarks(run, say), curve])


def rounds(run: Run, say: Words) -> list[str]:
    """Say of each round but the first when it began and how many of its negatives are new."""
    return [
        say(
            "round_new" if one.negatives is None else "round_new_of",
            number=one.number,
            after=one.after,
            new=f"{one.new:,}",
            negatives=f"{one.negatives or 0:,}",
        )
        for one in run.rounds
    ]


def candidate_name(candidate: Record, say: Words) -> str:
    """Return the name of a candidate: stage 1, an epoch, a step, or a point on the way to one."""
    if candidate["kind"] == "stage1":
        return say("stage1")
    name = point_name(candidate, say)
    if candidate["kind"] == "epoch":
        return name
    return say("interpolation", alpha=f"{candidate['alpha']:g}", epoch=name)


def point_name(row: Record, say: Words) -> str:
    """Return the name of an evaluation: the end of an epoch, or a step in one."""
    if row["epoch"] % 1:
        return say("step_number", step=row.get("step"), epoch=f"{row['epoch']:.2f}")
    return say("epoch_number", number=row["epoch"])


def _epoch(row: Record, say: Words) -> str:
    """Return the cell of the column of epochs."""
    return point_name(row, say) if row["epoch"] % 1 else str(row["epoch"])


def _remarks(run: Run, say: Words) -> list[str]:
    first, last, dev = run.epochs[0], run.epochs[-1], run.log[0]["dev"]
    remarks = []
    if first is not last:
        change = numbers.change(first["loss"], last["loss"])
        names = {"first": point_name(first, say), "last": point_name(last, say)}
        remarks.append(say("loss_change", **names, change=change))
    chance = dev["chance"]
    remarks.append(
        say(
            "dev_questions",
            count=dev["num_queries"],
            top1=numbers.percent(chance["top1"]),
            mrr=numbers.decimal(chance["mrr"]),
        )
    )
    remarks.append(_choice(run, say))
    return remarks


def _choice(run: Run, say: Words) -> str:
    """Say which candidate was shipped and why."""
    shipped = run.shipped
    if not shipped:
        return say("not_shipped")
    name = candidate_name(shipped, say)
    chosen = say(
        "shipped_because",
        name=say("refitted", name=name) if shipped.get("refit_on") else name,
        reason=shipped["reason"][say("language")],
    )
    if not shipped["dev_held_out"]:
        chosen = f"{chosen} **{say('dev_seen')}**"
    return "\n\n".join([chosen, *_candidates(shipped, say)])


def _candidates(shipped: Record, say: Words) -> list[str]:
    """Write the table of all candidates, the best on dev first."""
    if not shipped["candidates"]:
        return []
    rows = [
        [candidate_name(candidate, say), numbers.decimal(candidate["dev_value"])]
        for candidate in shipped["candidates"]
    ]
    return [table([say("candidate"), say("dev_metric", metric=say("mrr"))], rows)]
