"""`stage2 train` trains on samples, and ships the best candidate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from torch import Tensor

from stage2.call import were_mined
from stage2.cli import console
from stage2.cli.commands.mine import check_mining
from stage2.cli.dry_run import Workload
from stage2.cli.guards import (
    Guards,
    guard_hashes,
    measured,
    read_guards,
    with_guards,
)
from stage2.cli.inputs import Inputs, with_folder_files, write_rejected
from stage2.cli.mined_lists import tell_mined
from stage2.cli.run_folder import RunFolder, in_run_folder
from stage2.cli.second_sources import second_source
from stage2.cli.shipped import ship
from stage2.cli.shown_evaluation import evaluate_shown
from stage2.cli.split_sides import ground_truths, grouped_questions, sides_of, tell_split
from stage2.cli.stage1 import (
    Stage1,
    check_machine,
    keep_stage1,
    stage1,
)
from stage2.cli.taught import taught
from stage2.cli.teachers import Teacher, load_teacher, teacher_hashes
from stage2.cli.text_lengths import tell_text_lengths
from stage2.cli.workload import Pace, fitting, load_of, training
from stage2.config import Settings
from stage2.data.dataset import Samples
from stage2.data.unseen import unseen_side
from stage2.encoding.encoder import Encoder, loaded
from stage2.encoding.ranking_lists import RankingLists, ranking_lists
from stage2.mining.second_source import SecondSource
from stage2.report.model_choice import epoch_warnings, few_updates, remarks_on, shipped
from stage2.training.cross_fit import FOLDS, CrossFit
from stage2.training.dev_corpus import Dev, dev_of
from stage2.training.documents import check_parts
from stage2.training.guard import Judgement
from stage2.training.learnable import check_texts_to_learn
from stage2.training.log import DEV_METRIC, EpochLog
from stage2.training.matryoshka import check_dimensions
from stage2.training.model_selection import Candidate, choose_on_dev
from stage2.training.output import drop_weights, write_models
from stage2.training.own_loss import loss_hashes
from stage2.training.parameters import check_freeze, check_rank, check_trainable
from stage2.training.questions import Recipe
from stage2.training.refit import refit, undo_if_worse
from stage2.training.rounds import Again, check_rounds, has_rounds, keep_rounds
from stage2.training.schedule import updates_an_epoch
from stage2.training.state import State, find_state
from stage2.training.trackers import check_tracker
from stage2.training.train import Callbacks, no_hard_examples, train
from stage2.usage import made_from
from stage2.utils import files
from stage2.utils.arrays import Doubles, Ints, Mask
from stage2.utils.errors import BadInputError
from stage2.utils.tensors import copy_of_weights


@in_run_folder(adds="train")
def train_command(settings: Settings, run: RunFolder) -> None:
    """Train on the samples of --data, or on the hard examples that the folder holds."""
    check_machine(settings, trains=True)
    settings = _mining(_with_data(settings, run))
    settings, inputs = with_folder_files(settings, run, only=("train", "dev"))
    _check_corpus(settings, inputs)
    second, second_hashes = second_source(settings, inputs)
    hashes = {**inputs.hashes, **second_hashes}
    first = stage1(settings, run, inputs)
    model, settings = loaded(first.model), first.settings
    hashes |= {**first.hashes, **loss_hashes(settings.loss)}
    rows = np.arange(len(inputs.samples))
    dev_samples = inputs.samples
    placed, dev_aside = None, None
    if settings.dev_data is not None:
        how = settings.on_error, settings.decompressed
        dev_samples = Samples.load_jsonl(files.check_regular(settings.dev_data), *how)
        hashes["dev_data"] = files.sha256(settings.dev_data)
        train_rows, dev_rows = rows, np.arange(len(dev_samples))
    elif settings.split == "none":
        train_rows = dev_rows = rows
    else:
        # Other questions measure the model, so there is no test side.
        shares = replace(settings, test_share=0.0)
        grouped = grouped_questions(inputs.samples)
        placed = sides_of(shares, grouped, inputs.sides, inputs.seen_chunks)
        choosing = unseen_side(placed, "dev").or_all
        train_rows, dev_rows, dev_aside = placed.parts[0], choosing.rows, choosing.aside
    asked = {*inputs.samples.questions, *dev_samples.questions}
    guard_data = read_guards(settings, asked, chooses=True)
    hashes |= guard_hashes(guard_data)
    check_texts_to_learn(settings, ground_truths(inputs.samples, train_rows))
    # Dev questions that could not choose are trained on all the same.
    both = None if placed is None else np.union1d(*placed.parts[:2])
    taught_rows = both if settings.refit and both is not None else train_rows
    teacher, settings = load_teacher(settings, inputs, first.hashes, taught_rows)
    hashes |= teacher_hashes(teacher)
    state = check_training(settings, run, hashes, model, inputs)
    made = {"init": {**inputs.hashes, **first.hashes}} if first.made else {}
    run.begin(
        settings, {"train": hashes, **made},
        work=partial(
            with_guards,
            partial(_load, settings, first, inputs, teacher, (len(train_rows), len(dev_rows))),
            guard_data, model, settings,
        ),
    )  # fmt: skip
    if placed is not None:
        run.record["split"] = tell_split(settings, placed, None)
    write_rejected(run, [*inputs.loaded, *([] if dev_samples is inputs.samples else [dev_samples])])
    keep_stage1(run, first, {**inputs.hashes, **first.hashes})
    run.record["texts"] = tell_text_lengths(model, inputs.samples)
    lists, dev = _lists(settings, model, inputs, dev_samples)
    lists = taught(settings, run, teacher, lists, inputs, taught_rows)
    del teacher
    recipe = _recipe(
        settings, lists, inputs, None if dev_samples is inputs.samples else dev, second
    )
    guards = measured(guard_data, model, settings)
    questions = TrainingQuestions(
        recipe.lists_of(train_rows),
        replace(_dev(settings, model, dev, dev_rows, dev_aside), guards=guards.choosing()),
        None if both is None else recipe.refit_lists(train_rows, dev_rows),
    )
    fit(settings, run, model, questions, hashes, state)
    _tell_elsewhere(run, model, guards)


def _dev(
    settings: Settings, model: Encoder, lists: RankingLists, rows: Ints, aside: Mask | None
) -> Dev:
    """Return the dev questions, with their candidates or with the texts that they are ranked among.

    Args:
        settings: the settings of the command.
        model: the model before training.
        lists: the questions that dev questions are among.
        rows: int64, the rows of the dev questions.
        aside: bool (g,), the ground truths that do not count; None if all count.
    """
    if not len(lists.corpus):
        return Dev(lists.setting_aside(aside).subset(rows))
    return dev_of(evaluate_shown("before training", model, lists, settings, None), rows, aside)


def _lists(
    settings: Settings, model: Encoder, inputs: Inputs, dev_samples: Samples
) -> tuple[RankingLists, RankingLists]:
    """Return the lists of the samples that are given, and those of the questions that choose.

    Dev questions with mined candidates are ranked among all texts of their file.
    """
    own = dev_samples is inputs.samples
    mined = inputs.mined if own else were_mined(settings.dev_data)
    if mined:
        tell_mined(settings.data if own else settings.dev_data, len(dev_samples.contexts))
    lists, dev = (
        ranking_lists(
            model, samples, inputs.annotations, similarity=settings.similarity, corpus=corpus
        )
        for samples, corpus in ((inputs.samples, has_rounds(settings)), (dev_samples, mined))
    )
    return lists, dev


def _mining(settings: Settings) -> Settings:
    """Return the settings with the corpus as the source of negatives, if there are rounds."""
    anew = replace(settings, source="corpus")
    return anew if has_rounds(anew) else settings


def again_of(settings: Settings, inputs: Inputs, second: SecondSource | None) -> Again | None:
    """Return what mining again in rounds needs beside the lists; None without rounds."""
    if not has_rounds(settings) or inputs.dataset is None:
        return None
    return Again(list(inputs.dataset.chunk_ids), second)


def _check_corpus(settings: Settings, inputs: Inputs) -> None:
    """Refuse rounds without a corpus to mine, and rules that allow no negative."""
    if not has_rounds(settings):
        return
    if inputs.dataset is None:
        raise BadInputError(
            f"--rounds {settings.rounds}: {settings.data} holds samples without their corpus, in "
            "which negatives are mined again; give a --data DIR with a corpus, or use stage2 run "
            "--source corpus"
        )
    check_mining(settings, inputs)


def _recipe(
    settings: Settings,
    lists: RankingLists,
    inputs: Inputs,
    dev: RankingLists | None,
    second: SecondSource | None,
) -> Recipe:
    """Return the rule for what is trained on: all that may be seen of the lists.

    Args:
        settings: the settings of the command.
        lists: the lists of all questions that are given.
        inputs: what the lists were made from.
        dev: the questions that choose, if they are not among these.
        second: the second source of negatives, or None.
    """
    texts = () if dev is None else dev.tokens.texts
    answers = [] if dev is None else np.unique(dev.candidates[dev.is_relevant]).tolist()
    return Recipe(
        lists,
        hard=np.arange(len(lists)),
        dropped=np.zeros(len(lists.candidates), np.bool_),
        settings=replace(settings, train_on="all"),
        held_out=(*inputs.held_out, *(texts[row] for row in answers)),
        again=again_of(settings, inputs, second),
    )


def _with_data(settings: Settings, run: RunFolder) -> Settings:
    """Return the settings with the hard examples of the folder as data, where none are given."""
    if settings.data is None and (run / files.HARD).is_file():
        settings = replace(settings, data=str(run.checked(files.HARD)))
    if settings.data is None:
        raise BadInputError(
            f"nothing to train on: no --data, and no {files.HARD} in {run.path}. "
            "Make one with stage2 mine"
        )
    if Path(settings.data).is_file() and not Path(settings.data).stat().st_size:
        raise BadInputError(f"{settings.data}: {_no_hard_examples(settings, run)}")
    return settings


def _tell_elsewhere(run: RunFolder, model: Encoder, guards: Guards) -> None:
    """Measure the shipped model on the guards, and record what it has cost elsewhere."""
    found = guards.verdicts(model, run.record["shipped"])
    if not found:
        return
    for entry in found:
        console.say(entry["text"]["en"])
    console.keep(guards=found)
    run.record["guards"] = found


def _load(
    settings: Settings,
    first: Stage1,
    inputs: Inputs,
    teacher: Teacher | None,
    sides: tuple[int, int],
) -> Workload:
    """Count what the command computes with so many questions a side, for a dry run."""
    model = loaded(first.model)
    lists = ranking_lists(
        model, inputs.samples, inputs.annotations, similarity=settings.similarity,
        corpus=inputs.mined,
    )  # fmt: skip
    pace = Pace.measure(model, lists.tokens, settings.precision)
    # All samples that are given are trained on, hard or not.
    mined = None if inputs.dataset is None else len(inputs.dataset.chunk_ids)
    work = training(pace, replace(settings, train_on="all"), lists, *sides, mined=mined)
    if teacher is not None:
        work = [*teacher.work(inputs), *work]
    made = fitting(pace, settings, first.made)
    return load_of(lists, [*made, *work], settings.model is None and not first.made)


def _no_hard_examples(settings: Settings, run: RunFolder) -> str:
    """Return the message that the file to train on has no hard example, and why.

    If the file is the folder's own, the reason is the one that mining found.
    """
    summary = run / files.MINING_SUMMARY
    own = Path(settings.data or "").resolve() == (run / files.HARD).resolve()
    found = files.read_json(summary) if own and summary.is_file() else {}
    return no_hard_examples(found.get("topk", settings.topk), found.get("num_below_topk", 0))


def check_training(
    settings: Settings,
    run: RunFolder,
    hashes: Mapping[str, str],
    model: Encoder,
    inputs: Inputs,
) -> State | None:
    """Refuse settings that cannot be trained with; return the state to continue from, or None."""
    check_trainable(settings)
    if has_rounds(settings):
        check_rounds(settings)
    check_parts(model, settings)
    check_freeze(model, settings.freeze)
    has_entities = inputs.annotations is not None and settings.similarity != "sentence"
    check_dimensions(settings, model, has_entities)
    if settings.lora is not None:
        check_rank(model, settings.lora)
    check_tracker(settings)
    going_on = replace(settings, overwrite=run.overwrites)
    return find_state(going_on, run.path, made_from(settings, "train", hashes))


@dataclass(frozen=True)
class TrainingQuestions:
    """The questions of a training.

    Attributes:
        lists: those to train on.
        dev: those that choose.
        again: those on which the chosen candidate is trained again, or None.
        cross_fit: asks those to train on too, where the dev questions prefer stage 1; or None.
    """

    lists: RankingLists
    dev: Dev
    again: RankingLists | None
    cross_fit: CrossFit | None = None


def fit(
    settings: Settings,
    run: RunFolder,
    model: Encoder,
    questions: TrainingQuestions,
    hashes: Mapping[str, str],
    state: State | None = None,
    decided: Callable[[bool], object] = lambda _: None,
) -> None:
    """Train, ship the best candidate, and say which it is and why.

    Args:
        settings: the settings of the command.
        run: the folder of the run.
        model: the stage-1 model, on its device.
        questions: the questions to train on, and those that choose.
        hashes: the hashes of the inputs.
        state: the state from which training continues, or None.
        decided: called before the training is recorded as done, with whether dev questions were
            trained on too.
    """
    lists, dev, again = questions.lists, questions.dev, questions.again
    # Training sees none of the questions that choose, before they have chosen.
    held_out = settings.dev_data is not None or settings.split != "none"
    if state is not None:
        console.say(f"going on with a training that was interrupted: {state.position}")
    console.say(f"training: {len(lists)} questions, {settings.epochs} epochs; "
                f"{_choosing(dev)} choose among the epochs")  # fmt: skip
    if warning := few_updates(settings.epochs * updates_an_epoch(len(lists), settings)):
        console.warn(warning)
    before = copy_of_weights(model)
    if state is None:
        # An earlier attempt may have left files of another training there.
        files.remove(run / files.REFIT)
        files.remove(run / files.CROSS_FIT)
    with console.steps() as progress:
        trained = train(
            model,
            lists,
            dev,
            settings,
            run.path,
            Callbacks(progress, partial(_tell_epoch, settings)),
            made_from(settings, "train", hashes),
            state,
        )
    checkpoints = run / files.CHECKPOINTS
    cross_fit = questions.cross_fit
    ask_all = None if cross_fit is None else partial(_ask_all, cross_fit, model, before)
    candidates = choose_on_dev(
        model, before, trained, dev, settings, checkpoints, again is not None, ask_all
    )
    for candidate in candidates:
        if candidate.kind == "interpolation":
            console.say(f"{candidate.name}: dev MRR {candidate.dev_value:.4f}")
    _tell_passed_over(candidates)
    undone: tuple[Judgement, ...] = ()
    if again is not None and candidates[0].kind != "stage1":
        chosen = copy_of_weights(model)
        _refit(settings, run, model, before, candidates[0], again, hashes)
        candidates, undone = undo_if_worse(model, before, chosen, candidates, dev.guards, settings)
        model.save_weights(checkpoints / files.BEST_CHECKPOINT)
        keep_rounds(run / files.REFIT, run.path)
    if undone:
        console.warn("the refitted model is worse on a guard, and is not shipped")
    best = candidates[0]
    if undone or best.kind == "stage1":
        again = None
    ship(settings, run, model, before if best.kind != "stage1" else None, dev.lists.question_texts)
    write_models(model, trained.log, checkpoints)
    facts = shipped(
        candidates, held_out, dev, trained.diagnosis, 0 if again is None else len(again), undone
    )
    decided(again is not None)
    run.done(settings, "train", hashes, shipped=facts, dev=dev.facts())
    # The training is complete: neither its state nor the weights that this needs are used again.
    drop_weights(checkpoints)
    files.remove(run / files.REFIT)
    files.remove(run / files.CROSS_FIT)
    if remarks := remarks_on(trained.diagnosis):
        console.warn(remarks["en"])
    console.keep(shipped=facts)
    seen = "" if held_out else " (on questions that training saw)"
    told = "dev MRR before it" if again is not None else "dev MRR"
    console.say(f"shipped: {facts['name']}, {told} {best.dev_value:.4f}{seen}: "
                f"{run / files.SHIPPED_MODEL}, "
                f"{checkpoints / files.BEST_CHECKPOINT}")  # fmt: skip


def _ask_all(
    cross_fit: CrossFit, model: Encoder, stage1: Mapping[str, Tensor], epoch: float
) -> tuple[Doubles, Doubles]:
    """Ask the questions of the training side too, and say that they are asked."""
    console.say(
        "the dev questions do not choose the last epoch: asking the questions trained on too, each "
        f"by a model that is trained without it, in at most {FOLDS} folds"
    )
    return cross_fit.ranks(model, stage1, epoch)


def _refit(
    settings: Settings,
    run: RunFolder,
    model: Encoder,
    before: Mapping[str, Tensor],
    best: Candidate,
    again: RankingLists,
    hashes: Mapping[str, str],
) -> None:
    """Train the chosen candidate again, on the questions that chose it too."""
    console.say(f"{best.name} is chosen, dev MRR {best.dev_value:.4f}; training again on all "
                f"{len(again)} questions, those that chose it too")  # fmt: skip
    going_on = replace(settings, overwrite=run.overwrites)
    folder = run / files.REFIT
    with console.steps() as progress:
        refit(
            model, before, best, again, going_on, folder, Callbacks(progress),
            made_from(settings, "train", hashes),
        )  # fmt: skip


def _tell_passed_over(candidates: Sequence[Candidate]) -> None:
    """Say which candidates are not shipped, because a guard calls them worse."""
    for candidate in candidates:
        for judgement in candidate.guards:
            if judgement.is_worse:
                console.say(f"{candidate.name}: dev MRR {candidate.dev_value:.4f}, but worse on "
                            f"{judgement.name} ({judgement.before:.4f} before, "
                            f"{judgement.after:.4f} after): not shipped")  # fmt: skip


def _choosing(dev: Dev) -> str:
    """Describe the questions that choose the epoch, and the chunks that they are ranked among."""
    if dev.whole is None:
        return f"{len(dev.lists)} questions"
    part = f"{len(dev.lists.corpus):,} of the {dev.chunks:,} chunks"
    return f"{len(dev.lists)} questions, ranked among {part},"


def _tell_epoch(settings: Settings, entry: EpochLog) -> None:
    loss = "" if entry.loss is None else f"loss {entry.loss:.4f}, "
    console.say(f"{entry.name}: {loss}dev MRR {entry.dev[DEV_METRIC]:.4f}")
    for warning in epoch_warnings(entry, settings):
        console.warn(warning)
    console.epoch(asdict(entry))
