"""The stages, one function a command: gather and check first, then write.

Nothing here computes: it says in which order what is computed, and which file the answer goes to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stage2 import checkpoint, console, files
from stage2.arrays import Ints
from stage2.candidates import choose_on_dev, shipped, untrained
from stage2.config import Settings
from stage2.corpus_mining import CorpusMining, check_mining, mine_corpus
from stage2.cross_validation import cross_validate, folds_wanted
from stage2.data import Samples, split_by_chunk
from stage2.device import resolve_device, resolve_precision
from stage2.errors import BadInputError
from stage2.evaluate import (
    Evaluation,
    QuestionSet,
    check_regression,
    compare,
    evaluate,
    per_question,
)
from stage2.init import default_backbone
from stage2.inputs import Inputs, gather, with_folder_files
from stage2.lists import RankingLists, ranking_lists
from stage2.mining import TOPK, Scored
from stage2.model import ProbabilisticGBERTV4
from stage2.prepare import write_constructed
from stage2.report import table, write_report
from stage2.report.text import CATALOGS, words
from stage2.runfolder import RunFolder
from stage2.splits import Groups, group_questions
from stage2.stage1 import chunks_to_fit, model_hash, new_model, stage1
from stage2.train import DEV_METRIC, Trained, no_hard_examples, train

# `--corpus auto` ranks against every chunk up to this many: on a CPU they take a minute or so.
CORPUS_AUTO = 5_000


def init(settings: Settings) -> None:
    """Make a stage-1 model and write its folder."""
    resolve_precision(settings.precision, resolve_device(settings.device))
    run = RunFolder(settings)
    hashes = {"backbone": settings.backbone or default_backbone()}
    chunks: Sequence[str] = ()
    if settings.fit:
        chunks, hashes["chunks"] = chunks_to_fit(settings)
    model = new_model(settings, chunks)
    run.begin({"init": hashes})
    model.save_pretrained(run / files.STAGE1_MODEL)
    run.done("init", hashes)
    console.say(f"stage-1 model: {run / files.STAGE1_MODEL}")


def mine(settings: Settings) -> None:
    """Prepare if need be, score, rank, select hard examples."""
    resolve_precision(settings.precision, resolve_device(settings.device))
    run = RunFolder(settings)
    inputs = gather(settings)
    check_mining(settings, inputs)
    model, model_hashes, made = stage1(settings, run, inputs)
    run.begin(_stage_inputs(inputs, model_hashes, made))
    inputs, mined = _candidates(run, model, inputs)
    if inputs.dataset is not None:
        write_constructed(run, inputs)
    _keep_stage1(run, model, inputs, model_hashes, made)
    lists = ranking_lists(model, inputs.samples, inputs.annotations, similarity=settings.similarity)
    with console.bar("scoring") as progress:
        evaluation = evaluate(model, lists, settings.precision, progress)
    write_mined(run, inputs, model_hashes, evaluation, mined)


def train_command(settings: Settings) -> None:
    """Train on the samples of --data, or on the hard examples that the folder holds."""
    resolve_precision(settings.precision, resolve_device(settings.device))
    run = RunFolder(settings)
    if settings.data is None and (run / files.HARD).is_file():
        settings = replace(settings, data=str(run / files.HARD))
        run.settings = settings
    if settings.data is None:
        raise BadInputError(
            f"nothing to train on: no --data, and no {files.HARD} in {run.path}. "
            "Make one with stage2 mine"
        )
    if Path(settings.data).is_file() and not Path(settings.data).stat().st_size:
        raise BadInputError(f"{settings.data}: {no_hard_examples(settings.topk)}")
    settings, inputs = with_folder_files(settings, run)
    hashes = dict(inputs.hashes)
    model, model_hashes, made = stage1(settings, run, inputs)
    rows = np.arange(len(inputs.samples))
    dev_samples = inputs.samples
    if settings.dev_data is not None:
        dev_samples = Samples.load_jsonl(settings.dev_data, settings.on_error)
        hashes["dev_data"] = files.sha256(settings.dev_data)
        train_rows, dev_rows = rows, np.arange(len(dev_samples))
    elif settings.split == "none":
        train_rows = dev_rows = rows
    else:
        train_rows, dev_rows, _ = split_by_chunk(
            inputs.samples, settings.dev_share, 0, settings.seed
        )
    run.begin({"train": hashes | model_hashes})
    _keep_stage1(run, model, inputs, model_hashes, made)
    lists, dev = (
        ranking_lists(model, samples, inputs.annotations, similarity=settings.similarity)
        for samples in (inputs.samples, dev_samples)
    )
    lists, dev = lists.subset(train_rows), dev.subset(dev_rows)
    held_out = settings.dev_data is not None or settings.split != "none"
    fit(run, model, lists, dev, hashes | model_hashes, held_out)


def evaluate_command(settings: Settings, models: Sequence[str]) -> None:
    """Evaluate one model, or two on the same samples, and print the table."""
    resolve_precision(settings.precision, resolve_device(settings.device))
    run = RunFolder(settings)
    if not 1 <= len(models) <= 2:
        raise BadInputError(
            f"{len(models)} models; expected --model once, or twice for before and after"
        )
    if settings.fail_if_regressed and len(models) == 1:
        raise BadInputError(
            "--fail-if-regressed compares two models; give --model twice, before and after"
        )
    settings, inputs = with_folder_files(settings, run)
    loaded = [checkpoint.load_model(path, settings.backbone) for path in models]
    hashes = dict(inputs.hashes)
    for number, path in enumerate(models, 1):
        hashes[f"model_{number}"] = model_hash(path)
    run.begin({"evaluate": hashes})
    evaluations = [_evaluate(settings, model, inputs, name) for model, name in
                   zip(loaded, models, strict=True)]  # fmt: skip
    before, after = evaluations[0], evaluations[-1]
    everyone = np.arange(len(inputs.samples))
    questions = list(inputs.samples.questions)
    files.write_json(run / files.EVALUATION, before.rows(questions))
    if len(models) == 2:
        files.write_json(run / files.EVALUATION_AFTER, after.rows(questions))
    # What a model was trained on cannot be read off its weights: nothing is claimed held out.
    grouped = group_questions(inputs.samples)
    sets = [QuestionSet("all", everyone, held_out=False)]
    comparison = write_comparison(run, inputs, grouped, before.by_source(), after.by_source(), sets)
    comparison |= {"models": list(models), "trained_on_known": False}
    if len(models) == 1:
        del comparison["verdict"]
    files.write_json(run / files.COMPARISON, comparison)
    run.done("evaluate", hashes)
    console.result(table(comparison, settings.language))
    console.say(f"written: {run / files.COMPARISON}, {run / files.EVALUATION}")
    check_regression(comparison, settings)


def report(settings: Settings) -> Path:
    """Write the report of a run folder."""
    run = RunFolder(settings)
    if not run.record:
        raise BadInputError(f"--output-dir {run.path}: no run there; make one with stage2 run")
    path = write_report(run.path, settings.language)
    console.say(f"report: {path}")
    return path


def run_command(settings: Settings) -> None:
    """Everything, in order, into one folder."""
    resolve_precision(settings.precision, resolve_device(settings.device))
    run = RunFolder(settings)
    inputs = gather(settings)
    check_mining(settings, inputs)
    everyone = np.arange(len(inputs.samples))
    grouped = group_questions(inputs.samples)
    parts = folds_wanted(settings, grouped)
    sides = train_rows, dev_rows, _ = sides_of(settings, inputs.samples, grouped)
    model, model_hashes, made = stage1(settings, run, inputs)
    stages = _stage_inputs(inputs, model_hashes, made)
    run.begin(stages | {"train": stages["mine"], "evaluate": stages["mine"]})
    inputs, mined = _candidates(run, model, inputs)
    write_constructed(run, inputs)
    _keep_stage1(run, model, inputs, model_hashes, made)

    lists = lists_to_rank(settings, model, inputs)
    console.say(f"mining: {len(lists)} questions, {len(lists.tokens)} distinct texts")
    with console.bar("before training") as progress:
        before = evaluate(model, lists, settings.precision, progress)
    hard = write_mined(run, inputs, model_hashes, before, mined)
    train_hard = np.intersect1d(hard, train_rows)
    _write_split(run, lists, sides, train_hard, grouped)
    weights = {name: tensor.cpu().clone() for name, tensor in model.state_dict().items()}

    if len(train_hard):
        dev = lists.subset(dev_rows)
        held_out = settings.split == "chunk"
        stage1_dev = (before.corpus or before.candidates).metrics(dev_rows)
        fit(run, model, lists.subset(train_hard), dev, stages["mine"], held_out, stage1_dev)
        with console.bar("after training") as progress:
            after = evaluate(model, lists, settings.precision, progress)
    else:
        console.warn(f"{no_hard_examples(settings.topk)}. The stage-1 model is shipped as it is")
        model.save_pretrained(run / files.SHIPPED_MODEL)
        nothing = {language: words(language)("nothing_to_train") for language in CATALOGS}
        run.done("train", stages["mine"], shipped=untrained(nothing, settings.split == "chunk"))
        after = before

    files.write_json(run / files.EVALUATION_AFTER, after.rows(list(inputs.samples.questions)))
    sets = _sets(settings, sides, train_hard, everyone)
    if parts:
        crossed, run.record["folds"] = cross_validate(
            model, weights, lists, hard, parts, before, settings, run.path, console.say
        )
        sets.insert(0, QuestionSet("cross-validated", everyone, held_out=True, after=crossed))
    # Candidates that stage 1 chose by its own mistakes would make stage 2 look better by chance.
    sources = ("corpus",) if settings.source == "corpus" else ("candidates", "corpus")
    comparison = write_comparison(
        run, inputs, grouped, before.by_source(sources), after.by_source(sources), sets
    )
    files.write_json(run / files.COMPARISON, comparison)
    run.done("evaluate", stages["mine"])
    path = write_report(run.path, settings.language)
    console.result(table(comparison, settings.language))
    console.say(f"shipped: {run.record['shipped']['name']} ({run / files.SHIPPED_MODEL})")
    console.say(f"report: {path}")
    check_regression(comparison, settings)


def write_mined(
    run: RunFolder,
    inputs: Inputs,
    model_hashes: Mapping[str, str],
    evaluation: Evaluation,
    mined: CorpusMining | None = None,
) -> Ints:
    """Write the evaluation, the hard examples and their summary; return the hard rows."""
    settings, scored = run.settings, evaluation.candidates
    hard = scored.hard(settings.topk) if mined is None else mined.hard(settings.topk)
    files.write_json(run / files.EVALUATION, evaluation.rows(list(inputs.samples.questions)))
    inputs.samples.write_jsonl(run / files.HARD, hard)
    metrics = scored.ranking.metrics(TOPK)
    summary: dict[str, Any] = {
        "num_samples": len(inputs.samples),
        "topk": settings.topk,
        "num_hard": len(hard),
        "hard_share": len(hard) / max(1, len(inputs.samples)),
        "metrics": metrics,
        "pairs": scored.pairs(),
        "similarity": settings.similarity,
        "source": settings.source,
    }
    if mined is not None:
        summary["corpus"] = mined.summary(settings.negatives)
    files.write_json(run / files.MINING_SUMMARY, summary)
    facts = run.record.get("data", {}) | {"texts_encoded": len(evaluation.lists.tokens)}
    run.done("mine", {**inputs.hashes, **model_hashes}, data=facts)
    accuracy = ", ".join(
        f"Top-{k} {metrics[f'top{k}']:.1%} (chance {metrics['chance'][f'top{k}']:.1%})"
        for k in TOPK
    )
    console.say(f"before training, among the candidates: {accuracy}")
    if mined is not None:
        _tell_corpus(summary["corpus"], settings)
    console.say(
        f"hard examples: {len(hard)} of {len(inputs.samples)} "
        f"(ground truth below the top {settings.topk}) in {run / files.HARD}"
    )
    if not len(hard):
        console.warn(no_hard_examples(settings.topk))
    return hard


def fit(
    run: RunFolder,
    model: ProbabilisticGBERTV4,
    lists: RankingLists,
    dev: RankingLists,
    hashes: Mapping[str, str],
    held_out: bool,
    stage1_dev: dict[str, Any] | None = None,
) -> Trained:
    """Train, ship the best candidate, and say which it is and why."""
    settings = run.settings
    console.say(f"training: {len(lists)} hard examples, {settings.epochs} epochs; "
                f"{len(dev)} questions choose among the epochs")  # fmt: skip
    before = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
    with console.steps() as progress:
        trained = train(model, lists, dev, settings, run.path, progress, stage1_dev)
    for entry in trained.log:
        loss = "" if entry.loss is None else f"loss {entry.loss:.4f}, "
        console.say(f"epoch {entry.epoch}: {loss}dev MRR {entry.dev[DEV_METRIC]:.4f}")
    checkpoints = run / files.CHECKPOINTS
    candidates = choose_on_dev(model, before, trained, dev, settings, checkpoints)
    for candidate in candidates:
        if candidate.kind == "interpolation":
            console.say(f"{candidate.name}: dev MRR {candidate.dev_value:.4f}")
    model.save_pretrained(run / files.SHIPPED_MODEL)
    run.done("train", hashes, shipped=shipped(candidates, held_out))
    best, seen = candidates[0], "" if held_out else " (on questions that training saw)"
    console.say(f"shipped: {best.name}, dev MRR {best.dev_value:.4f}{seen}: "
                f"{run / files.SHIPPED_MODEL}, "
                f"{checkpoints / files.BEST_CHECKPOINT}")  # fmt: skip
    return trained


def _candidates(
    run: RunFolder, model: ProbabilisticGBERTV4, inputs: Inputs
) -> tuple[Inputs, CorpusMining | None]:
    """The samples to rank: as they were read or drawn, or with negatives mined from the corpus."""
    if run.settings.source == "candidates":
        return inputs, None
    mined = mine_corpus(model, inputs, run.settings, run.path)
    return mined.inputs, mined


def _tell_corpus(summary: Mapping[str, Any], settings: Settings) -> None:
    accuracy = ", ".join(f"Top-{k} {summary[f'top{k}']:.1%}" for k in TOPK)
    console.say(f"among all {summary['chunks']:,} chunks: {accuracy}")
    if summary["short_lists"]:
        console.warn(
            f"{summary['short_lists']} questions have fewer than {settings.negatives} negatives, "
            f"{summary['without_negatives']} of them none: the filters leave too few. Widen "
            "--range-max, or loosen the margins and scores"
        )


def lists_to_rank(settings: Settings, model: ProbabilisticGBERTV4, inputs: Inputs) -> RankingLists:
    """Everything that evaluation needs, the whole corpus among it where that is asked for."""
    size = len(inputs.samples.contexts)
    wanted = (
        settings.corpus == "always"
        or settings.source == "corpus"
        or (settings.corpus == "auto" and size <= CORPUS_AUTO)
    )
    return ranking_lists(
        model,
        inputs.samples,
        inputs.annotations,
        similarity=settings.similarity,
        corpus=wanted and inputs.has_corpus,
    )


def write_comparison(
    run: RunFolder,
    inputs: Inputs,
    grouped: Groups,
    before: Mapping[str, Scored],
    after: Mapping[str, Scored],
    sets: Sequence[QuestionSet],
) -> dict[str, Any]:
    """Write every question's ranks; return the content of `comparison.json`."""
    samples = inputs.samples
    comparison = compare(before, after, sets, grouped.numbers, run.settings.seed)
    source = comparison["verdict"]["source"]
    rows = per_question(before, after, samples.qa_ids, samples.questions, sets, source)
    files.write_jsonl(run / files.PER_QUESTION, rows)
    return comparison


def _evaluate(
    settings: Settings, model: ProbabilisticGBERTV4, inputs: Inputs, name: str
) -> Evaluation:
    model = model.to(resolve_device(settings.device))
    with console.bar(f"evaluating {name}") as progress:
        lists = lists_to_rank(settings, model, inputs)
        return evaluate(model, lists, settings.precision, progress)


def _stage_inputs(
    inputs: Inputs, model_hashes: Mapping[str, str], made: bool
) -> dict[str, dict[str, str]]:
    """What each stage up to mining is made from."""
    mined = {**inputs.hashes, **model_hashes}
    stages = {"mine": mined}
    if inputs.dataset is not None:
        stages["prepare"] = dict(inputs.hashes)
    if made:
        stages["init"] = mined
    return stages


def _keep_stage1(
    run: RunFolder,
    model: ProbabilisticGBERTV4,
    inputs: Inputs,
    model_hashes: Mapping[str, str],
    made: bool,
) -> None:
    """Write a stage-1 model that was made on the way."""
    if made:
        model.save_pretrained(run / files.STAGE1_MODEL)
        run.done("init", {**inputs.hashes, **model_hashes})


def sides_of(settings: Settings, samples: Samples, grouped: Groups) -> tuple[Ints, Ints, Ints]:
    """Rows of train, dev and test; without a split the first two are everyone."""
    if settings.split == "chunk":
        shares = settings.dev_share, settings.test_share
        return split_by_chunk(samples, *shares, settings.seed, grouped)
    everyone = np.arange(len(samples))
    return everyone, everyone, everyone[:0]


def _sets(
    settings: Settings, sides: tuple[Ints, Ints, Ints], train_hard: Ints, everyone: Ints
) -> list[QuestionSet]:
    """The sets of questions to report on."""
    train_rows, dev_rows, test_rows = sides
    sets = [
        QuestionSet(name, rows, name == "test", len(np.intersect1d(rows, train_hard)))
        for name, rows in (("test", test_rows), ("dev", dev_rows), ("train", train_rows))
        if settings.split == "chunk" and len(rows)
    ]
    return [*sets, QuestionSet("all", everyone, held_out=False, seen=len(train_hard))]


def _write_split(
    run: RunFolder,
    lists: RankingLists,
    parts: tuple[Ints, Ints, Ints],
    hard: Ints,
    grouped: Groups,
) -> None:
    """Write which question stands on which side, and what a split by question would have torn."""
    sides = dict(zip(("train", "dev", "test", "trained_on"), (*parts, hard), strict=True))
    files.write_json(
        run / files.SPLIT,
        {name: [lists.qa_ids[row] for row in rows] for name, rows in sides.items()},
    )
    facts = grouped.facts()
    run.record["split"] = {
        "by": run.settings.split,
        **{name: len(rows) for name, rows in sides.items()},
        "overlaps": facts,
    }
    console.say(
        f"split: {len(lists)} questions in {facts['groups']} groups; "
        f"{facts['questions_sharing_a_chunk']} share a ground-truth chunk with another, and "
        f"{facts['near_duplicate_pairs']} pairs of ground-truth chunks are near-duplicates"
        + ("" if run.settings.split == "none" else ": no group crosses the split")
    )
