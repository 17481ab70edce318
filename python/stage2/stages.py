"""The stages, one function a command: gather and check first, then write.

Nothing here computes: it says in which order what is computed, and which file the answer goes to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stage2 import console, files
from stage2.arrays import Ints
from stage2.cache import EmbeddingCache, folder_of
from stage2.config import Settings
from stage2.corpus_mining import CorpusMining, check_mining, mine_corpus
from stage2.data import Samples, split_by_chunk
from stage2.device import (
    check_training_precision,
    describe,
    resolve_device,
    resolve_precision,
)
from stage2.encode import LazyModel, loaded
from stage2.errors import BadInputError
from stage2.evaluate import Evaluation, compare, evaluate
from stage2.follow import check_follower
from stage2.init import default_backbone
from stage2.inputs import Inputs, gather, with_folder_files
from stage2.lists import RankingLists, ranking_lists
from stage2.mining import TOPK
from stage2.model import ProbabilisticGBERTV4
from stage2.prepare import write_constructed
from stage2.report import table, write_report
from stage2.resume import State, find_state
from stage2.runfolder import RunFolder
from stage2.stage1 import (
    chunks_to_fit,
    embedding_cache,
    model_hash,
    model_when_needed,
    new_model,
    stage1,
    stage1_when_needed,
)
from stage2.train import Trained, no_hard_examples, train
from stage2.trainable import check_trainable
from stage2.training_log import DEV_METRIC, best_of

# `--corpus auto` ranks against every chunk up to this many: on a CPU they take a minute or so.
CORPUS_AUTO = 5_000


def init(settings: Settings) -> None:
    """Make a stage-1 model and write its folder."""
    _check_machine(settings)
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
    _check_machine(settings)
    run = RunFolder(settings)
    inputs = gather(settings)
    check_mining(settings, inputs)
    model, model_hashes, made = stage1_when_needed(settings, run, inputs)
    run.begin(_stage_inputs(inputs, model_hashes, made))
    _keep_stage1(run, model, inputs, model_hashes, made)
    cache = _stage1_cache(run)
    inputs, mined = _candidates(run, model, inputs, cache)
    if inputs.dataset is not None:
        write_constructed(run, inputs)
    lists = ranking_lists(model, inputs.samples, inputs.annotations, similarity=settings.similarity)
    with console.bar("scoring") as progress:
        evaluation = evaluate(model, lists, settings.precision, progress, cache)
    write_mined(run, inputs, model_hashes, evaluation, mined)


def train_command(settings: Settings) -> None:
    """Train on the samples of --data, or on the hard examples that the folder holds."""
    check_training_precision(settings.precision)
    _check_machine(settings)
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
    state = _check_training(run, hashes | model_hashes)
    run.begin({"train": hashes | model_hashes})
    _keep_stage1(run, model, inputs, model_hashes, made)
    lists, dev = (
        ranking_lists(model, samples, inputs.annotations, similarity=settings.similarity)
        for samples in (inputs.samples, dev_samples)
    )
    lists, dev = lists.subset(train_rows), dev.subset(dev_rows)
    held_out = settings.dev_data is not None or settings.split != "none"
    fit(run, model, lists, dev, hashes | model_hashes, held_out, state=state)


def evaluate_command(settings: Settings, models: Sequence[str]) -> None:
    """Evaluate one model, or two on the same samples, and print the table."""
    _check_machine(settings)
    run = RunFolder(settings)
    if not 1 <= len(models) <= 2:
        raise BadInputError(
            f"{len(models)} models; expected --model once, or twice for before and after"
        )
    settings, inputs = with_folder_files(settings, run)
    waiting = [model_when_needed(settings, path) for path in models]
    hashes = dict(inputs.hashes)
    for number, path in enumerate(models, 1):
        hashes[f"model_{number}"] = model_hash(path)
    run.begin({"evaluate": hashes})
    evaluations = [_evaluate(settings, model, inputs, name) for model, name in
                   zip(waiting, models, strict=True)]  # fmt: skip
    before, after = evaluations[0], evaluations[-1]
    everyone = np.arange(len(inputs.samples))
    questions = list(inputs.samples.questions)
    files.write_json(run / files.EVALUATION, before.rows(questions))
    if len(models) == 2:
        files.write_json(run / files.EVALUATION_AFTER, after.rows(questions))
    # What a model was trained on cannot be read off its weights: nothing is claimed held out.
    comparison = compare(before, after, [("all", everyone, False, 0)])
    comparison["models"] = list(models)
    comparison["trained_on_known"] = False
    files.write_json(run / files.COMPARISON, comparison)
    run.done("evaluate", hashes)
    console.result(table(comparison, settings.language))
    console.say(f"written: {run / files.COMPARISON}, {run / files.EVALUATION}")


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
    check_training_precision(settings.precision)
    _check_machine(settings)
    run = RunFolder(settings)
    inputs = gather(settings)
    check_mining(settings, inputs)
    everyone = np.arange(len(inputs.samples))
    if settings.split == "chunk":
        train_rows, dev_rows, test_rows = split_by_chunk(
            inputs.samples, settings.dev_share, settings.test_share, settings.seed
        )
    else:
        train_rows = dev_rows = everyone
        test_rows = everyone[:0]
    model, model_hashes, made = stage1(settings, run, inputs)
    stages = _stage_inputs(inputs, model_hashes, made)
    state = _check_training(run, stages["mine"])
    run.begin(stages | {"train": stages["mine"], "evaluate": stages["mine"]})
    _keep_stage1(run, model, inputs, model_hashes, made)
    cache = _stage1_cache(run)
    inputs, mined = _candidates(run, model, inputs, cache)
    write_constructed(run, inputs)

    lists = _lists(settings, model, inputs)
    console.say(f"mining: {len(lists)} questions, {len(lists.tokens)} distinct texts")
    with console.bar("before training") as progress:
        before = evaluate(model, lists, settings.precision, progress, cache)
    hard = write_mined(run, inputs, model_hashes, before, mined)
    train_hard = np.intersect1d(hard, train_rows)
    _write_split(run, lists, train_rows, dev_rows, test_rows, train_hard)

    if len(train_hard):
        dev = lists.subset(dev_rows)
        held_out = settings.split == "chunk"
        stage1_dev = (before.corpus or before.candidates).metrics(dev_rows)
        fit(run, model, lists.subset(train_hard), dev, stages["mine"], held_out, stage1_dev,
            state)  # fmt: skip
        with console.bar("after training") as progress:
            shipped = embedding_cache(settings, run / files.SHIPPED_MODEL)
            after = evaluate(model, lists, settings.precision, progress, shipped)
    else:
        console.warn(f"{no_hard_examples(settings.topk)}. The stage-1 model is shipped as it is")
        model.save_pretrained(run / files.SHIPPED_MODEL)
        run.done("train", stages["mine"], shipped=_shipped_untrained(settings))
        after = before

    files.write_json(run / files.EVALUATION_AFTER, after.rows(list(inputs.samples.questions)))
    sets = [
        (name, rows, name == "test", len(np.intersect1d(rows, train_hard)))
        for name, rows in (("test", test_rows), ("dev", dev_rows), ("train", train_rows))
        if settings.split == "chunk" and len(rows)
    ]
    sets.append(("all", everyone, False, len(train_hard)))
    # Candidates that stage 1 chose by its own mistakes would make stage 2 look better by chance.
    sources = ("corpus",) if settings.source == "corpus" else ("candidates", "corpus")
    comparison = compare(before, after, sets, sources)
    files.write_json(run / files.COMPARISON, comparison)
    run.done("evaluate", stages["mine"])
    path = write_report(run.path, settings.language)
    console.result(table(comparison, settings.language))
    console.say(f"shipped: {run.record['shipped']['name']} ({run / files.SHIPPED_MODEL})")
    console.say(f"report: {path}")


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
        "pairs": {"entity": scored.entity_pairs, "fallback": scored.fallback_pairs},
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
    state: State | None = None,
) -> Trained:
    """Train, ship the best candidate, and say which it is and why."""
    settings = run.settings
    if state is not None:
        console.say(f"going on with a training that was interrupted: {state.position}")
    console.say(f"training: {len(lists)} hard examples, {settings.epochs} epochs; "
                f"{len(dev)} questions choose among the epochs")  # fmt: skip
    with console.steps() as progress:
        trained = train(
            model,
            lists,
            dev,
            settings,
            run.path,
            progress,
            stage1_dev,
            run.made_from("train", hashes),
            state,
        )
    for entry in trained.log:
        loss = "" if entry.loss is None else f"loss {entry.loss:.4f}, "
        console.say(f"epoch {entry.epoch}: {loss}dev MRR {entry.dev[DEV_METRIC]:.4f}")
    model.save_pretrained(run / files.SHIPPED_MODEL)
    best = best_of(trained.log)
    name = f"epoch {best.epoch}" if best.epoch else "stage 1"
    seen = "" if held_out else " (on questions that training saw)"
    shipped = {
        "name": name,
        "dev_metric": DEV_METRIC,
        "dev_value": best.dev[DEV_METRIC],
        "dev_held_out": held_out,
        "reason": f"the highest dev MRR{seen} of stage 1 and {len(trained.log) - 1} epochs",
    }
    run.done("train", hashes, shipped=shipped)
    console.say(f"shipped: {name}, dev MRR {best.dev[DEV_METRIC]:.4f}{seen}: "
                f"{run / files.SHIPPED_MODEL}, "
                f"{run / files.CHECKPOINTS / files.BEST_CHECKPOINT}")  # fmt: skip
    return trained


def _check_training(run: RunFolder, hashes: Mapping[str, str]) -> State | None:
    """Refuse what training could not do; the state to go on from, if there is one."""
    check_trainable(run.settings)
    check_follower(run.settings)
    return find_state(run.settings, run.path, run.made_from("train", hashes))


def _check_machine(settings: Settings) -> None:
    """Refuse a device, precision or cache folder that cannot be; say what the model runs on."""
    device = resolve_device(settings.device)
    precision = resolve_precision(settings.precision, device)
    folder_of(settings.embedding_cache)
    console.say(f"the model runs on {device} in {describe(precision)}")


def _candidates(
    run: RunFolder,
    model: ProbabilisticGBERTV4 | LazyModel,
    inputs: Inputs,
    cache: EmbeddingCache | None,
) -> tuple[Inputs, CorpusMining | None]:
    """The samples to rank: as they were read or drawn, or with negatives mined from the corpus."""
    if run.settings.source == "candidates":
        return inputs, None
    mined = mine_corpus(model, inputs, run.settings, run.path, cache)
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


def _lists(
    settings: Settings, model: ProbabilisticGBERTV4 | LazyModel, inputs: Inputs
) -> RankingLists:
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


def _evaluate(
    settings: Settings, model: ProbabilisticGBERTV4 | LazyModel, inputs: Inputs, name: str
) -> Evaluation:
    cache = embedding_cache(settings, name)
    with console.bar(f"evaluating {name}") as progress:
        lists = _lists(settings, model, inputs)
        return evaluate(model, lists, settings.precision, progress, cache)


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
    model: ProbabilisticGBERTV4 | LazyModel,
    inputs: Inputs,
    model_hashes: Mapping[str, str],
    made: bool,
) -> None:
    """Write a stage-1 model that was made on the way."""
    if made:
        loaded(model).save_pretrained(run / files.STAGE1_MODEL)
        run.done("init", {**inputs.hashes, **model_hashes})


def _stage1_cache(run: RunFolder) -> EmbeddingCache | None:
    """The cache of the stage-1 model, given or kept in the folder."""
    return embedding_cache(run.settings, run.settings.model or run / files.STAGE1_MODEL)


def _write_split(
    run: RunFolder, lists: RankingLists, train_rows: Ints, dev: Ints, test: Ints, hard: Ints
) -> None:
    """Write which question stands on which side."""
    sides = {"train": train_rows, "dev": dev, "test": test, "trained_on": hard}
    files.write_json(
        run / files.SPLIT,
        {name: [lists.qa_ids[row] for row in rows] for name, rows in sides.items()},
    )
    run.record["split"] = {
        "by": run.settings.split,
        **{name: len(rows) for name, rows in sides.items()},
    }


def _shipped_untrained(settings: Settings) -> dict[str, Any]:
    return {
        "name": "stage 1",
        "dev_metric": DEV_METRIC,
        "dev_value": None,
        "dev_held_out": settings.split == "chunk",
        "reason": no_hard_examples(settings.topk),
    }
