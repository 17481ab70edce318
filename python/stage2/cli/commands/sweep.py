"""`stage2 sweep` tries many runs that share a stage-1 model, and selects the best on dev.

Only the winner is measured on test.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stage2 import usage
from stage2.cli import console, run_files
from stage2.cli.baselines import check_backbone_flag
from stage2.cli.commands import run as run_module
from stage2.cli.commands.evaluate import evaluate_command, lists_of
from stage2.cli.dry_run import Work, Workload
from stage2.cli.inputs import Inputs, check_corpus, gather, write_rejected
from stage2.cli.run_folder import RunFolder, in_run_folder
from stage2.cli.split_sides import (
    ground_truths,
    grouped_questions,
    sides_of,
    split_file,
    tell_split,
)
from stage2.cli.stage1 import Stage1, given_model, keep_stage1, stage1
from stage2.cli.sweep_grid import SWEPT, Trial, is_possible
from stage2.cli.teachers import load_teacher
from stage2.cli.workload import Pace, evaluation, fitting, load_of, training
from stage2.config import SETTINGS, Settings
from stage2.data.sample.build import write_sample
from stage2.data.splits import Placed
from stage2.encoding.encoder import loaded
from stage2.report.columns import aligned
from stage2.training.learnable import check_texts_to_learn
from stage2.training.parameters import check_rank, check_trainable
from stage2.training.schedule import updates_an_epoch
from stage2.utils import files
from stage2.utils.device import check_training_precision, resolve_device, resolve_precision
from stage2.utils.errors import BadInputError, RunFailedError

_HEADERS = {
    "en": ("trial", "hard", "shipped", "dev Top-1", "dev MRR", "seconds"),
    "zh": ("试验", "难例", "交付", "dev Top-1", "dev MRR", "秒"),
}
# The seconds between two checks that the process which started a trial still exists.
_LOOK = 0.5

_IMPOSSIBLE = "a --topk above the number of candidates, or --lora with --freeze backbone"


@dataclass(frozen=True)
class Outcome:
    """The outcome of a trial, which is a row of `sweep.jsonl`.

    Attributes:
        trial: the name of the trial.
        folder: the folder of its run, relative to the sweep's folder.
        changes: the settings that distinguish it from the other trials.
        status: `done` or `failed`.
        error: the reason why it failed, or None.
        hard: the number of hard examples that it found.
        shipped: the facts about the model that it would ship.
        dev: the metrics of that model on the dev questions, among all chunks.
        seconds: the time that its stages took.
    """

    trial: str
    folder: str
    changes: dict[str, Any]
    status: str
    error: str | None = None
    hard: int | None = None
    shipped: dict[str, Any] | None = None
    dev: dict[str, Any] | None = None
    seconds: float | None = None

    @property
    def mrr(self) -> float:
        """The dev MRR, by which trials are ordered. A trial without one has -1 and comes last."""
        return -1.0 if self.dev is None else float(self.dev["mrr"])


@in_run_folder()
def sweep(settings: Settings, run: RunFolder, wanted: Sequence[Trial], jobs: int) -> None:
    """Run the trials that are not done, select on dev, and measure the winner on test.

    Test questions are taken out before the trials start. A trial is a plain run on a split that has
    none, in a folder of its own below `trials/`.

    Args:
        settings: the settings that the trials share.
        run: the folder of the sweep.
        wanted: the trials. Of equally good trials the earliest wins.
        jobs: the number of trials at a time, each in a process of its own; 1 runs them one after
            another in this process.
    """
    _check(settings)
    possible = [trial for trial in wanted if is_possible(trial.settings)]
    if not possible:
        raise BadInputError(f"no trial is possible: each has {_IMPOSSIBLE}")
    for trial in possible:
        with _naming(trial):
            check_training_precision(trial.settings.precision, trial.settings.device)
            check_trainable(trial.settings)
    inputs = gather(settings)
    qa_ids = check_corpus(inputs, settings, "sweep").qa_ids
    placed = sides_of(settings, grouped_questions(inputs.samples), inputs.sides, inputs.seen_chunks)
    train_rows, dev_rows, test_rows = placed.parts
    if not len(test_rows):
        raise BadInputError(
            "the test side of the given split has no question; a sweep measures its winner there"
        )
    first = stage1(settings, run, inputs)
    check_backbone_flag(settings, first.backbone)
    settings = first.settings
    for trial in possible:
        with _naming(trial):
            check_texts_to_learn(trial.settings, ground_truths(inputs.samples, train_rows))
            load_teacher(trial.settings, inputs, first.hashes, train_rows)
            if trial.settings.lora is not None:
                check_rank(loaded(first.model), trial.settings.lora)
    hashes = {**inputs.hashes, **first.hashes}
    run.begin(
        settings,
        dict.fromkeys(["sweep", *(["init"] if first.made else [])], hashes),
        work=lambda: _load(possible, first, inputs, placed, jobs),
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
    nobody = test_rows[:0]
    search = replace(placed, parts=[train_rows, dev_rows, nobody])
    test = replace(placed, parts=[nobody, nobody, test_rows])
    files.write_json(run / files.SEARCH_SPLIT, split_file(qa_ids, search))
    files.write_json(run / files.TEST_SPLIT, split_file(qa_ids, test))

    ready = [_placed(trial, common, run) for trial in possible]
    outcomes = _outcomes(ready, jobs, run)
    run.done(settings, "sweep", hashes)
    ranked = sorted(outcomes, key=lambda outcome: -outcome.mrr)
    console.result(sweep_table(ranked, settings.language), trials=[vars(one) for one in ranked])
    winner = ranked[0]
    if winner.dev is None:
        raise RunFailedError(f"every trial failed; why stands in {run / files.SWEEP}")
    console.say(f"winner, by dev MRR: {winner.trial}: {run / winner.folder}")
    _measure(winner, common, run)


def _load(
    trials: Sequence[Trial], first: Stage1, inputs: Inputs, placed: Placed, jobs: int
) -> Workload:
    """Count what the command computes, for a dry run: a line for each trial."""
    model, settings = loaded(first.model), first.settings
    lists = lists_of(settings, model, inputs)
    pace = Pace.measure(model, lists.tokens, settings.precision)
    train, dev = map(len, placed.parts[:2])
    seen = lists.select(np.concatenate(placed.parts[:2]))
    work = fitting(pace, first.made and settings.fit)
    for trial in trials:
        own = replace(trial.settings, refit=False)
        parts = [*evaluation(pace, seen, "before"), *training(pace, own, lists, train, dev),
                 *evaluation(pace, seen, "after")]  # fmt: skip
        low, high = (sum(part.seconds[end] for part in parts) / jobs for end in (0, 1))
        updates = trial.settings.epochs * updates_an_epoch(train, trial.settings)
        work.append(Work(f"updates of trial {trial.name}", updates, (low, high)))
    for name in ("stage 1, on test", "the winner, on test"):
        work += evaluation(pace, lists.select(placed.parts[2]), name)
    return load_of(lists, work, settings.model is None and not first.made)


def sweep_table(outcomes: Sequence[Outcome], language: str) -> str:
    """Return the trials as plain text in aligned columns, in the given order."""
    rows = [
        (
            outcome.trial,
            "" if outcome.hard is None else str(outcome.hard),
            outcome.shipped["name"] if outcome.shipped else outcome.status,
            f"{outcome.dev['top1']:.1%}" if outcome.dev else "",
            f"{outcome.dev['mrr']:.4f}" if outcome.dev else "",
            "" if outcome.seconds is None else f"{outcome.seconds:.1f}",
        )
        for outcome in outcomes
    ]
    return "\n".join(aligned([_HEADERS[language], *rows], (0, 2)))


@contextlib.contextmanager
def _naming(trial: Trial) -> Iterator[None]:
    """Add the name of the trial to the message of a refusal."""
    try:
        yield
    except BadInputError as error:
        raise BadInputError(f"trial {trial.name}: {error}") from error


def _check(settings: Settings) -> None:
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


def _placed(trial: Trial, common: Settings, run: RunFolder) -> Trial:
    """Return the trial with the shared settings and with its own folder."""
    folder = run / files.TRIALS / trial.name
    changes = {name: getattr(trial.settings, name) for name in SWEPT}
    return replace(trial, settings=replace(common, output_dir=str(folder), **changes))


def _outcomes(trials: Sequence[Trial], jobs: int, run: RunFolder) -> list[Outcome]:
    """Run the trials that are not done, and return the outcomes of all trials in their order.

    After each trial, `sweep.jsonl` has the outcomes of the trials that have ended.
    """
    outcomes: dict[str, Outcome] = {}
    waiting = []
    for trial in trials:
        if _is_done(trial):
            outcomes[trial.name] = _outcome(trial, run, None)
        else:
            waiting.append(trial)
    if outcomes:
        console.say(f"{len(outcomes)} of {len(trials)} trials are done already")
    for trial, error in _run_all(waiting, jobs):
        outcome = _outcome(trial, run, error)
        outcomes[trial.name] = outcome
        ended = [outcomes[one.name] for one in trials if one.name in outcomes]
        files.write_jsonl(run / files.SWEEP, [vars(one) for one in ended])
        result = error or f"dev MRR {outcome.mrr:.4f}"
        console.say(f"trial {len(outcomes)} of {len(trials)}, {trial.name}: {result}")
    ended = [outcomes[trial.name] for trial in trials]
    files.write_jsonl(run / files.SWEEP, [vars(one) for one in ended])
    return ended


def _run_all(trials: Sequence[Trial], jobs: int) -> Iterator[tuple[Trial, str | None]]:
    """Run trials. Yield each when it ends, with the reason if it failed, else with None."""
    if jobs == 1 or len(trials) < 2:
        for trial in trials:
            yield trial, run_trial(trial)
        return
    # Workers are spawned: a forked process would inherit torch's threads in an unknown state.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _begin_worker, (jobs, os.getpid())) as pool:
        running = {pool.submit(run_trial, trial): trial for trial in trials}
        try:
            for future in as_completed(running):
                yield running[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            # Ctrl-C has reached the workers too, but anything else that stops this process has not.
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def run_trial(trial: Trial) -> str | None:
    """Run a trial, and write its messages to a log beside its folder.

    Returns:
        The reason why it failed, or None.
    """
    folder = Path(trial.settings.output_dir)
    said = io.StringIO()
    try:
        # Its results are for its log, whatever the flags of the sweep.
        streams = contextlib.redirect_stdout(said), contextlib.redirect_stderr(said)
        with console.session(), streams[0], streams[1]:
            run_module.run_command(trial.settings)
    except BadInputError:
        raise
    except (RuntimeError, ValueError) as error:
        # The trial diverged or ran out of memory. The other trials can still be run.
        return str(error)
    finally:
        files.write_text(_log_of(folder), said.getvalue())
    return None


def _begin_worker(jobs: int, parent: int) -> None:
    """Give a worker its share of the threads, and let it end with the process `parent`."""
    # SIGTERM acts as in the program itself: no half-written file is left, and a training saves
    # its state.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    threads = max(1, (os.cpu_count() or 1) // jobs)
    os.environ["RAYON_NUM_THREADS"] = str(threads)
    torch.set_num_threads(threads)


def _end_with(parent: int) -> None:
    """Stop this process when the one that started it is gone: nobody waits for its trial."""
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os.kill(os.getpid(), signal.SIGTERM)


def _log_of(folder: Path) -> Path:
    """Return the path of the log of a trial's run."""
    return folder.parent / f"{folder.name}.log"


def _is_done(trial: Trial) -> bool:
    """Return whether a trial's run has ended with these settings and its files are unchanged."""
    folder = Path(trial.settings.output_dir)
    record = run_files.read_record(folder)
    if not record.get("ended") or not _log_of(folder).is_file():
        return False
    if not all(
        run_files.is_as_recorded(folder / place, facts) for place, facts in record["files"].items()
    ):
        return False
    return (folder / files.SETTINGS).read_text(encoding="utf-8") == usage.saved(
        trial.settings, usage.RUN
    )


def _outcome(trial: Trial, run: RunFolder, error: str | None) -> Outcome:
    folder = Path(trial.settings.output_dir)
    place = str(folder.relative_to(run.path))
    if error is not None:
        return Outcome(trial.name, place, dict(trial.changes), "failed", error)
    record = files.read_json(folder / files.RUN)
    dev = next(
        part["after"]
        for part in files.read_json(folder / files.COMPARISON)["sets"]
        if part["name"] == "dev" and part["source"] == "corpus"
    )
    return Outcome(
        trial=trial.name,
        folder=place,
        changes=dict(trial.changes),
        status="done",
        hard=files.read_json(folder / files.MINING_SUMMARY)["num_hard"],
        shipped=record["shipped"],
        dev=dev,
        seconds=round(sum(stage["seconds"] for stage in record["stages"].values()), 3),
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
    models = [str(common.model), str(run / winner.folder / files.SHIPPED_MODEL)]
    evaluate_command(test, models, held_out=True)
