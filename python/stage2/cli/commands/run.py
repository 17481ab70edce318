"""`stage2 run` does all stages in order, in one folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from stage2.cli import console
from stage2.cli.baselines import ranked_baselines, sources_to_measure, untouched_backbone
from stage2.cli.commands.audit import audit_mined, load_cross_encoder
from stage2.cli.commands.evaluate import (
    Models,
    check_regression,
    lists_of,
    write_comparison,
)
from stage2.cli.commands.mine import candidates, check_mining, stage_inputs, write_mined
from stage2.cli.commands.prepare import write_constructed
from stage2.cli.commands.train import TrainingQuestions, again_of, check_training, fit
from stage2.cli.dry_run import Workload
from stage2.cli.guards import guard_hashes, measured, read_guards, with_guards
from stage2.cli.inputs import Inputs, check_corpus, gather
from stage2.cli.mining_defaults import for_listed_negatives
from stage2.cli.run_folder import RunFolder, in_run_folder
from stage2.cli.second_sources import second_source
from stage2.cli.shipped import ship
from stage2.cli.shown_evaluation import evaluate_shown
from stage2.cli.split_sides import (
    ground_truths,
    grouped_questions,
    sides_of,
    split_file,
    tell_split,
)
from stage2.cli.stage1 import (
    Stage1,
    check_machine,
    embedding_cache,
    keep_stage1,
    load_options,
    stage1,
    stage1_cache,
)
from stage2.cli.taught import taught_recipe
from stage2.cli.teachers import Teacher, load_teacher, teacher_hashes
from stage2.cli.text_lengths import tell_text_lengths
from stage2.cli.workload import (
    Pace,
    cross_encoding,
    evaluation,
    fitting,
    load_of,
    of_backbone,
    together,
    training,
)
from stage2.config import Settings
from stage2.data.splits import Groups, Placed
from stage2.data.unseen import Unseen, unseen_folds, unseen_side
from stage2.encoding.encoder import Encoder, loaded
from stage2.evaluation.baselines import Backbone, Baseline
from stage2.evaluation.compare import QuestionSet
from stage2.evaluation.evaluate import Evaluation
from stage2.evaluation.ranking import Ranked
from stage2.models.auto import load_model
from stage2.models.reranker import Reranker
from stage2.report.model_card import model_card
from stage2.report.model_choice import untrained
from stage2.report.render import write_report
from stage2.report.run import read_run
from stage2.report.terminal import table
from stage2.report.words import CATALOGS, words
from stage2.training.course import for_few_questions, for_width, width_of
from stage2.training.cross_fit import CrossFit
from stage2.training.cross_validation import cross_validate, folds_wanted
from stage2.training.dev_corpus import dev_of
from stage2.training.learnable import check_texts_to_learn
from stage2.training.output import drop_weights
from stage2.training.own_loss import loss_hashes
from stage2.training.questions import Recipe
from stage2.training.state import State
from stage2.training.train import no_hard_examples
from stage2.usage import made_from
from stage2.utils import files
from stage2.utils.arrays import Ints
from stage2.utils.tensors import copy_of_weights
from stage2.variants import LOSSES

_NONE = np.empty(0, np.int64)


@in_run_folder()
def run_command(settings: Settings, run: RunFolder) -> None:
    """Prepare, mine, train, evaluate and report, in one folder."""
    check_machine(settings, trains=True)
    settings, inputs = _gathered(settings)
    grouped = grouped_questions(inputs.samples)
    folds = folds_wanted(settings, grouped) if inputs.sides is None else None
    placed = sides_of(settings, grouped, inputs.sides, inputs.seen_chunks)
    settings = for_few_questions(settings, len(placed.parts[0]))
    check_texts_to_learn(settings, ground_truths(inputs.samples, placed.parts[0]))
    guard_data = read_guards(settings, inputs.samples.questions, chooses=True)
    first = stage1(settings, run, inputs)
    model = loaded(first.model)
    settings = for_width(first.settings, width_of(model))
    backbone = untouched_backbone(settings, first.backbone, inputs)
    cross_encoder, cross_hashes = load_cross_encoder(settings)
    second, second_hashes = second_source(settings, inputs)
    stages = stage_inputs(inputs, {**first.hashes, **cross_hashes, **second_hashes}, first.made)
    teacher, settings = load_teacher(
        settings, inputs, first.hashes, _may_train(settings, placed, folds)
    )
    hashes = {
        **stages["mine"],
        **loss_hashes(settings.loss),
        **guard_hashes(guard_data),
        **teacher_hashes(teacher),
    }
    state = check_training(settings, run, hashes, model, inputs)
    run.begin(
        settings, stages | {"train": hashes, "evaluate": hashes},
        work=partial(
            with_guards,
            partial(
                _load, settings, run, first, inputs, placed, folds, backbone,
                (cross_encoder, teacher),
            ),
            guard_data, model, settings,
        ),
    )  # fmt: skip
    keep_stage1(run, first, stages["mine"])
    run.record["texts"] = tell_text_lengths(model, inputs.samples)
    cache = stage1_cache(settings, run)
    inputs, mined = candidates(
        settings, run, model, inputs, cache, _sides(settings, placed), second
    )
    write_constructed(settings, run, inputs)

    lists = lists_of(settings, model, inputs)
    console.say(f"mining: {len(lists)} questions, {len(lists.tokens)} distinct texts")
    before = evaluate_shown("before training", model, lists, settings, cache, run.path)
    guards = measured(guard_data, model, settings, cache)
    # These are what the user could have for free.
    baselines = ranked_baselines(settings, lists, backbone)
    dropped = audit_mined(settings, run, inputs, before, cross_encoder)
    hard = write_mined(settings, run, inputs, stages["mine"], before, mined, dropped)
    # Without a split, training sees the dev questions anyway.
    refits = settings.refit and settings.split == "chunk"
    recipe = taught_recipe(
        Recipe(
            lists, hard, dropped, replace(settings, refit=refits), guards.choosing(),
            inputs.held_out, again_of(settings, inputs, second),
        ),
        run, teacher, inputs, _may_train(settings, placed, folds),
    )  # fmt: skip
    # Neither is kept beside the model.
    del backbone, teacher
    run.record["split"] = tell_split(settings, placed, folds)
    # If the run goes on after its training, the file is whole already, and `run.json` has its hash.
    if not _goes_on_trained(settings, run):
        _write_split(run, recipe, placed)
    stage1_weights = copy_of_weights(model)

    after = _trained(settings, run, model, recipe, placed, hashes, before, state)
    trained_on = _write_split(run, recipe, placed, bool(run.record["shipped"]["refit_on"]))
    files.write_json(run / files.EVALUATION_AFTER, after.rows(list(inputs.samples.questions)))
    # The folds leave other weights in the model.
    models = replace(
        _models(sources_to_measure(settings, inputs), before, after),
        elsewhere=guards.verdicts(model, run.record["shipped"]),
    )
    sets = _sets(settings, placed, trained_on)
    if folds is not None and len((held_out := unseen_folds(folds)).rows):
        crossed, run.record["folds"] = cross_validate(
            model, stage1_weights, recipe, folds, before, run / files.FOLDS,
            made_from(settings, "train", hashes),
        )  # fmt: skip
        sets.insert(0, _set("cross-validated", held_out, held_out=True, after=crossed))
    # The verdict is about the folds if there are any, so their groups are used.
    kept = folds if folds is not None and sets[0].after else placed
    _tell(settings, run, inputs, kept.groups, models, sets, hashes, baselines)


def _load(
    settings: Settings,
    run: RunFolder,
    first: Stage1,
    inputs: Inputs,
    placed: Placed,
    folds: Placed | None,
    backbone: Backbone | None,
    scorers: tuple[Reranker | None, Teacher | None],
) -> Workload:
    """Count what the command computes, for a dry run."""
    model = loaded(first.model)
    lists = lists_of(settings, model, inputs)
    pace = Pace.measure(model, lists.tokens, settings.precision)
    cache = None if first.made else stage1_cache(settings, run)
    train, dev, _ = placed.parts
    cross_encoder, teacher = scorers
    settings = replace(settings, refit=settings.refit and settings.split == "chunk")
    work = [
        *fitting(pace, settings, first.made),
        *evaluation(pace, lists, "before training", cache),
        *of_backbone(pace, lists, backbone),
        *cross_encoding(cross_encoder, inputs.samples, settings.precision),
        *([] if teacher is None else teacher.work(inputs)),
        *training(pace, settings, lists, len(train), len(dev)),
        *evaluation(pace, lists, "after training"),
    ]
    parts = [] if folds is None else folds.parts
    # Beside the fold that is scored another one chooses.
    work += together(
        [
            [
                *training(
                    pace, settings, lists, len(lists) - 2 * len(part), len(part), ", all folds"
                ),
                *evaluation(pace, lists.subset(part), "all folds"),
            ]
            for part in parts
        ]
    )
    return load_of(lists, work, settings.model is None and not first.made)


def _gathered(settings: Settings) -> tuple[Settings, Inputs]:
    """Read the data, and refuse what cannot be mined."""
    inputs = gather(settings)
    check_corpus(inputs, settings, "run")
    if inputs.lists_negatives:
        settings = for_listed_negatives(settings, "run")
    check_mining(settings, inputs)
    return settings, inputs


def _trained(
    settings: Settings,
    run: RunFolder,
    model: Encoder,
    recipe: Recipe,
    placed: Placed,
    hashes: Mapping[str, str],
    before: Evaluation,
    state: State | None,
) -> Evaluation:
    """Train on the train side, choose on the dev side, and evaluate the shipped model."""
    held_out = settings.split == "chunk"
    train_rows, dev_rows, _ = placed.parts
    if not len(recipe.rows(train_rows)):
        why = no_hard_examples(settings.topk)
        if len(recipe.hard):
            why = (
                f"none of the {len(train_rows)} training questions is hard: the "
                f"{len(recipe.hard)} hard examples are held out"
            )
        elif below := files.read_json(run / files.MINING_SUMMARY)["num_below_topk"]:
            why = no_hard_examples(settings.topk, below)
        console.warn(f"{why}. The stage-1 model is shipped as it is")
        ship(settings, run, model, None, list(recipe.lists.question_texts))
        nothing = {language: words(language)("nothing_to_train") for language in CATALOGS}
        run.done(settings, "train", hashes, shipped=untrained(nothing, held_out))
        return before
    stated = settings.source == "corpus" and "source" in settings.stated
    if stated and LOSSES[settings.loss].negatives == "batch":
        console.warn(
            f"--loss {settings.loss} trains on ground truths alone: the negatives that --source "
            "corpus has mined are ranked, and not trained on. --loss infonce or margin trains on "
            "them"
        )
    if _goes_on_trained(settings, run):
        console.say("the training is done already: going on with the model that it shipped")
        shipped = load_model(run.checked(files.SHIPPED_MODEL), load_options(settings))
        model.load_state_dict(shipped.state_dict())
        drop_weights(run / files.CHECKPOINTS)
        files.remove(run / files.REFIT)
        files.remove(run / files.CROSS_FIT)
    else:
        choosing = unseen_side(placed, "dev").or_all
        lists = recipe.lists_of(train_rows)
        dev = recipe.guarded(dev_of(before, choosing.rows, choosing.aside))
        again = recipe.refit_lists(train_rows, dev_rows)
        cross_fit = CrossFit(
            recipe, placed, before, run / files.CROSS_FIT, made_from(settings, "train", hashes)
        )
        fit(
            settings, run, model, TrainingQuestions(lists, dev, again, cross_fit), hashes, state,
            lambda refitted: _write_split(run, recipe, placed, refitted),
        )  # fmt: skip
    cache = embedding_cache(settings, run / files.SHIPPED_MODEL)
    return evaluate_shown("after training", model, recipe.lists, settings, cache, run.path)


def _may_train(settings: Settings, placed: Placed, folds: Placed | None) -> Ints:
    """Return the rows of the questions that some training of the command may see."""
    train, dev, _ = placed.parts
    if folds is not None:
        return np.arange(len(placed.groups.names))
    return np.union1d(train, dev) if settings.refit else train


def _goes_on_trained(settings: Settings, run: RunFolder) -> bool:
    """Return whether an earlier attempt at this run was stopped after its training."""
    begun = run.holds("train") and not run.holds("evaluate")
    return settings.resume == "auto" and begun and (run / files.SHIPPED_MODEL).is_dir()


def _models(sources: Sequence[str], before: Evaluation, after: Evaluation) -> Models:
    """Return the ranks of both models that are compared."""
    width = after.embeddings.mu.shape[1]
    return Models(before.by_source(sources), after.by_source(sources), width)


def _tell(
    settings: Settings,
    run: RunFolder,
    inputs: Inputs,
    grouped: Groups,
    models: Models,
    sets: list[QuestionSet],
    hashes: Mapping[str, str],
    baselines: Mapping[str, Baseline],
) -> None:
    """Compare the models, write the report, and print the table and the verdict."""
    comparison = write_comparison(run, inputs, grouped, models, sets, settings, baselines)
    files.write_json(run / files.COMPARISON, comparison)
    files.write_text(run / files.SHIPPED_MODEL / files.CARD, model_card(read_run(run.path)))
    run.done(settings, "evaluate", hashes)
    path = write_report(run.path, settings.language)
    console.result(table(comparison, settings.language), comparison=comparison)
    console.keep(shipped=run.record["shipped"], report=files.written(path))
    console.say(f"shipped: {run.record['shipped']['name']} ({run / files.SHIPPED_MODEL})")
    console.say(f"report: {path}")
    files.remove(run / files.FOLDS)
    check_regression(comparison, settings)


def _sides(settings: Settings, placed: Placed) -> Sequence[Ints]:
    """Return the rows of the questions of each side; without a split there is none."""
    return placed.parts if settings.split == "chunk" else ()


def _sets(settings: Settings, placed: Placed, trained_on: Ints) -> list[QuestionSet]:
    """Return the sets of questions to report on."""
    train_rows = placed.parts[0]
    unseen = {side: unseen_side(placed, side) for side in ("dev", "test")}
    sets = [
        _set("test", unseen["test"], held_out=True),
        _set("dev", unseen["dev"].or_all, held_out=False, trained_on=trained_on),
        QuestionSet("train", train_rows, False, len(np.intersect1d(train_rows, trained_on))),
    ]
    sets = [part for part in sets if settings.split == "chunk" and len(part.rows)]
    everyone = np.arange(len(placed.groups.names))
    return [*sets, QuestionSet("all", everyone, held_out=False, seen=len(trained_on))]


def _set(
    name: str,
    unseen: Unseen,
    held_out: bool,
    after: Mapping[str, Ranked] | None = None,
    trained_on: Ints = _NONE,
) -> QuestionSet:
    """Return a set of questions without the answers that training saw.

    Training saw none of the questions either, but for those of `trained_on`.
    """
    seen = len(np.intersect1d(unseen.rows, trained_on))
    return QuestionSet(
        name, unseen.rows, held_out, seen, after, aside=unseen.aside, left_out=unseen.facts()
    )


def _write_split(run: RunFolder, recipe: Recipe, placed: Placed, refitted: bool = False) -> Ints:
    """Write which questions are on which side, and which are trained on; return the latter."""
    train, dev, _ = placed.parts
    trained_on = recipe.rows(np.union1d(train, dev) if refitted else train)
    content = split_file(recipe.lists.qa_ids, placed, {"trained_on": trained_on})
    files.write_json(run / files.SPLIT, content)
    run.record["split"]["trained_on"] = len(trained_on)
    # The model card is written from the record, before the end of a stage writes that.
    files.write_json(run / files.RUN, run.record)
    return trained_on
