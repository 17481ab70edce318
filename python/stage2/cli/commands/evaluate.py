"""`stage2 evaluate` measures how a system ranks, or compares two on the same samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from stage2.cli import console
from stage2.cli.baselines import (
    ranked_baselines,
    ranks_corpus,
    sources_to_measure,
    untouched_backbone,
)
from stage2.cli.dry_run import Work, Workload
from stage2.cli.guards import GuardData, guard_hashes, measured, read_guards, with_guards
from stage2.cli.inputs import Inputs, with_folder_files, write_rejected
from stage2.cli.mined_lists import tell_mined
from stage2.cli.run_folder import RunFolder, in_run_folder
from stage2.cli.shown_evaluation import evaluate_shown
from stage2.cli.split_sides import grouped_questions, tell_unseen
from stage2.cli.stage1 import (
    backbone_of,
    check_machine,
    embedding_cache,
    hashes_of_model,
    load_options,
    model_when_needed,
)
from stage2.cli.systems import BEFORE, System, named_system
from stage2.cli.text_lengths import tell_text_lengths
from stage2.cli.workload import Pace, evaluation, load_of, of_backbone
from stage2.config import Settings
from stage2.data.splits import Groups
from stage2.data.unseen import Unseen, unseen
from stage2.encoding.embeddings import Embeddings
from stage2.encoding.encode import encode_tokens
from stage2.encoding.encoder import Encoder, LazyModel, loaded
from stage2.encoding.ranking_lists import RankingLists, ranking_lists
from stage2.encoding.tokens import LazyTokens, Role, prompts_of
from stage2.evaluation.baselines import Backbone, Baseline
from stage2.evaluation.compare import QuestionSet, compare, per_question
from stage2.evaluation.evaluate import Evaluation
from stage2.evaluation.non_inferiority import WORSE
from stage2.evaluation.prompts import Readings, given_prompts, with_prompts
from stage2.evaluation.ranking import Ranked
from stage2.models.auto import family_of
from stage2.models.model_path import model_in
from stage2.report.terminal import table
from stage2.report.verdict import sentences
from stage2.utils import files
from stage2.utils.errors import BadInputError, RegressedError


@in_run_folder(adds="evaluate")
def evaluate_command(
    settings: Settings, run: RunFolder, models: Sequence[str], held_out: bool = False
) -> None:
    """Evaluate one system, or two on the same samples, and print the table.

    A model's weights do not show whether training saw the samples. Nothing is claimed about this
    unless the caller sets `held_out`, which means that training saw none of them.
    """
    check_machine(settings)
    run.watch(*models)
    systems = _systems(settings, models)
    names = [system.name for system in systems]
    if settings.fail_if_regressed and len(systems) == 1:
        raise BadInputError(
            "--fail-if-regressed compares two systems; give --model twice, before and after, or "
            "name what was there before by --before-model, --before-run and their like"
        )
    _check_guards(settings, systems)
    settings, inputs = with_folder_files(settings, run, only=("test",))
    paths = [system.path for system in systems if isinstance(system, ModelSystem)]
    guard_data = read_guards(settings, inputs.samples.questions, models=paths)
    if inputs.sides is not None:
        console.say(f"measuring the {len(inputs.samples)} questions of the test side alone")
    hashes = {**inputs.hashes, **guard_hashes(guard_data)}
    for number, system in enumerate(systems, 1):
        system.check(inputs)
        hashes |= system.hashes_of(f"model_{number}")
    first = systems[0]
    folder = backbone_of(settings, first.path) if isinstance(first, ModelSystem) else None
    backbone = untouched_backbone(settings, folder, inputs)
    reads = [path for system in systems for path in system.reads]
    run.begin(
        settings, {"evaluate": hashes}, reads,
        lambda: _load(settings, inputs, systems, backbone, guard_data),
    )  # fmt: skip
    write_rejected(run, inputs.loaded)
    told = [tell_text_lengths(system.model, inputs.samples, system.name)
            for system in systems if isinstance(system, ModelSystem)]  # fmt: skip
    if isinstance(first, ModelSystem):
        run.record["texts"] = told[0]
    corpus, sources = ranks_corpus(settings, inputs), sources_to_measure(settings, inputs)
    if inputs.mined:
        tell_mined(settings.data, len(inputs.samples.contexts))
    evaluations = [system.rank(inputs, corpus) for system in systems]
    before, after = evaluations[0], evaluations[-1]
    everyone = np.arange(len(inputs.samples))
    questions = list(inputs.samples.questions)
    files.write_json(run / files.EVALUATION, before.rows(questions))
    if len(systems) == 2:
        files.write_json(run / files.EVALUATION_AFTER, after.rows(questions))
    grouped = grouped_questions(inputs.samples)
    name = "test" if held_out else "all"
    sets = [QuestionSet(name, everyone, held_out=held_out)]
    if grouped.links is not None and (chunks := inputs.seen_chunks.get("test")):
        sets = _unseen_sets(unseen(grouped.links, everyone, grouped.links.named(chunks)), held_out)
    comparison = write_comparison(
        run, inputs, grouped,
        Models(before.by_source(sources), after.by_source(sources),
               after.embeddings.mu.shape[1] or None,
               _elsewhere(settings, guard_data, systems)),
        sets, settings, ranked_baselines(settings, before.lists, backbone),
    )  # fmt: skip
    comparison |= {"models": names, "trained_on_known": held_out}
    if len(systems) == 1:
        del comparison["verdict"]
    files.write_json(run / files.COMPARISON, comparison)
    run.done(settings, "evaluate", hashes)
    console.result(table(comparison, settings.language), comparison=comparison)
    console.say(f"written: {run / files.COMPARISON}, {run / files.EVALUATION}")
    check_regression(comparison, settings)


def _check_guards(settings: Settings, systems: Sequence[System]) -> None:
    """Refuse guards without two models: runs and vectors know no other texts."""
    models = [system for system in systems if isinstance(system, ModelSystem)]
    if settings.guard is not None and len(models) < 2:
        raise BadInputError(
            f"--guard {settings.guard} compares two models on other data; give --model twice, "
            "before and after, or --before-model. Vectors, runs and endpoints are not measured on "
            "it"
        )


def _elsewhere(
    settings: Settings, data: Sequence[GuardData], systems: Sequence[System]
) -> list[dict[str, Any]]:
    """Return what each guard says about the second model."""
    models = [system.model for system in systems if isinstance(system, ModelSystem)]
    return measured(data, models[0], settings).verdicts(models[-1]) if data else []


def _load(
    settings: Settings,
    inputs: Inputs,
    systems: Sequence[System],
    backbone: Backbone | None,
    guard_data: Sequence[GuardData],
) -> Workload:
    """Count what the command computes, for a dry run. What others have computed takes no time."""
    found, work = Workload(), list[Work]()
    for system in systems:
        if isinstance(system, ModelSystem):
            lists = lists_of(settings, system.model, inputs)
            pace = Pace.measure(system.model, lists.tokens, settings.precision)
            work += evaluation(pace, lists, system.name, embedding_cache(settings, system.name))
            found = load_of(lists, [*work, *of_backbone(pace, lists, backbone)])
    models = [system.model for system in systems if isinstance(system, ModelSystem)]
    return with_guards(lambda: found, guard_data, models[0], settings) if guard_data else found


def _unseen_sets(found: Unseen, held_out: bool) -> list[QuestionSet]:
    """Return the test questions without the ground truths that training has seen.

    If some have no other, they are in a second set, of all questions as they are.
    """
    tell_unseen({"test": found})
    test = QuestionSet("test", found.rows, held_out, aside=found.aside, left_out=found.facts())
    everyone = QuestionSet("all", found.asked, held_out=False)
    return [*([test] if len(found.rows) else []), *([everyone] if found.gone else [])]


@dataclass(frozen=True)
class ModelSystem(System):
    """A model that stage2 reads itself.

    Attributes:
        path: the path or the name of the model.
        model: the model, or one that is loaded when it is first used.
        settings: the settings of the command.
    """

    path: str
    model: Encoder | LazyModel
    settings: Settings

    @classmethod
    def named(cls, settings: Settings, path: str) -> ModelSystem:
        """Return the model at a path."""
        return cls(path, model_when_needed(settings, path), settings)

    @property
    def name(self) -> str:
        """The path of the model."""
        return self.path

    @property
    def reads(self) -> tuple[str | Path, ...]:
        """The path of the model."""
        return (self.path,)

    def hashes_of(self, name: str) -> dict[str, str]:
        """Return the hashes of the weights, under `name`."""
        return hashes_of_model(self.settings, self.path, name)

    def check(self, _inputs: Inputs) -> None:
        """Do nothing: a model reads any texts."""

    def rank(self, inputs: Inputs, _corpus: bool) -> Evaluation:
        """Embed and rank, the corpus too if the settings ask for it."""
        cache = embedding_cache(self.settings, self.path)
        lists = lists_of(self.settings, self.model, inputs)
        folder = Path(self.settings.output_dir)
        title = f"evaluating {self.path}"
        return evaluate_shown(title, self.model, lists, self.settings, cache, folder)

    def read_otherwise(self, inputs: Inputs, ranked: Evaluation) -> Readings | None:
        """Return how it reads texts without prompts, or with its own if the call leaves them out.

        None if it has none.
        """
        model = loaded(self.model)
        told = given_prompts(prompts_of(model))
        prompts = told or self._own_prompts()
        if not prompts:
            return None
        other = with_prompts(model, {} if told else prompts)
        lists = lists_of(self.settings, other, inputs)

        def embed(tokens: LazyTokens) -> Embeddings:
            with console.bar("reading with other prompts") as progress:
                return encode_tokens(
                    other, tokens, precision=self.settings.precision, progress=progress
                )

        return Readings(ranked.lists, ranked.embeddings, lists, embed, prompts, bool(told))

    def _own_prompts(self) -> dict[Role, str]:
        """Return the prompts that the model has by itself, if the call gives others."""
        if self.settings.query_prompt is None and self.settings.document_prompt is None:
            return {}
        path = model_in(self.path)
        if not path.is_dir():
            return {}
        options = replace(load_options(self.settings), prompts={})
        return given_prompts(prompts_of(family_of(self.path).reader(path, options)))


def _systems(settings: Settings, models: Sequence[str]) -> list[System]:
    """Return the systems that are measured: one, or what was there before and what is now.

    Raises:
        BadInputError: the settings name none, or several of one side.
    """
    if len(models) > 2:
        raise BadInputError(
            f"{len(models)} models; expected --model once, or twice for before and after"
        )
    before: System | None = named_system(settings, BEFORE)
    after = named_system(settings)
    if settings.before_model is not None:
        before = ModelSystem.named(settings, settings.before_model)
    now: list[System] = [] if after is None else [after]
    if len(models) + len(now) + (before is not None) > 2 or (models and now):
        raise BadInputError(
            "several systems are named; expected one, or --model twice, or one with the one that "
            "was there before in --before-model, --before-run and their like"
        )
    now += [ModelSystem.named(settings, path) for path in models]
    if not now:
        raise BadInputError(
            "there is nothing to measure; expected --model once, or twice for before and after; "
            "or --question-vectors and --corpus-vectors, --run or --endpoint"
        )
    return [*([] if before is None else [before]), *now]


def lists_of(settings: Settings, model: Encoder | LazyModel, inputs: Inputs) -> RankingLists:
    """Gather the lists that are evaluated, with the whole corpus if that is asked for."""
    return ranking_lists(
        model,
        inputs.samples,
        inputs.annotations,
        similarity=settings.similarity,
        corpus=ranks_corpus(settings, inputs),
    )


@dataclass(frozen=True)
class Models:
    """The ranks of two models that are compared.

    Attributes:
        before: by source, the ranks of the first model.
        after: by source, the ranks of the last model.
        embedding_dim: the width of the last model's vectors; None if it ranks by two models.
        elsewhere: what each guard says about the last model.
    """

    before: Mapping[str, Ranked]
    after: Mapping[str, Ranked]
    embedding_dim: int | None
    elsewhere: Sequence[Mapping[str, Any]] = ()


def write_comparison(
    run: RunFolder,
    inputs: Inputs,
    grouped: Groups,
    models: Models,
    sets: Sequence[QuestionSet],
    settings: Settings,
    baselines: Mapping[str, Baseline],
) -> dict[str, Any]:
    """Write every question's ranks, and return the content of `comparison.json`.

    Args:
        run: the folder of the run.
        inputs: the questions.
        grouped: the groups of questions that are not independent.
        models: the models.
        sets: the sets of questions.
        settings: the settings of the command.
        baselines: by name, what a baseline gives.
    """
    samples, before, after = inputs.samples, models.before, models.after
    comparison = compare(
        before, after, sets, grouped.numbers, settings.seed, settings.recall_depths, baselines
    )
    comparison["embedding_dim"] = models.embedding_dim
    comparison["verdict"]["text"] = sentences(comparison)
    if models.elsewhere:
        comparison["guards"] = list(models.elsewhere)
    source = comparison["verdict"]["source"]
    rows = per_question(before, after, samples.qa_ids, samples.questions, sets, source, baselines)
    files.write_jsonl(run / files.PER_QUESTION, rows)
    return comparison


def check_regression(comparison: Mapping[str, Any], settings: Settings) -> None:
    """Raise RegressedError if --fail-if-regressed asks for it and a verdict is worse.

    That of a guard counts as much as that on the questions themselves.

    A lower mean alone does not count. If two models are equally good, the second has a lower mean
    in half of all experiments, and users soon switch off a check that fails by chance.
    """
    if not settings.fail_if_regressed:
        return
    if comparison["verdict"]["word"] == "worse":
        raise RegressedError(f"regressed: {comparison['verdict']['text']['en']}")
    for entry in comparison.get("guards", []):
        if entry["verdict"] == WORSE:
            raise RegressedError(f"regressed: {entry['text']['en']}")
