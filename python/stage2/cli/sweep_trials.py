"""The trials of a sweep: each is run once in a folder of its own, and gives an outcome."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

from stage2 import usage
from stage2.cli import console, run_files
from stage2.cli.run_folder import RunFolder
from stage2.cli.sweep_grid import SWEPT, Trial
from stage2.config import SETTINGS, Settings
from stage2.evaluation.non_inferiority import WORSE
from stage2.evaluation.statistics import Difference, paired_differences
from stage2.utils import files
from stage2.utils.errors import BadInputError

# The seconds between two checks that the process which started a trial still exists.
_LOOK = 0.5

# The command that a trial is: `stage2 run`.
Runner: TypeAlias = Callable[[Settings], None]


@dataclass(frozen=True)
class Outcome:
    """The outcome of a trial, which is a row of `sweep.jsonl`.

    Attributes:
        trial: the name of the trial.
        folder: the folder of its run, relative to the sweep's folder; None if it was not run.
        changes: the settings that distinguish it from the other trials.
        status: `done`, `failed` or `left out`.
        error: the reason why it failed, or None.
        hard: the number of hard examples that it found.
        shipped: the facts about the model that it would ship.
        dev: the metrics of that model on the dev questions, among all chunks.
        interval: the 95% bootstrap interval of the dev MRR; groups of questions are drawn.
        trained: the best dev MRR of a model that it trained, shipped or not, as the training log
            has it, but for those that a guard calls worse; None if there is none.
        seconds: the time that its stages took; with --budget in all rungs.
        rung: with --budget the number of the last rung that it was in, from 1.
        questions: with --budget the number of questions of the training side in that rung.
        dropped: with --budget why it went no further, as in `sweep_rungs.Reason`; None for the
            winner.
    """

    trial: str
    folder: str | None
    changes: dict[str, Any]
    status: str
    error: str | None = None
    hard: int | None = None
    shipped: dict[str, Any] | None = None
    dev: dict[str, Any] | None = None
    interval: tuple[float, float] | None = None
    trained: float | None = None
    seconds: float | None = None
    rung: int | None = None
    questions: int | None = None
    dropped: dict[str, Any] | None = None

    @property
    def mrr(self) -> float:
        """The dev MRR, by which trials are ordered. A trial without one has -1 and comes last."""
        return -1.0 if self.dev is None else float(self.dev["mrr"])

    @property
    def key(self) -> tuple[float, float]:
        """The key of the order of trials, the best first; of equal ones the earlier is first.

        Where stage 1 is better than all that was trained, trials are equal by what they ship. Then
        the better of what they trained is first.
        """
        return -self.mrr, -(self.trained or 0.0)


def placed_trial(trial: Trial, common: Settings, folder: Path) -> Trial:
    """Return the trial with the settings that all share and with the folder of its run."""
    changes = {name: getattr(trial.settings, name) for name in SWEPT}
    return replace(trial, settings=replace(common, output_dir=str(folder), **changes))


def outcomes_of(
    trials: Sequence[Trial],
    jobs: int,
    run: RunFolder,
    runner: Runner,
    groups: Mapping[str, int],
    earlier: Sequence[Outcome] = (),
) -> list[Outcome]:
    """Run the trials that are not done, and return the outcomes of all trials in their order.

    After each trial, `sweep.jsonl` has the outcomes of the trials that have ended.

    Args:
        trials: the trials, with their folders.
        jobs: the number of trials at a time.
        run: the folder of the sweep.
        runner: the command that runs a trial.
        groups: the number of the group of each dev question, by its id.
        earlier: outcomes that `sweep.jsonl` has too, before these.
    """
    outcomes: dict[str, Outcome] = {}
    waiting = []
    for trial in trials:
        if _is_done(trial):
            outcomes[trial.name] = _outcome(trial, run, None, groups)
        else:
            waiting.append(trial)
    if outcomes:
        console.say(f"{len(outcomes)} of {len(trials)} trials are done already")
    for trial, error in _run_all(waiting, jobs, runner):
        outcome = _outcome(trial, run, error, groups)
        outcomes[trial.name] = outcome
        write_outcomes(run, [*earlier, *_in_order(trials, outcomes)])
        result = error or f"dev MRR {outcome.mrr:.4f}"
        console.say(f"trial {len(outcomes)} of {len(trials)}, {trial.name}: {result}")
    ended = _in_order(trials, outcomes)
    write_outcomes(run, [*earlier, *ended])
    return ended


def _in_order(trials: Sequence[Trial], outcomes: Mapping[str, Outcome]) -> list[Outcome]:
    return [outcomes[trial.name] for trial in trials if trial.name in outcomes]


def write_outcomes(run: RunFolder, outcomes: Sequence[Outcome]) -> None:
    """Write `sweep.jsonl`, a row for each outcome."""
    files.write_jsonl(run / files.SWEEP, [vars(one) for one in outcomes])


def read_outcomes(path: Path) -> list[Outcome]:
    """Read a `sweep.jsonl`, the best trial first.

    Raises:
        BadInputError: the file is damaged.
    """
    try:
        found = [Outcome(**row) for row in files.read_jsonl(path)]
    except TypeError as error:
        raise BadInputError(f"{path}: a row is none of a sweep ({error})") from error
    # With rungs they stand in their order already: a trial is behind those that went on further.
    rungs = any(one.rung is not None for one in found)
    return found if rungs else sorted(found, key=lambda one: one.key)


def _run_all(
    trials: Sequence[Trial], jobs: int, runner: Runner
) -> Iterator[tuple[Trial, str | None]]:
    """Run trials. Yield each when it ends, with the reason if it failed, else with None."""
    if jobs == 1 or len(trials) < 2:
        for trial in trials:
            yield trial, run_trial(trial, runner)
        return
    # Workers are spawned: a forked process would inherit torch's threads in an unknown state.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _begin_worker, (jobs, os.getpid())) as pool:
        running = {pool.submit(run_trial, trial, runner): trial for trial in trials}
        try:
            for future in as_completed(running):
                yield running[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            # Ctrl-C has reached the workers too, but anything else that stops this process has not.
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def run_trial(trial: Trial, runner: Runner) -> str | None:
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
            # Its recipe is what it tries, however few the questions are.
            runner(replace(trial.settings, stated=frozenset(SETTINGS)))
    except BadInputError:
        raise
    except (RuntimeError, ValueError) as error:
        # The trial diverged or ran out of memory. The other trials can still be run.
        return str(error)
    finally:
        # A trial that was stopped before it had a folder leaves no log: nothing would vouch for it.
        if folder.is_dir():
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


def _outcome(trial: Trial, run: RunFolder, error: str | None, groups: Mapping[str, int]) -> Outcome:
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
    one = difference_of(reciprocal_ranks(folder), {}, groups, trial.settings.seed)
    return Outcome(
        trial=trial.name,
        folder=place,
        changes=dict(trial.changes),
        status="done",
        hard=files.read_json(folder / files.MINING_SUMMARY)["num_hard"],
        shipped=record["shipped"],
        dev=dev,
        interval=(one.low, one.high),
        trained=_best_trained(folder, record["shipped"]["candidates"]),
        seconds=round(sum(seconds_of(folder)), 3),
    )


def _best_trained(folder: Path, candidates: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the best dev MRR in the log of a run, without what a guard calls worse."""
    log = folder / files.TRAINING_LOG
    rows = files.read_jsonl(log) if log.is_file() else []
    passed = {
        one["epoch"]
        for one in candidates
        if one["kind"] == "epoch" and any(judged["verdict"] == WORSE for judged in one["guards"])
    }
    found = (row["dev"]["mrr"] for row in rows if row["epoch"] and row["epoch"] not in passed)
    return max(found, default=None)


def seconds_of(folder: Path) -> tuple[float, float]:
    """Return the seconds that the stages of a run took: training, and all others."""
    stages = files.read_json(folder / files.RUN)["stages"]
    took = {name: float(stage["seconds"]) for name, stage in stages.items()}
    return took.pop("train", 0.0), sum(took.values())


def reciprocal_ranks(folder: Path) -> dict[str, float]:
    """Return the reciprocal rank of each dev question among all chunks, by the model it ships."""
    return {
        row["qa_id"]: row["metrics"]["corpus"]["after"]["reciprocal_rank"]
        for row in files.read_jsonl(folder / files.PER_QUESTION)
        if row["set"] == "dev"
    }


def difference_of(
    one: Mapping[str, float], other: Mapping[str, float], groups: Mapping[str, int], seed: int
) -> Difference:
    """Compare what two trials give the same dev questions: one less the other.

    Args:
        one: the reciprocal rank of each question, by its id.
        other: the same of the other trial; a question that is missing has 0.
        groups: the number of the group of each question: those of a group are not independent.
        seed: the seed of the resampling.
    """
    values = [value - other.get(qa_id, 0.0) for qa_id, value in one.items()]
    return paired_differences([values], np.asarray([groups[qa_id] for qa_id in one]), seed)[0]
