"""`stage2 sweep` tries many runs that share a stage-1 model, and selects the best on dev.

Only the winner is measured on test.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from stage2 import usage
from stage2.cli import console
from stage2.cli.baselines import check_backbone_flag
from stage2.cli.commands import run as run_module
from stage2.cli.commands.evaluate import evaluate_command, lists_of
from stage2.cli.dry_run import Work, Workload
from stage2.cli.guards import GuardData, guard_hashes, guard_lists, guard_work, read_guards
from stage2.cli.inputs import Inputs, check_corpus, gather, write_rejected
from stage2.cli.mining_defaults import for_listed_negatives, speaks_of_mining
from stage2.cli.run_folder import RunFolder, in_run_folder
from stage2.cli.split_sides import (
    ground_truths,
    grouped_questions,
    sides_of,
    split_file,
    tell_split,
)
from stage2.cli.stage1 import Stage1, embedding_cache, given_model, keep_stage1, stage1
from stage2.cli.sweep_budget import (
    Plan,
    Search,
    apart,
    dev_groups,
    estimated,
    ladder,
    middle,
    plan_of,
    source_of,
)
from stage2.cli.sweep_grid import Trial, is_possible
from stage2.cli.sweep_rungs import Estimate
from stage2.cli.sweep_table import sweep_table
from stage2.cli.sweep_trials import Outcome, outcomes_of, placed_trial
from stage2.cli.teachers import load_teacher
from stage2.cli.workload import Pace, evaluation, fitting, load_of, training
from stage2.config import SETTINGS, Settings, default
from stage2.data.sample.build import write_sample
from stage2.data.splits import Placed
from stage2.encoding.encoder import loaded
from stage2.evaluation.evaluate import embed
from stage2.presets import RUN_DEFAULTS
from stage2.training.course import for_width, width_of
from stage2.training.learnable import check_texts_to_learn
from stage2.training.parameters import check_rank, check_trainable
from stage2.training.schedule import updates_an_epoch
from stage2.utils import files
from stage2.utils.arrays import Ints
from stage2.utils.device import check_training_precision, resolve_device, resolve_precision
from stage2.utils.errors import BadInputError, RunFailedError

_IMPOSSIBLE = "a --topk above the number of candidates, or --lora with --freeze backbone"


@dataclass(frozen=True)
class _Material:
    """The data and the model that all trials share.

    Attributes:
        trials: the trials that are possible.
        jobs: the number of trials at a time.
        first: the stage-1 model, with the settings of the sweep.
        inputs: the data.
        placed: the sides of the split.
        guards: other data, on which no trial may choose a model that is worse.
        hashes: the hashes of all that is read, by name.
        seconds: how long it took to read the data and to find the groups.
    """

    trials: Sequence[Trial]
    jobs: int
    first: Stage1
    inputs: Inputs
    placed: Placed
    guards: Sequence[GuardData]
    hashes: Mapping[str, str]
    seconds: float


@in_run_folder()
def sweep(
    settings: Settings,
    run: RunFolder,
    wanted: Sequence[Trial],
    jobs: int,
    budget: float | None = None,
) -> None:
    """Run the trials that are not done, select on dev, and measure the winner on test.

    Test questions are taken out before the trials start. A trial is a plain run on a split that has
    none, in a folder of its own below `trials/`. With --guard it ships nothing that a guard calls
    worse, so that no such model is among those that are compared.

    Args:
        settings: the settings that the trials share.
        run: the folder of the sweep.
        wanted: the trials. Of equally good trials the earliest wins.
        jobs: the number of trials at a time, each in a process of its own; 1 runs them one after
            another in this process.
        budget: in minutes; None tries all trials on all questions. See `sweep_budget`.
    """
    _check(settings, budget)
    possible: Sequence[Trial] = _possible(wanted)
    material = _gathered(settings, run, possible, jobs)
    settings, inputs, first = material.first.settings, material.inputs, material.first
    hashes, placed, possible = material.hashes, material.placed, material.trials
    levels, plan = [placed.parts[0]], None
    if budget is not None:
        levels = ladder(possible, inputs.samples, placed, settings.seed)
        plan = _planned(material, run, levels, budget)
    run.begin(
        settings,
        dict.fromkeys(["sweep", *(["init"] if first.made else [])], hashes),
        work=partial(_load, material, plan),
    )
    if len(possible) < len(wanted):
        console.warn(f"{len(wanted) - len(possible)} of {len(wanted)} trials are left out: they "
                     f"have {_IMPOSSIBLE}")  # fmt: skip
    keep_stage1(run, first, hashes)
    write_rejected(run, inputs.loaded)
    if (run / files.TRIALS).is_dir():
        files.remove_left(run / files.TRIALS)
    run.record["split"] = tell_split(settings, placed, None)
    common = _shared(settings, run, inputs)
    qa_ids = check_corpus(inputs, settings, "sweep").qa_ids
    _write_splits(
        run, qa_ids, placed, [] if plan is None else [levels[r.level] for r in plan.rungs]
    )
    _embed_shared(common, run, material)

    # Baselines are the same for all trials, so they are computed for the test alone.
    own = replace(common, bm25=False, untouched_backbone=False)
    groups = dev_groups(qa_ids, placed)
    if plan is None:
        ready = [placed_trial(one, own, run / files.TRIALS / one.name) for one in possible]
        outcomes = outcomes_of(ready, jobs, run, run_module.run_command, groups)
        ranked = sorted(outcomes, key=lambda one: one.key)
    else:
        plan.write(run)
        for line in plan.lines():
            console.say(line)
        search = Search(run, own, jobs, run_module.run_command, groups)
        ranked = search.outcomes(possible, plan)
    winner = ranked[0]
    if winner.dev is not None:
        text = _winning(settings, common, possible, winner)
        files.write_text(run / files.WINNER, text)
    run.done(settings, "sweep", hashes)
    console.result(sweep_table(ranked, settings.language), trials=[vars(one) for one in ranked])
    if winner.dev is None:
        raise RunFailedError(f"every trial failed; why stands in {run / files.SWEEP}")
    of = " of what no guard calls worse" if material.guards else ""
    console.say(f"winner, by dev MRR{of}: {winner.trial}: {run / str(winner.folder)}")
    console.say(f"its settings, for stage2 run --config: {run / files.WINNER}")
    _measure(winner, common, run)


def _possible(wanted: Sequence[Trial]) -> list[Trial]:
    """Return the trials that can be run; refuse those that this machine cannot train."""
    possible = [trial for trial in wanted if is_possible(trial.settings)]
    if not possible:
        raise BadInputError(f"no trial is possible: each has {_IMPOSSIBLE}")
    for trial in possible:
        with _naming(trial):
            check_training_precision(trial.settings.precision, trial.settings.device)
            check_trainable(trial.settings)
    return possible


def _gathered(settings: Settings, run: RunFolder, trials: Sequence[Trial], jobs: int) -> _Material:
    """Read the data and the model, and refuse what a trial could not be trained on."""
    began = time.perf_counter()
    inputs = gather(settings)
    check_corpus(inputs, settings, "sweep")
    # A grid that has a rule of mining mines in all trials.
    if inputs.lists_negatives and not any(speaks_of_mining(trial.changes) for trial in trials):
        listed = for_listed_negatives(settings, "sweep")
        if listed is not settings:
            trials = [_with_listed(trial) for trial in trials]
        settings = listed
    placed = sides_of(settings, grouped_questions(inputs.samples), inputs.sides, inputs.seen_chunks)
    seconds = time.perf_counter() - began
    if not len(placed.parts[2]):
        raise BadInputError(
            "the test side of the given split has no question; a sweep measures its winner there"
        )
    guards = read_guards(settings, inputs.samples.questions, chooses=True)
    first = stage1(settings, run, inputs)
    check_backbone_flag(settings, first.backbone)
    rated = for_width(first.settings, width_of(loaded(first.model)))
    if rated is not first.settings:
        trials = [_with_rate(trial, settings.learning_rate, rated) for trial in trials]
        first = replace(first, settings=rated)
    taught = set()
    for trial in trials:
        own = trial.settings
        with _naming(trial):
            check_texts_to_learn(own, ground_truths(inputs.samples, placed.parts[0]))
            # A large teacher is not loaded for each trial.
            if (same := (own.loss, own.teacher, own.source, own.precision)) not in taught:
                load_teacher(own, inputs, first.hashes, placed.parts[0])
                taught.add(same)
            if trial.settings.lora is not None:
                check_rank(loaded(first.model), trial.settings.lora)
    hashes = {**inputs.hashes, **first.hashes, **guard_hashes(guards)}
    return _Material(trials, jobs, first, inputs, placed, guards, hashes, seconds)


def _with_rate(trial: Trial, default: float, rated: Settings) -> Trial:
    """Return a trial with the learning rate for the width, unless it names one itself."""
    own = trial.settings
    named = "learning_rate" in trial.changes and trial.changes != RUN_DEFAULTS
    if named or own.learning_rate != default:
        return trial
    return replace(trial, settings=replace(own, learning_rate=rated.learning_rate))


def _with_listed(trial: Trial) -> Trial:
    """Return a trial with the negatives that the data list."""
    listed = replace(trial.settings, source="candidates", relative_margin=None)
    return replace(trial, settings=replace(listed, **trial.changes))


def _planned(material: _Material, run: RunFolder, levels: Sequence[Ints], budget: float) -> Plan:
    """Return the plan that the folder holds, or else make one."""
    first, placed, trials = material.first, material.placed, material.trials
    source = source_of(trials, first.settings, material.hashes)
    path = run / files.SWEEP_PLAN
    if path.is_file() and not run.overwrites:
        console.say(f"following the plan of an earlier call: {path}")
        return Plan.read(path, budget, source)
    settings = first.settings
    lists = lists_of(settings, first.model, material.inputs)
    pace = Pace.measure(first.model, lists.tokens, settings.precision)
    shares = settings.embedding_cache != "off"
    beside = apart(material.seconds)
    guarding = sum(map(middle, guard_work(material.guards, first.model, settings)))
    costs = estimated(trials, pace, lists, placed, levels, shares, beside + guarding)
    test = evaluation(pace, lists.select(placed.parts[2]), "")
    once = [
        *fitting(pace, settings, first.made),
        *test,
        *test,
        *(test[:1] if shares else []),
        *guard_work(material.guards, first.model, settings, chooses=False),
    ]
    estimate = Estimate(costs, beside + sum(map(middle, once)), material.jobs)
    return plan_of(trials, estimate, levels, budget, source, beside)


def _load(material: _Material, plan: Plan | None) -> Workload:
    """Count what the command computes, for a dry run: a line for each trial, or for each rung."""
    first, placed = material.first, material.placed
    model, settings = loaded(first.model), first.settings
    lists = lists_of(settings, model, material.inputs)
    by_default = settings.model is None and not first.made
    if plan is not None:
        return load_of(lists, plan.work(), by_default)
    pace = Pace.measure(model, lists.tokens, settings.precision)
    train, dev = map(len, placed.parts[:2])
    seen = lists.select(np.concatenate(placed.parts[:2]))
    guarding = guard_work(material.guards, model, settings)
    work = fitting(pace, settings, first.made)
    for trial in material.trials:
        own = replace(trial.settings, refit=False)
        parts = [*evaluation(pace, seen, "before"), *training(pace, own, lists, train, dev),
                 *evaluation(pace, seen, "after"), *guarding]  # fmt: skip
        low, high = (sum(part.seconds[end] for part in parts) / material.jobs for end in (0, 1))
        updates = trial.settings.epochs * updates_an_epoch(train, trial.settings)
        work.append(Work(f"updates of trial {trial.name}", updates, (low, high)))
    for name in ("stage 1, on test", "the winner, on test"):
        work += evaluation(pace, lists.select(placed.parts[2]), name)
    work += guard_work(material.guards, model, settings, chooses=False)
    return load_of(lists, work, by_default)


def _write_splits(
    run: RunFolder, qa_ids: Sequence[str], placed: Placed, rungs: Sequence[Ints]
) -> None:
    """Write what the trials see, what those of each rung but the last see, and the test side."""
    train, dev, test = placed.parts
    nobody = test[:0]
    parts = {files.SEARCH_SPLIT: [train, dev, nobody], files.TEST_SPLIT: [nobody, nobody, test]}
    parts |= {files.rung_split(n): [rows, dev, nobody] for n, rows in enumerate(rungs[:-1], 1)}
    for place, sides in parts.items():
        (run / place).parent.mkdir(exist_ok=True)
        files.write_json(run / place, split_file(qa_ids, replace(placed, parts=sides)))


def _embed_shared(common: Settings, run: RunFolder, material: _Material) -> None:
    """Embed once, into the cache, what every trial needs of the untouched model.

    Otherwise trials that run at the same time would each embed it.
    """
    cache = embedding_cache(common, str(common.model))
    if cache is None:
        return
    model = material.first.model
    lists = lists_of(common, model, material.inputs)
    lists = lists.subset(np.concatenate(material.placed.parts[:2]))
    for one in (lists, *(guard_lists(guard, model) for guard in material.guards)):
        with console.bar("embedding what all trials share") as progress:
            embed(model, one, common.precision, progress, cache, run.path, common.budget)


def _winning(settings: Settings, common: Settings, trials: Sequence[Trial], winner: Outcome) -> str:
    """Return the settings of a run with the winner's, as TOML.

    They are those of the sweep where its trials differ from a plain run: with the same seed, the
    run has the same test side.
    """
    [trial] = [trial for trial in trials if trial.name == winner.trial]
    own = {name: getattr(common, name) for name in ("model", "qa", "chunks", "entities")}
    free = {name: default(name) for name in ("output_dir", "overwrite", "language")}
    chosen = replace(placed_trial(trial, settings, Path()).settings, **own, **free)
    text = usage.saved(chosen, usage.RUN)
    return "".join(line for line in text.splitlines(True) if line.split(" ")[0] not in free)


@contextlib.contextmanager
def _naming(trial: Trial) -> Iterator[None]:
    """Add the name of the trial to the message of a refusal."""
    try:
        yield
    except BadInputError as error:
        raise BadInputError(f"trial {trial.name}: {error}") from error


def _check(settings: Settings, budget: float | None) -> None:
    if budget is not None and not 0 < budget < math.inf:
        raise BadInputError(f"--budget is {budget:g}; expected minutes, a number above 0")
    resolve_precision(settings.precision, resolve_device(settings.device))
    if settings.split == "none" or not settings.test_share or not settings.dev_share:
        raise BadInputError(
            "a sweep selects on dev and measures on test; expected --split chunk, and "
            "--dev-share and --test-share above 0"
        )
    highest = SETTINGS["dev_share"].metadata["high"]
    if settings.dev_share + settings.test_share > highest:
        raise BadInputError(
            f"--dev-share {settings.dev_share:g} and --test-share {settings.test_share:g} leave "
            f"too little to train on; expected a sum of at most {highest:g}"
        )
    if settings.corpus == "never":
        raise BadInputError(
            "--corpus never: trials with other candidates can only be compared among all chunks; "
            "expected --corpus auto or always"
        )


def _shared(settings: Settings, run: RunFolder, inputs: Inputs) -> Settings:
    """Return the settings that all trials share: one stage-1 model, and a split without test."""
    if inputs.source == "sample":
        paths = write_sample(run / files.SAMPLE)
        settings = replace(
            settings, qa=str(paths.qa), chunks=str(paths.chunks), entities=str(paths.entities)
        )
    return replace(
        settings,
        split_file=str(run / files.SEARCH_SPLIT),
        model=given_model(settings, run) or str(run / files.STAGE1_MODEL),
        corpus="always",
        refit=False,
        fail_if_regressed=False,
        overwrite=False,
    )


def _measure(winner: Outcome, common: Settings, run: RunFolder) -> None:
    """Measure stage 1 and the winner on the test questions, which no trial has seen."""
    seen = run.record.get("tested", [])
    if winner.trial not in seen:
        run.record["tested"] = [*seen, winner.trial]
        files.write_json(run / files.RUN, run.record)
    others = [name for name in seen if name != winner.trial]
    if others:
        console.warn(
            f"the test questions were looked at before, for {', '.join(others)}: they are no "
            "longer untouched"
        )
    test = replace(
        common,
        split_file=str(run / files.TEST_SPLIT),
        output_dir=str(run / files.TEST),
        overwrite=True,
    )
    models = [str(common.model), str(run / str(winner.folder) / files.SHIPPED_MODEL)]
    evaluate_command(test, models, held_out=True)
