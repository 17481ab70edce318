"""The Markdown report of a run folder, section by section."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path, PurePath

from stage2.data.balance import TOLERANCE
from stage2.report import chart, file_table, numbers
from stage2.report.before_after import (
    ACCURACIES,
    MEANS,
    baseline_names,
    before_and_after,
    recalls,
    verdict,
)
from stage2.report.guard import elsewhere, guards_of
from stage2.report.markdown import escape, facts, not_run, quote, table
from stage2.report.page import read_page_data, write_page
from stage2.report.run import Record, Run, read_run
from stage2.report.training import loss_by_epoch, training_settings
from stage2.report.words import Words, words
from stage2.usage import STAGES
from stage2.utils import files
from stage2.utils.schema import WORTH_A_WARNING

# These stages are not part of `stage2 run`.
_BY_THEMSELVES = ("audit", "sweep", "check")


def write_report(
    run: str | os.PathLike[str], language: str = "en", begin: Callable[[], object] | None = None
) -> Path:
    """Write `report.md`, `report.html`, `report.json` and the loss curve into a run folder.

    If a step has not run, its section says so and names the command that runs it.

    Args:
        run: the run folder.
        language: `en` or `zh`.
        begin: called after everything is read and before anything is written.

    Returns:
        The path of `report.md`.

    Raises:
        ValueError: there is no such language.
    """
    say = words(language)
    results = read_run(Path(run))
    # Everything is read before anything is written.
    data = read_page_data(results, language)
    if begin is not None:
        begin()
    if results.epochs:
        images = chart.loss_curve(results)
        for name in files.CHARTS:
            files.write_bytes(results.folder / name, images[name.rpartition(".")[2]])
    path = results.folder / files.REPORT
    files.write_text(path, render(results, say))
    write_page(results, data, language)
    return path


def render(run: Run, say: Words) -> str:
    """Write the report's Markdown."""
    sections = {
        "data": _data(run, say),
        "samples": _samples(run, say),
        "before_training": _before_training(run, say),
        "hard_examples": _hard_examples(run, say),
        "training_settings": training_settings(run, say),
        "loss_by_epoch": loss_by_epoch(run, say),
        "after_training": before_and_after(run, say),
        **({"elsewhere": elsewhere(run.comparison, say)} if guards_of(run.comparison) else {}),
        "time": _time(run, say),
        "files": file_table.file_table(run, say),
        "how_to_read": _notes(run, say),
    }
    parts = [f"# {say('title')}", verdict(run, say), _made_by(run, say)]
    for name, body in sections.items():
        parts += [f"## {say(name)}", body]
    return "\n\n".join(part for part in parts if part) + "\n"


def _made_by(run: Run, say: Words) -> str:
    keys = ("stage2_version", "seed", "started")
    if not all(key in run.record for key in keys):
        return ""
    version, seed, started = (escape(run.record[key]) for key in keys)
    return say("made_by", version=version, seed=seed, started=started)


def _data(run: Run, say: Words) -> str:
    data = run.data
    if not data:
        return not_run(say, "prepare")
    rows = [(say(key), _count(data.get(key), say)) for key in
            ("num_qa", "num_chunks", "num_annotations")]  # fmt: skip
    if data.get("num_questions", data.get("num_qa")) != data.get("num_qa"):
        rows.insert(1, (say("num_questions"), _count(data["num_questions"], say)))
    for kind, counts in data.get("annotated", {}).items():
        found = {name: escape(f"{count:,}") for name, count in counts.items()}
        rows.append((say(f"annotated_{kind}"), say("annotated_value", **found)))
    rows.append((say("source"), say(f"source_{data['source']}")))
    for name, file in data.get("files", {}).items():
        path, digest = escape(PurePath(file["path"]).name), escape(file["sha256"][:12])
        rows.append((escape(name), say("input_file", path=path, hash=digest)))
    for reason, count in data.get("rejected", {}).items():
        rows.append((say("rejected", reason=escape(reason)), _count(count, say)))
    return facts(rows, say)


def _samples(run: Run, say: Words) -> str:
    data, pairs = run.data, run.mining.get("pairs") or {}
    count = data.get("num_samples", run.mining.get("num_samples"))
    if count is None:
        return not_run(say, "prepare")
    rows = [(say("num_samples"), _count(count, say))]
    if data.get("negatives") is not None:
        kind = "contexts_value" if _mined_corpus(run) is None else "contexts_mined"
        rows.append((say("contexts"), say(kind, negatives=escape(data["negatives"]))))
    rows.append((say("texts_encoded"), _count(data.get("texts_encoded"), say)))
    rows += _seen(run, say)
    rows.append((say("pairs_entity"), _count(pairs.get("entity"), say)))
    rows.append((say("pairs_fallback"), _count(pairs.get("fallback"), say)))
    split = run.record.get("split")
    if split:
        rows += _split(split, say)
    warned = [quote(f"**{say('texts_unseen')}**")] if much_unseen(run) else []
    return "\n\n".join([facts(rows, say), *warned])


def much_unseen(run: Run) -> bool:
    """Return whether the model misses so much of the texts that a warning is due."""
    texts = (run.record.get("texts") or {}).values()
    shares = [text[name] for text in texts for name in ("lost_share", "unknown_share")]
    return max(shares, default=0.0) > WORTH_A_WARNING


def _seen(run: Run, say: Words) -> list[tuple[str, str]]:
    """Write how much of the texts of each role the model sees."""
    return [
        (
            say(f"texts_{role}"),
            say(
                "texts_seen" if text["counted"] == text["texts"] else "texts_seen_of_some",
                cut=_count(text["cut"], say),
                counted=_count(text["counted"], say),
                texts=_count(text["texts"], say),
                max_length=escape(text["max_length"]),
                lost=numbers.percent(text["lost_share"]),
                unknown=numbers.percent(text["unknown_share"]),
            ),
        )
        for role, text in (run.record.get("texts") or {}).items()
    ]


def _split(split: Record, say: Words) -> list[tuple[str, str]]:
    """Write how the questions were split, how even the sides are, and what may have leaked."""
    sizes = {name: split.get(name, 0) for name in ("train", "dev", "test")}
    rows = [(say("split"), say(f"split_{split['by']}", rule=_rule(split, say), **sizes))]
    folds = split.get("folds")
    if folds:
        counts = " + ".join(map(str, folds["sizes"]))
        rows.append((say("folds"), say("folds_value", rule=_rule(folds, say), sizes=counts)))
    if split.get("overlaps"):
        rows.append((say("overlaps"), say("overlaps_value", **split["overlaps"])))
    placed = [(say("split"), split), *([(say("folds"), folds)] if folds else [])]
    for part, found in placed:
        furthest = found.get("furthest_from_its_share", 0)
        if furthest > TOLERANCE:
            largest = found["largest_kept_together"]
            value = say("uneven_value", largest_kept_together=largest,
                        furthest=numbers.percent(furthest))  # fmt: skip
            rows.append((say("uneven", part=part), value))
        if found.get("questions_tied"):
            value = say("tied_value", tied=_count(found["questions_tied"], say))
            rows.append((say("tied", part=part), value))
    leaks = [(say(f"plain_{name}"), counts) for name, counts in (split.get("leaked") or {}).items()]
    leaks += [(say("folds"), folds["leaked"])] if folds else []
    for part, counts in leaks:
        if any(counts.values()):
            why = "leaked_given" if split.get("rule") == "given" else "leaked_value"
            rows.append((say("leaked", part=part), say(why, **counts)))
    asked = sizes | {"cross-validated": sum(folds["sizes"]) if folds else 0}
    for name, counts in ((split.get("unseen") or {}) | ((folds or {}).get("unseen") or {})).items():
        none = "unseen_none_dev" if name == "dev" else "unseen_none"
        what = none if counts["questions_with_no_other"] == asked[name] else "unseen_value"
        rows.append((say("unseen", part=say(f"plain_{name}")), say(what, **counts)))
    return rows


def _rule(facts: Record, say: Words) -> str:
    return say(f"rule_{facts.get('rule', 'group')}", cut=facts.get("chunks_cut", 0))


def _mined_corpus(run: Run) -> Record | None:
    """Return what mining found in the corpus; None if the candidates were not mined."""
    return run.mining.get("corpus") if run.mining.get("source") == "corpus" else None


def _before_training(run: Run, say: Words) -> str:
    # A model that chose the candidates by its own scores chose its ranks among them too.
    if (mined := _mined_corpus(run)) is not None:
        count = run.mining["num_samples"]
        header = [say("metric"), say("result"), say("interval")]
        rows = [
            [name, numbers.counted(mined[key], count), numbers.interval(mined[key], count)]
            for key, name in ACCURACIES.items()
        ]
        note = say("among_all_chunks", count=_count(mined["chunks"], say))
        return "\n\n".join([table(header, rows), note])
    metrics = run.mining.get("metrics")
    if not metrics:
        return not_run(say, "mine")
    count, chance = metrics["num_queries"], metrics["chance"]
    rows = [
        [name, numbers.percent(chance[key]), numbers.counted(metrics[key], count),
         numbers.interval(metrics[key], count)]
        for key, name in ACCURACIES.items()
    ]  # fmt: skip
    for key in MEANS:
        rows.append([say(key), numbers.decimal(chance[key]), numbers.decimal(metrics[key]), ""])
    rows.append([say("ties"), "", numbers.percent(metrics["ties"]), ""])
    header = [say("metric"), say("chance"), say("result"), say("interval")]
    notes = [say("below_chance")] if metrics["top1"] < chance["top1"] else []
    return "\n\n".join([table(header, rows), *notes])


def _hard_examples(run: Run, say: Words) -> str:
    mining = run.mining
    if "num_hard" not in mining:
        return not_run(say, "mine")
    written = numbers.counted(mining["hard_share"], mining["num_samples"])
    rows = [
        (say("hard_rule"), say("hard_rule_value", topk=mining["topk"])),
        (say("num_hard"), written),
    ]
    trained_on = (run.record.get("split") or {}).get("trained_on")
    if trained_on is not None:
        rows.append((say("trained_on"), _count(trained_on, say)))
    note, below = [], mining.get("num_below_topk") or 0
    if below > mining["num_hard"]:
        count = _count(below - mining["num_hard"], say)
        note.append(say("hard_without_negative", count=count, topk=mining["topk"]))
    elif not mining["num_hard"]:
        note.append(say("no_hard"))
    return "\n\n".join([facts(rows, say), *note])


def _time(run: Run, say: Words) -> str:
    stages = run.record.get("stages")
    if not stages:
        return not_run(say, "run")
    rows = [
        [say(f"stage_{name}"), f"{stages[name]['seconds']:.1f}" if name in stages else say("none")]
        for name in STAGES
        if name in stages or name not in _BY_THEMSELVES
    ]
    total = sum(stage["seconds"] for stage in stages.values())
    rows.append([f"**{say('total')}**", f"**{total:.1f}**"])
    record = {key: escape(value) for key, value in run.record.items()}
    machine = [(say("cpu"), record["cpu"])]
    if "torch" in record:  # `stage2 prepare` does not use torch
        device = say("device_value", device=record["device"], precision=record["precision"])
        versions = say("versions_value", python=record["python"], torch=record["torch"])
        machine = [(say("device"), device), *machine, (say("versions"), versions)]
    return f"{table([say('step'), say('seconds')], rows)}\n\n{facts(machine, say)}"


def _notes(run: Run, say: Words) -> str:
    names = ["chance", *baseline_names(run.comparison), "ties", "interval", "test", "dev"]
    if any(map(recalls, run.comparison.get("sets", []))):
        names.insert(1, "recall")
    return "\n".join(f"- {say(f'note_{name}')}" for name in names)


def _count(value: object, say: Words) -> str:
    return f"{value:,}" if isinstance(value, int) else say("none")
