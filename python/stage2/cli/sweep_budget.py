"""A search within a budget: its plan, which is written, and the rungs, which follow the plan.

The clock decides the plan and, after each rung, how many trials go on. Both are written before
anything depends on them. A call in the same folder reads them and asks the clock no more, so equal
plans give equal bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from stage2.cli import console
from stage2.cli.dry_run import Work
from stage2.cli.run_folder import RunFolder
from stage2.cli.split_sides import ground_truths
from stage2.cli.sweep_grid import Trial
from stage2.cli.sweep_rungs import (
    ETA,
    Cost,
    Estimate,
    Reason,
    Rung,
    kept,
    more,
    next_level,
    planned,
)
from stage2.cli.sweep_trials import (
    Outcome,
    Runner,
    difference_of,
    outcomes_of,
    placed_trial,
    reciprocal_ranks,
    seconds_of,
    write_outcomes,
)
from stage2.cli.workload import Pace, counts_of, training
from stage2.config import Settings
from stage2.data.dataset import Samples
from stage2.data.splits import Placed, draw_of
from stage2.data.subsets import nested
from stage2.encoding.ranking_lists import RankingLists
from stage2.evaluation.statistics import verdict_of
from stage2.report.model_choice import few_updates
from stage2.training.learnable import check_texts_to_learn
from stage2.training.schedule import updates_an_epoch
from stage2.usage import RUN, made_from
from stage2.utils import files
from stage2.utils.arrays import Ints
from stage2.utils.errors import BadInputError, RunFailedError

# The seconds that a trial takes to load the model and to write its report.
_MODEL_AND_REPORT = 1.5
# A trial may take half of its estimated time, or half as much again; see `workload`.
_SPREAD = (0.5, 1.5)


@dataclass(frozen=True)
class Decision:
    """The decisions after a rung.

    Attributes:
        kept: the trials of the next rung, the best first.
        dropped: for each other trial the reason, with the difference of its dev MRR to the best.
        training: the time of trainings so far, as a multiple of the estimate.
        other: the same for all else.
    """

    kept: list[str]
    dropped: dict[str, dict[str, Any]]
    training: float
    other: float


@dataclass(frozen=True)
class Plan:
    """The plan of a search, which is the content of `sweep_plan.json`.

    Attributes:
        budget: in minutes.
        made_from: the SHA-256 of the settings, the inputs and the names of all trials.
        apart: the seconds of a trial that are no stage's and that no record has; see `apart`.
        estimate: how long trials take.
        rungs: the rungs; the last one has all questions.
        trials: the trials of the first rung.
        left_out: why other trials are not tried.
        added: those of them that were tried after all, as the first rung took less time than was
            expected; None before that is known.
        decisions: what followed from each rung that has ended, but for the last one.
    """

    budget: float
    made_from: str
    apart: float
    estimate: Estimate
    rungs: list[Rung]
    trials: list[str]
    left_out: dict[str, Reason]
    added: list[str] | None = None
    decisions: list[Decision] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long the search is likely to take."""
        return self.estimate.once + sum(rung.seconds for rung in self.rungs)

    @staticmethod
    def read(path: Path, budget: float, source: str) -> Plan:
        """Read the plan of an earlier call.

        Args:
            path: the file.
            budget: the budget of this call, in minutes.
            source: the `made_from` of this call.

        Raises:
            BadInputError: it is the plan of another search, or it is damaged.
        """
        found = files.read_json(path)
        what = None
        if found["budget"] != budget:
            what = f"--budget {found['budget']:g}, and this one has {budget:g}"
        elif found["made_from"] != source:
            what = "other trials, settings or inputs"
        if what is not None:
            raise BadInputError(
                f"{path}: the plan of a search with {what}. Give these again, or another "
                "--output-dir, or --overwrite to plan anew"
            )
        estimate = found["estimate"]
        costs = {name: [Cost(**one) for one in each] for name, each in estimate["costs"].items()}
        return Plan(
            **found
            | {
                "estimate": Estimate(**estimate | {"costs": costs}),
                "rungs": [Rung(**one) for one in found["rungs"]],
                "decisions": [Decision(**one) for one in found["decisions"]],
            }
        )

    def write(self, run: RunFolder) -> None:
        """Write the plan to the folder of the sweep."""
        files.write_json(run / files.SWEEP_PLAN, asdict(self))

    def lines(self) -> list[str]:
        """Return the plan for people, a line for each rung."""
        every = self.rungs[-1].questions
        shown = [
            f"rung {number}: {rung.trials} trials on {rung.questions} of {every} training "
            f"questions, about {rung.seconds / 60:.1f} minutes"
            for number, rung in enumerate(self.rungs, 1)
        ]
        total = f"about {self.seconds / 60:.1f} of {self.budget:g} minutes in all"
        out = f"; {len(self.left_out)} trials are left out" if self.left_out else ""
        if "not_drawn" in self.left_out.values():
            out += ", unless there is time for them"
        return [*shown, f"{total}{out}"]

    def work(self) -> list[Work]:
        """Return the work of the search for a dry run."""
        low, high = _SPREAD
        once = self.estimate.once
        found = [
            Work(
                f"trials of rung {number}, on {rung.questions} questions",
                rung.trials,
                (low * rung.seconds, high * rung.seconds),
            )
            for number, rung in enumerate(self.rungs, 1)
        ]
        return [*found, Work("what is done once, with the test", 1, (low * once, high * once))]


def ladder(trials: Sequence[Trial], samples: Samples, placed: Placed, seed: int) -> list[Ints]:
    """Return the training questions of each level, each level inside the one before.

    A level is left out where a trial would make so few updates that it is warned of, or would have
    nothing to learn, and with it all smaller ones.

    Args:
        trials: the trials.
        samples: the questions.
        placed: the sides of the split; the first part is trained on.
        seed: the seed of the subsets.

    Returns:
        int64 rows; level 0 is the whole training side.
    """
    found = [placed.parts[0]]
    while len(found[-1]) > 1:
        wanted = math.ceil(len(found[0]) / ETA ** len(found))
        rows = nested(found[0], placed.groups.names, [wanted], seed)[0]
        if len(rows) == len(found[-1]) or not all(_can_learn(one, samples, rows) for one in trials):
            break
        found.append(rows)
    return found


def _can_learn(trial: Trial, samples: Samples, rows: Ints) -> bool:
    if few_updates(trial.settings.epochs * updates_an_epoch(len(rows), trial.settings)):
        return False
    try:
        check_texts_to_learn(trial.settings, ground_truths(samples, rows))
    except BadInputError:
        return False
    return True


def estimated(
    trials: Sequence[Trial],
    pace: Pace,
    lists: RankingLists,
    placed: Placed,
    levels: Sequence[Ints],
    shares_vectors: bool,
    beside: float,
) -> dict[str, list[Cost]]:
    """Estimate how long each trial takes at each level.

    Args:
        trials: the trials.
        pace: the pace of this machine with the model.
        lists: all questions, with the corpus.
        placed: the sides of the split.
        levels: the training questions of each level.
        shares_vectors: whether the vectors of the untouched model are in the cache.
        beside: the seconds of a trial that are no stage's.
    """
    dev, documents = len(placed.parts[1]), counts_of(lists)[1]
    costs: dict[str, list[Cost]] = {trial.name: [] for trial in trials}
    for rows in levels:
        asked = len(rows) + dev
        embedding = middle(pace.embed("", asked, documents)) * (1 if shares_vectors else 2)
        search = 2 * middle(pace.search("", asked, len(lists.corpus)))
        for trial in trials:
            own = replace(trial.settings, refit=False)
            seconds = sum(map(middle, training(pace, own, lists, len(rows), dev)))
            costs[trial.name].append(Cost(seconds, embedding + search + beside))
    return costs


def apart(reading: float) -> float:
    """Return the seconds of a trial that are no stage's, since it reads all anew.

    Args:
        reading: the seconds that the sweep itself took to read the data and to find the groups.
    """
    return reading + _MODEL_AND_REPORT


def middle(work: Work) -> float:
    """Return the seconds of some work, between the least and the most."""
    return sum(work.seconds) / 2


def plan_of(
    trials: Sequence[Trial],
    estimate: Estimate,
    levels: Sequence[Ints],
    budget: float,
    source: str,
    beside: float,
) -> Plan:
    """Plan a search. If not all trials fit, those are tried that the seed draws.

    Raises:
        BadInputError: not even one trial fits.
    """
    seed = trials[0].settings.seed
    order = sorted(estimate.costs, key=lambda name: (draw_of(f"{seed}\0trial\0{name}"), name))
    rungs, chosen, out = planned(estimate, [len(rows) for rows in levels], order, 60 * budget)
    names = [trial.name for trial in trials if trial.name in chosen]
    return Plan(budget, source, beside, estimate, rungs, names, out)


def source_of(trials: Sequence[Trial], settings: Settings, hashes: Mapping[str, str]) -> str:
    """Return the SHA-256 of all that the result of a search depends on beside its plan."""
    parts = [[one.name, *(made_from(one.settings, stage) for stage in RUN)] for one in trials]
    text = json.dumps([parts, made_from(settings, "sweep", hashes)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Search:
    """All that the rungs of a search need beside its plan.

    Attributes:
        run: the folder of the sweep.
        common: the settings that all trials share.
        jobs: the number of trials at a time.
        runner: the command that runs a trial.
        groups: the number of the group of each dev question, by its id.
    """

    run: RunFolder
    common: Settings
    jobs: int
    runner: Runner
    groups: Mapping[str, int]

    def outcomes(self, trials: Sequence[Trial], plan: Plan) -> list[Outcome]:
        """Do the rungs, and return the outcome of each trial from its last rung, the best first.

        Args:
            trials: the trials, in their order.
            plan: the plan. Decisions that it has are followed, others are added and written.

        Raises:
            RunFailedError: every trial of a rung failed.
        """
        by_name = {trial.name: trial for trial in trials}
        ended = [
            Outcome(name, None, dict(by_name[name].changes), "left out", dropped={"why": why})
            for name, why in plan.left_out.items()
            if name not in (plan.added or ())
        ]
        names, number, spent = [*plan.trials, *(plan.added or ())], 1, 0.0
        before: dict[str, float] = {}
        while True:
            rung = plan.rungs[number - 1]
            console.say(f"rung {number} of {len(plan.rungs)}: {len(names)} trials on "
                        f"{rung.questions} questions")  # fmt: skip
            here = [self._placed(trial, number, rung) for trial in trials if trial.name in names]
            found = self._run(here, ended)
            if plan.added is None:
                plan = self._with_more(found, plan)
                added = plan.added or []
                ended = [one for one in ended if one.trial not in added]
                there = [trial for trial in trials if trial.name in added]
                placed = [self._placed(trial, number, rung) for trial in there]
                found += self._run(placed, [*ended, *found]) if placed else []
                place = {name: number for number, name in enumerate(by_name)}
                found.sort(key=lambda one: place[one.trial])
            spent += self._spent(found, plan)
            found = [self._in_rung(one, number, rung, before) for one in found]
            before = {one.trial: one.seconds or 0.0 for one in found}
            if rung.level == 0:
                break
            if len(plan.decisions) < number:
                decision = self._decided(found, plan, number, spent)
                plan = replace(plan, decisions=[*plan.decisions, decision])
                plan.write(self.run)
            decision = plan.decisions[number - 1]
            ended[:0] = [
                replace(one, dropped=decision.dropped[one.trial])
                for one in sorted(found, key=lambda one: one.key)
                if one.trial in decision.dropped
            ]
            names = decision.kept
            console.say(f"{len(names)} of {len(found)} trials go on: {', '.join(names)}")
            lower = next_level(rung.level - 1, len(names))
            number += rung.level - lower
        ranked = sorted(found, key=lambda one: one.key)
        reasons = self._reasons(ranked)
        ranked = [replace(one, dropped=reasons.get(one.trial)) for one in ranked]
        write_outcomes(self.run, [*ranked, *ended])
        return [*ranked, *ended]

    def _run(self, trials: Sequence[Trial], earlier: Sequence[Outcome]) -> list[Outcome]:
        return outcomes_of(trials, self.jobs, self.run, self.runner, self.groups, earlier)

    def _with_more(self, found: Sequence[Outcome], plan: Plan) -> Plan:
        """Add trials that were left out, if the first rung took less time; write the plan."""
        rung, waiting = plan.rungs[0], [n for n, why in plan.left_out.items() if why == "not_drawn"]
        done = [one for one in found if one.status == "done"]
        added: list[str] = []
        if done and waiting:
            spare = plan.estimate.corrected(
                [one.trial for one in done], rung.level, self._took(done, plan)
            )
            room = 60 * plan.budget - plan.estimate.once - self._spent(found, plan)
            added = more(spare, [one.trial for one in found], waiting, rung.level, room)
        if added:
            console.say(f"there is time for {len(added)} more trials: {', '.join(added)}")
        plan = replace(plan, added=added)
        plan.write(self.run)
        return plan

    def _took(self, done: Sequence[Outcome], plan: Plan) -> Cost:
        """Return the seconds that the trials of a rung took, all together."""
        took = [seconds_of(self.run / str(one.folder)) for one in done]
        return Cost(sum(one for one, _ in took), sum(other + plan.apart for _, other in took))

    def _spent(self, found: Sequence[Outcome], plan: Plan) -> float:
        """Return how long the trials of a rung took, side by side."""
        return sum((one.seconds or 0.0) + plan.apart for one in found) / self.jobs

    def _placed(self, trial: Trial, number: int, rung: Rung) -> Trial:
        """Return a trial of a rung. In the last one it is that of a sweep without a budget."""
        folder = self.run / files.TRIALS
        if rung.level == 0:
            return placed_trial(trial, self.common, folder / trial.name)
        own = replace(
            self.common,
            split_file=str(self.run / files.rung_split(number)),
            # Nobody goes on from the epochs of a trial that was trained on a part.
            keep_checkpoints=self.common.keep_checkpoints or 1,
        )
        return placed_trial(trial, own, folder / f"rung-{number},{trial.name}")

    @staticmethod
    def _in_rung(one: Outcome, number: int, rung: Rung, before: Mapping[str, float]) -> Outcome:
        seconds = round((one.seconds or 0.0) + before.get(one.trial, 0.0), 3)
        return replace(one, rung=number, questions=rung.questions, seconds=seconds)

    def _decided(self, found: Sequence[Outcome], plan: Plan, number: int, spent: float) -> Decision:
        """Choose the trials of the next rung, from what this one found and how long it took."""
        ranked = sorted((one for one in found if one.status == "done"), key=lambda one: one.key)
        if not ranked:
            raise RunFailedError(f"every trial failed; why stands in {self.run / files.SWEEP}")
        names, rung = [one.trial for one in ranked], plan.rungs[number - 1]
        spare = plan.estimate.corrected(names, rung.level, self._took(ranked, plan))
        reasons = self._reasons(found)
        even = {name for name, reason in reasons.items() if reason["why"] == "even"}
        room = 60 * plan.budget - plan.estimate.once - spent
        wanted = math.ceil(len(found) / ETA)
        chosen = kept(names, even, wanted, spare, rung.level - 1, room)
        if len(chosen) < min(wanted, len(names)):
            console.warn(
                f"the trials take longer than was expected: {len(chosen)} of them go on, not "
                f"{wanted}"
            )
        dropped = {name: reason for name, reason in reasons.items() if name not in chosen}
        for name, reason in dropped.items():
            if name in even or name in names[:wanted]:
                dropped[name] = reason | {"why": "no_room"}
        return Decision(chosen, dropped, spare.training, spare.other)

    def _reasons(self, found: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
        """Say how each trial but the best differs from it on the same dev questions."""
        ranked = sorted((one for one in found if one.status == "done"), key=lambda one: one.key)
        reasons: dict[str, dict[str, Any]] = {
            one.trial: {"why": "failed"} for one in found if one.status != "done"
        }
        ranks = [reciprocal_ranks(self.run / str(one.folder)) for one in ranked]
        for one, own in zip(ranked[1:], ranks[1:], strict=True):
            difference = difference_of(own, ranks[0], self.groups, self.common.seed)
            why: Reason = "worse" if verdict_of(difference) == "worse" else "even"
            reasons[one.trial] = {"why": why, **difference.entries}
        return reasons


def dev_groups(qa_ids: Sequence[str], placed: Placed) -> dict[str, int]:
    """Return the number of the group of each dev question, by its id."""
    numbers = placed.groups.numbers
    return {qa_ids[row]: int(numbers[row]) for row in np.asarray(placed.parts[1]).tolist()}
