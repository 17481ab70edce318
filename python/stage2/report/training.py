"""Training: its settings, the loss by epoch, and which epoch was shipped and why."""

from __future__ import annotations

from stage2 import files
from stage2.report import numbers
from stage2.report.compared import ACCURACIES
from stage2.report.markdown import escape, facts, not_run, table
from stage2.report.run import Run
from stage2.report.text import Words

_SETTINGS = (
    "epochs",
    "batch_size",
    "learning_rate",
    "weight_decay",
    "margin",
    "pairs",
    "similarity",
    "precision",
    "split",
    "dev_share",
    "test_share",
    "seed",
)


def training_settings(run: Run, say: Words) -> str:
    """Write the settings that the trained model was made from."""
    made_from = run.made_from("train")
    if not made_from and not run.log:
        return not_run(say, "train")
    examples = run.log[-1]["train_examples"] if run.log else 0
    rows = [(say("hard_examples"), f"{examples:,}")]
    rows += [(say(key), escape(made_from[key])) for key in _SETTINGS if key in made_from]
    return facts(rows, say)


def loss_by_epoch(run: Run, say: Words) -> str:
    """Write loss and dev metrics by epoch, the choice, and the curve."""
    if not run.epochs:
        return say("nothing_to_train") if run.made_from("train") else not_run(say, "train")
    first = run.epochs[0]["loss"]
    rows = []
    for row in run.log:
        dev, loss = row["dev"], row["loss"]
        shipped = row["epoch"] == run.shipped_epoch
        rows.append([
            f"**{row['epoch']}**" if shipped else str(row["epoch"]),
            say("none") if loss is None else f"{loss:.4f}",
            "" if loss is None or row is run.epochs[0] else numbers.change(first, loss),
            numbers.percent(dev["top1"]),
            numbers.decimal(dev["mrr"]),
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
    png, svg = files.CHARTS
    curve = f"![{say('curve')}]({png})\n\n[{svg}]({svg})"
    return "\n\n".join([table(header, rows), *_remarks(run, say), curve])


def epoch_name(epoch: int, say: Words) -> str:
    """Epoch 0 is stage 1."""
    return say("epoch_number", number=epoch) if epoch else say("stage1")


def _remarks(run: Run, say: Words) -> list[str]:
    first, last, dev = run.epochs[0], run.epochs[-1], run.log[0]["dev"]
    remarks = []
    if first is not last:
        change = numbers.change(first["loss"], last["loss"])
        remarks.append(say("loss_change", first=first["epoch"], last=last["epoch"], change=change))
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
    """Which epoch was shipped, and why."""
    if run.shipped_epoch is None:
        return say("not_shipped")
    shipped = run.record["shipped"]
    chosen = say(
        "shipped_because",
        name=epoch_name(run.shipped_epoch, say),
        value=numbers.decimal(shipped["dev_value"]),
        count=len(run.epochs),
    )
    return chosen if shipped["dev_held_out"] else f"{chosen} **{say('dev_seen')}**"
