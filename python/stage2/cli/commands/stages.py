"""The stages, one function a command: gather and check first, then write.

Nothing here computes: it says in which order what is computed, and which file the answer goes to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from stage2._core import Loaded
from stage2.cli.commands.audit import audit_mined, load_cross_encoder
from stage2.cli.commands.prepare import write_constructed
from stage2.cli.commands.steps import (
    candidates,
    check_machine,
    check_mining,
    check_training,
    fit,
    ground_truths,
    keep_stage1,
    lists_of,
    stage1_cache,
    stage_inputs,
    tell_split,
    write_comparison,
    write_mined,
)
from stage2.cli.inputs import Inputs, gather, with_folder_files, write_rejected
from stage2.cli.run_folder import RunFolder, in_run_folder
from stage2.cli.stage1 import (
    chunks_to_fit,
    embedding_cache,
    hashes_of_model,
    model_when_needed,
    new_model,
    stage1,
    stage1_when_needed,
)
from stage2.config import Settings
from stage2.data.dataset import Samples
from stage2.data.splits import group_questions, split
from stage2.encoding.encoder import LazyModel
from stage2.encoding.ranking_lists import ranking_lists
from stage2.encoding.truncation import accounts, tell
from stage2.evaluation.evaluate import (
    Evaluation,
    QuestionSet,
    check_regression,
    evaluate,
)
from stage2.models.gbert.fit import default_backbone
from stage2.models.gbert.model import ProbabilisticGBERTV4
from stage2.report import table, write_report
from stage2.training.dev_corpus import Dev
from stage2.training.learnable import check_texts_to_learn
from stage2.training.train import no_hard_examples
from stage2.utils import console, files
from stage2.utils.device import check_training_precision
from stage2.utils.errors import BadInputError


@in_run_folder()
def init(settings: Settings, run: RunFolder) -> None:
    """Make a stage-1 model and write its folder."""
    # Heads are fitted in float32 everywhere: one model of one seed.
    settings = run.settings = replace(settings, precision="fp32")
    check_machine(settings)
    hashes = {"backbone": settings.backbone or default_backbone()}
    chunks: Sequence[str] = ()
    read: list[Loaded] = []
    if settings.fit:
        chunks, loaded, hashes["chunks"] = chunks_to_fit(settings)
        read.append(loaded)
    model = new_model(settings, chunks)
    run.begin({"init": hashes})
    write_rejected(run, read)
    model.save_pretrained(run / files.STAGE1_MODEL)
    run.done("init", hashes)
    console.say(f"stage-1 model: {run / files.STAGE1_MODEL}")


@in_run_folder()
def mine(settings: Settings, run: RunFolder) -> None:
    """Prepare if need be, score, rank, select hard examples."""
    check_machine(settings)
    inputs = gather(settings)
    check_mining(settings, inputs)
    model, model_hashes, made = stage1_when_needed(settings, run, inputs)
    cross_encoder, cross_hashes = load_cross_encoder(settings)
    model_hashes |= cross_hashes
    run.begin(stage_inputs(inputs, model_hashes, made))
    keep_stage1(run, model, inputs, model_hashes, made)
    run.record["texts"] = tell(accounts(model, inputs.samples))
    cache = stage1_cache(run)
    inputs, mined = candidates(run, model, inputs, cache)
    if inputs.dataset is not None:
        write_constructed(run, inputs)
    else:
        write_rejected(run, inputs.loaded)
    lists = ranking_lists(model, inputs.samples, inputs.annotations, similarity=settings.similarity)
    with console.bar("scoring") as progress:
        evaluation = evaluate(model, lists, settings.precision, progress, cache)
    dropped = audit_mined(run, inputs, evaluation, cross_encoder)
    write_mined(run, inputs, model_hashes, evaluation, mined, dropped)


@in_run_folder(adds="train")
def train_command(settings: Settings, run: RunFolder) -> None:
    """Train on the samples of --data, or on the hard examples that the folder holds."""
    check_training_precision(settings.precision)
    check_machine(settings)
    if settings.data is None and (run / files.HARD).is_file():
        settings = run.settings = replace(settings, data=str(run.checked(files.HARD)))
    if settings.data is None:
        raise BadInputError(
            f"nothing to train on: no --data, and no {files.HARD} in {run.path}. "
            "Make one with stage2 mine"
        )
    if Path(settings.data).is_file() and not Path(settings.data).stat().st_size:
        raise BadInputError(f"{settings.data}: {_no_hard_examples(run)}")
    settings, inputs = with_folder_files(settings, run)
    hashes = dict(inputs.hashes)
    model, model_hashes, made = stage1(settings, run, inputs)
    rows = np.arange(len(inputs.samples))
    dev_samples = inputs.samples
    placed = None
    if settings.dev_data is not None:
        how = settings.on_error, settings.decompressed
        dev_samples = Samples.load_jsonl(files.check_regular(settings.dev_data), *how)
        hashes["dev_data"] = files.sha256(settings.dev_data)
        train_rows, dev_rows = rows, np.arange(len(dev_samples))
    elif settings.split == "none":
        train_rows = dev_rows = rows
    else:
        placed = split(group_questions(inputs.samples), settings.dev_share, 0, settings.seed)
        train_rows, dev_rows, _ = placed.parts
    check_texts_to_learn(settings, ground_truths(inputs.samples, train_rows))
    state = check_training(run, hashes | model_hashes, model)
    stages = {"train": hashes | model_hashes}
    if made:
        stages["init"] = {**inputs.hashes, **model_hashes}
    run.begin(stages)
    if placed is not None:
        run.record["split"] = tell_split(run, placed, None)
    write_rejected(run, [*inputs.loaded, *([] if dev_samples is inputs.samples else [dev_samples])])
    keep_stage1(run, model, inputs, model_hashes, made)
    run.record["texts"] = tell(accounts(model, inputs.samples))
    lists, dev = (
        ranking_lists(model, samples, inputs.annotations, similarity=settings.similarity)
        for samples in (inputs.samples, dev_samples)
    )
    lists, dev = lists.subset(train_rows), dev.subset(dev_rows)
    held_out = settings.dev_data is not None or settings.split != "none"
    fit(run, model, lists, Dev(dev), hashes | model_hashes, held_out, state)


@in_run_folder(adds="evaluate")
def evaluate_command(
    settings: Settings, run: RunFolder, models: Sequence[str], held_out: bool = False
) -> None:
    """Evaluate one model, or two on the same samples, and print the table.

    Whether training saw none of the samples cannot be read off a model's weights: nothing is
    claimed unless the caller says `held_out`.
    """
    check_machine(settings)
    run.watch(*models)
    if not 1 <= len(models) <= 2:
        raise BadInputError(
            f"{len(models)} models; expected --model once, or twice for before and after"
        )
    if settings.fail_if_regressed and len(models) == 1:
        raise BadInputError(
            "--fail-if-regressed compares two models; give --model twice, before and after"
        )
    settings, inputs = with_folder_files(settings, run)
    waiting = [model_when_needed(settings, path) for path in models]
    hashes = dict(inputs.hashes)
    for number, path in enumerate(models, 1):
        hashes |= hashes_of_model(settings, path, f"model_{number}")
    run.begin({"evaluate": hashes}, reads=models)
    write_rejected(run, inputs.loaded)
    run.record["texts"] = tell(accounts(waiting[0], inputs.samples), models[0])
    if len(models) == 2:
        tell(accounts(waiting[1], inputs.samples), models[1])
    evaluations = [_evaluate(settings, model, inputs, name) for model, name in
                   zip(waiting, models, strict=True)]  # fmt: skip
    before, after = evaluations[0], evaluations[-1]
    everyone = np.arange(len(inputs.samples))
    questions = list(inputs.samples.questions)
    files.write_json(run / files.EVALUATION, before.rows(questions))
    if len(models) == 2:
        files.write_json(run / files.EVALUATION_AFTER, after.rows(questions))
    grouped = group_questions(inputs.samples)
    name = "test" if held_out else "all"
    sets = [QuestionSet(name, everyone, held_out=held_out)]
    comparison = write_comparison(run, inputs, grouped, before.by_source(), after.by_source(), sets)
    comparison |= {"models": list(models), "trained_on_known": held_out}
    if len(models) == 1:
        del comparison["verdict"]
    files.write_json(run / files.COMPARISON, comparison)
    run.done("evaluate", hashes)
    console.result(table(comparison, settings.language))
    console.say(f"written: {run / files.COMPARISON}, {run / files.EVALUATION}")
    check_regression(comparison, settings)


@in_run_folder(adds="report")
def report(settings: Settings, run: RunFolder) -> Path:
    """Write the report of a run folder."""
    if not run.record.get("stages"):
        raise BadInputError(f"--output-dir {run.path}: no run there; make one with stage2 run")
    path = write_report(run.path, settings.language, run.begin_report)
    console.say(f"report: {path}")
    return path


def _no_hard_examples(run: RunFolder) -> str:
    """Why the file to train on is empty: as mining in the folder found, if it is the folder's."""
    summary = run / files.MINING_SUMMARY
    own = Path(run.settings.data or "").resolve() == (run / files.HARD).resolve()
    found = files.read_json(summary) if own and summary.is_file() else {}
    return no_hard_examples(found.get("topk", run.settings.topk), found.get("num_below_topk", 0))


def _evaluate(
    settings: Settings, model: ProbabilisticGBERTV4 | LazyModel, inputs: Inputs, name: str
) -> Evaluation:
    cache = embedding_cache(settings, name)
    with console.bar(f"evaluating {name}") as progress:
        lists = lists_of(settings, model, inputs)
        folder = Path(settings.output_dir)
        return evaluate(model, lists, settings.precision, progress, cache, folder, settings.budget)
