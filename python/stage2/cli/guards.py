"""The guards of a command: other data, on which the model must not become worse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from stage2._core import text_key
from stage2.call import guards_named, of_guard
from stage2.cli import console
from stage2.cli.chosen_by import choices_of
from stage2.cli.dry_run import Work, Workload
from stage2.cli.inputs import Inputs, gather
from stage2.cli.shown_evaluation import evaluate_shown
from stage2.cli.split_sides import grouped_questions
from stage2.cli.workload import Pace, evaluation
from stage2.config import InputConfig, Settings
from stage2.data.splits import Groups, folds
from stage2.encoding.cache import EmbeddingCache
from stage2.encoding.encoder import Encoder, LazyModel
from stage2.encoding.ranking_lists import RankingLists, ranking_lists
from stage2.encoding.truncation import accounts
from stage2.evaluation.evaluate import Evaluation
from stage2.evaluation.non_inferiority import NOT_WORSE, UNDECIDED, least_groups, non_inferiority
from stage2.report import guard as words
from stage2.training.dev_corpus import dev_of
from stage2.training.guard import Guard
from stage2.utils.arrays import Ints
from stage2.utils.errors import BadInputError
from stage2.utils.schema import WORTH_A_WARNING


@dataclass(frozen=True)
class GuardData:
    """The questions of a guard.

    Attributes:
        number: its place among the guards, from 1.
        name: its path, or `builtin`.
        inputs: its questions and its corpus.
        groups: the groups of questions that share chunks.
        choice: int64, the rows of the questions that judge candidates; empty if nothing is chosen.
        verdict: int64, the rows of the questions that measure what is shipped. They have chosen
            nothing, here or in the run that made a model.
    """

    number: int
    name: str
    inputs: Inputs
    groups: Groups
    choice: Ints
    verdict: Ints

    @property
    def hashes(self) -> dict[str, str]:
        """The hashes of its files, by the names under which they are recorded."""
        return {f"guard_{self.number}/{name}": one for name, one in self.inputs.hashes.items()}

    @property
    def chose(self) -> int:
        """The number of questions that judge candidates or have judged them."""
        return len(self.inputs.samples) - len(self.verdict)


@dataclass(frozen=True)
class Guards:
    """The guards of a command, with what the model before it makes of them.

    Attributes:
        settings: the settings of the command.
        data: the questions.
        before: the evaluation of each guard by the model before.
        unknown: for each guard, the share of its tokens that the vocabulary lacks.
    """

    settings: Settings
    data: Sequence[GuardData]
    before: Sequence[Evaluation]
    unknown: Sequence[float]

    def choosing(self) -> tuple[Guard, ...]:
        """Return the questions that judge candidates, of the guards that the model can read."""
        found = []
        for one, before, unknown in zip(self.data, self.before, self.unknown, strict=True):
            if len(one.choice) and unknown <= WORTH_A_WARNING:
                dev = dev_of(before, one.choice)
                ranks = dev.stage1_ranks
                if ranks is not None:
                    groups = one.groups.numbers[one.choice]
                    margin, seed = self.settings.guard_margin, self.settings.seed
                    found.append(Guard(one.name, dev.lists, ranks, groups, margin, seed))
        return tuple(found)

    def verdicts(
        self, model: Encoder | LazyModel, shipped: Mapping[str, Any] = MappingProxyType({})
    ) -> list[dict[str, Any]]:
        """Measure a model on the questions that chose nothing, and compare it with the one before.

        Args:
            model: the model after.
            shipped: the entry of `run.json` about the model. If that is the model before, it is not
                worse, by whatever margin; empty if nothing was chosen.

        Returns:
            The entry `guards` of `comparison.json`.
        """
        unchanged, found = shipped.get("kind") == "stage1", []
        for one, before, unknown in zip(self.data, self.before, self.unknown, strict=True):
            after = before if unchanged else evaluate_guard(one, model, self.settings, "after")
            entry = _compared(one, before, after, self.settings, unchanged)
            entry["unknown_share"] = unknown
            if unknown > WORTH_A_WARNING and not unchanged:
                entry["verdict"] = UNDECIDED
            found.append(entry | {"text": words.sentences(entry)})
        return found


def read_guards(
    settings: Settings,
    questions: Iterable[str] = (),
    *,
    chooses: bool = False,
    models: Sequence[str] = (),
) -> list[GuardData]:
    """Read the guards that --guard names.

    Args:
        settings: the settings of the command.
        questions: the questions that the command trains on or measures.
        chooses: whether the command chooses a model. Then half of the questions judge candidates.
        models: the paths of the models that are compared. If a guard has chosen one of them, only
            its other half measures.

    Raises:
        BadInputError: a guard is no data set, or has no corpus, or is named twice, or has the
            questions of another or those of the command; or all of its questions have chosen.
        InputError: the content of a file is wrong.
    """
    names, found = guards_named(settings), list[GuardData]()
    keys = {"the data that this command works on": set(map(text_key, questions if names else ()))}
    for number, name in enumerate(names, 1):
        if name in names[: number - 1]:
            raise BadInputError(f"--guard names {name} twice; expected each data set once")
        inputs = _inputs_of(settings, number, name)
        own = set(map(text_key, inputs.samples.questions))
        for of, others in keys.items():
            _check_other(name, own, of, others)
        keys[f"--guard {name}"] = own
        grouped = grouped_questions(inputs.samples)
        everyone = np.arange(len(inputs.samples))
        placed = folds(grouped, 2, settings.seed) if chooses else None
        if placed is None or len(placed.parts) < 2:
            one = GuardData(number, name, inputs, grouped, everyone[:0], everyone)
        else:
            one = GuardData(number, name, inputs, placed.groups, *placed.parts)
        one = _without_choice(one, models)
        found.append(one)
        _tell(one, settings, chooses)
    return found


def _check_other(name: str, own: set[str], of: str, others: set[str]) -> None:
    """Refuse a guard whose questions are largely others; warn if some of them are.

    Args:
        name: the name of the guard.
        own: the keys of its questions.
        of: what the other questions are of.
        others: the keys of the other questions.
    """
    if not (both := len(own & others)):
        return
    same = f"--guard {name}: {both} of its {len(own)} questions are questions of {of} too"
    if 2 * both >= min(len(own), len(others)):
        raise BadInputError(
            f"{same}, whatever its path or its format. A guard says what a model has lost on other "
            "data, which these questions cannot show; expected a data set with other questions"
        )
    console.warn(f"{same}, and say nothing about other data")


def _without_choice(one: GuardData, models: Sequence[str]) -> GuardData:
    """Leave out the questions by which one of the models was chosen in the run that made it."""
    grouped = one.groups
    for path, seed in choices_of(models, one.inputs.hashes).items():
        placed = folds(grouped, 2, seed)
        if len(placed.parts) < 2:
            continue
        chose, left = placed.parts
        console.say(
            f"guard {one.name}: {len(chose)} of its questions chose the model of {path}, and are "
            "left out"
        )
        one = replace(one, groups=placed.groups, verdict=np.intersect1d(one.verdict, left))
    if not len(one.verdict):
        raise BadInputError(
            f"--guard {one.name}: each of its questions has chosen one of the models, and says "
            "nothing about that one any more; expected other data"
        )
    return one


def measured(
    data: Sequence[GuardData],
    model: Encoder | LazyModel,
    settings: Settings,
    cache: EmbeddingCache | None = None,
) -> Guards:
    """Measure the guards by the model before, and warn of those that it cannot read.

    Args:
        data: the questions.
        model: the model before.
        settings: the settings of the command.
        cache: the cache of the model's vectors, or None.
    """
    unknown = [_unknown_share(one, model) for one in data]
    before = [evaluate_guard(one, model, settings, "before", cache) for one in data]
    return Guards(settings, data, before, unknown)


def evaluate_guard(
    one: GuardData,
    model: Encoder | LazyModel,
    settings: Settings,
    when: str,
    cache: EmbeddingCache | None = None,
) -> Evaluation:
    """Rank a guard's questions against its whole corpus by a model."""
    title, folder = f"guard {one.name}, {when}", Path(settings.output_dir)
    return evaluate_shown(title, model, guard_lists(one, model), settings, cache, folder)


def guard_lists(one: GuardData, model: Encoder | LazyModel) -> RankingLists:
    """Return a guard's questions with its whole corpus, as a model reads them."""
    return ranking_lists(model, one.inputs.samples, None, corpus=True)


def guard_hashes(data: Sequence[GuardData]) -> dict[str, str]:
    """Return the hashes of the files of all guards."""
    return {name: sha for one in data for name, sha in one.hashes.items()}


def with_guards(
    load: Callable[[], Workload],
    data: Sequence[GuardData],
    model: Encoder | LazyModel,
    settings: Settings,
) -> Workload:
    """Add the work of measuring the guards to the work of a command, for a dry run."""
    counted = load()
    return replace(counted, work=[*counted.work, *guard_work(data, model, settings)])


def guard_work(
    data: Sequence[GuardData], model: Encoder | LazyModel, settings: Settings, chooses: bool = True
) -> list[Work]:
    """Return the work of measuring the guards.

    Args:
        data: the questions.
        model: the model before.
        settings: the settings of the command.
        chooses: whether candidates are judged.
    """
    work = list[Work]()
    for one in data:
        lists = guard_lists(one, model)
        pace = Pace.measure(model, lists.tokens, settings.precision)
        judges = chooses and len(one.choice)
        for when in ("before", "after", *(["for the choice"] if judges else [])):
            work += evaluation(pace, lists, f"guard {one.name}, {when}")
    return work


def _inputs_of(settings: Settings, number: int, name: str) -> Inputs:
    own = of_guard(number, name)
    named = {item.name: getattr(own, item.name) for item in fields(InputConfig)}
    kept = ("on_error", "max_decompressed")
    given = {key: value for key, value in named.items() if key not in kept}
    # Nothing else that was said of the data of the command is true of this data.
    reading = replace(
        settings, **given, split_file=None, dev_data=None, split="chunk", corpus="auto",
        similarity="auto", source="candidates", given=frozenset(),
    )  # fmt: skip
    if own.data is not None and not Path(own.data).exists():
        raise BadInputError(
            f"--guard {name}: no such file or folder; expected a data set in a format of --data, "
            "or builtin"
        )
    try:
        inputs = gather(reading, only=("test",))
    except BadInputError as error:
        raise BadInputError(f"--guard {name}: {error}") from error
    if not inputs.has_corpus:
        raise BadInputError(
            f"--guard {name}: samples without their corpus, among which a loss hardly shows; "
            "expected questions with a corpus, such as a BEIR folder"
        )
    if not len(inputs.samples):
        raise BadInputError(f"--guard {name}: it has no question; expected some to measure on")
    # The files of the built-in guard are read in a moment, and then it is known what was read.
    return replace(inputs, hashes=dict(inputs.hashes))


def _tell(one: GuardData, settings: Settings, chooses: bool) -> None:
    count, margin = len(one.inputs.samples), settings.guard_margin
    how = (
        f"{len(one.choice)} of them judge candidates, {len(one.verdict)} measure what is shipped"
        if len(one.choice)
        else f"{len(one.verdict) if one.chose else 'all'} of them measure the model"
    )
    console.say(f"guard {one.name}: {count} questions; {how}")
    if chooses and not len(one.choice):
        console.warn(
            f"guard {one.name}: all of its questions share chunks, so that they cannot be halved: "
            "none judges candidates"
        )
    groups, least = len(np.unique(one.groups.numbers[one.verdict])), least_groups(margin)
    if groups < least:
        console.warn(
            f"guard {one.name}: {groups} independent questions cannot show that a model is not "
            f"worse by {margin:g} MRR, which takes {least} or more even if none of them changes. "
            "They can only show that it is worse. Give a larger guard or a larger --guard-margin"
        )


def _unknown_share(one: GuardData, model: Encoder | LazyModel) -> float:
    share = max(account.unknown_share for account in accounts(model, one.inputs.samples).values())
    if share > WORTH_A_WARNING:
        console.warn(
            f"guard {one.name}: {share:.0%} of its tokens are unknown to the vocabulary: the model "
            "does not read its language, and it can show nothing. No candidate is judged by it. "
            "Give a guard in a language of the model"
        )
    return share


def _compared(
    one: GuardData, before: Evaluation, after: Evaluation, settings: Settings, unchanged: bool
) -> dict[str, Any]:
    rows, margin = one.verdict, settings.guard_margin
    was, now = (
        (found.corpus or found.candidates).ranking.reciprocal_rank[rows]
        for found in (before, after)
    )
    groups = one.groups.numbers[rows]
    found = non_inferiority(now - was, groups, margin, settings.seed)
    return {
        "name": one.name,
        "num_queries": len(rows),
        "groups": found.groups,
        "chunks": len(before.lists.corpus),
        "chose": one.chose,
        "before": float(was.mean()),
        "after": float(now.mean()),
        **found.entries,
        "margin": margin,
        "least_groups": least_groups(margin),
        "unchanged": unchanged,
        "verdict": NOT_WORSE if unchanged else found.verdict,
    }
