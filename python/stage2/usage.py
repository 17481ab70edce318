"""The settings that a call uses: one table for refusals, for resuming and for `settings.toml`.

Each group of settings has a row. It names the stages whose files depend on the settings, the stages
that use them although their files are the same without them, and the conditions under which the
settings count. A setting that differs from its group has a row of its own. The table decides which
flags a command has, which of them it refuses, which settings must be equal if a command continues
in a folder, and which settings stand in a folder's `settings.toml`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import tomli_w

from stage2.call import MAKERS, Call, data_files, guard_files, names_of_data, reads_data
from stage2.conditions import (
    COMPARES,
    CORPUS,
    DEALS_DEV,
    DEALS_SIDES,
    EMBEDS,
    HAS_COLUMNS,
    HAS_MODEL,
    HAS_SECOND,
    HAS_TEACHER,
    MERGES_WEIGHTS,
    MINES_CORPUS,
    NOT_MINED,
    RANKS_CORPUS,
    READS_AS_TOLD,
    ROUNDS,
    SEARCHES,
    TITLED,
    UNTOUCHED,
    Condition,
    absent,
    chosen,
    given,
    taken_by_the_loss,
    with_loss,
)
from stage2.config import (
    OWN,
    SETTINGS,
    AnnotationConfig,
    CandidatesConfig,
    CheckConfig,
    DataConfig,
    EncodingConfig,
    FalseNegativesConfig,
    MergeConfig,
    MiningRules,
    ModelConfig,
    OutputConfig,
    RankingConfig,
    RunConfig,
    SamplesConfig,
    SearchConfig,
    Settings,
    SplitConfig,
    SystemConfig,
    TrainingConfig,
    default,
)
from stage2.utils.errors import BadInputError
from stage2.utils.setting import Group
from stage2.variants import BM25, DATA_TEACHER, LOSSES, SIMILARITIES

# The stages in their order. `stage2 run` does not do all of them.
_ORDER = ("init", "prepare", "mine", "audit", "train", "sweep", "evaluate", "merge", "check")

# The stages of `stage2 run` with a given model.
RUN = ("prepare", "mine", "train", "evaluate")


@dataclass(frozen=True)
class Use:
    """The stages and the conditions for which a setting counts.

    Attributes:
        decides: the stages whose files depend on the setting.
        serves: the stages that use the setting, but whose files are the same without it.
        when: the conditions that a call must also meet, all of them.
    """

    decides: tuple[str, ...] = ()
    serves: tuple[str, ...] = ()
    when: tuple[Condition, ...] = ()


def _of_weights(call: Call) -> str:
    if call.command is None or call.command in MAKERS:
        return "with --init or --backbone, where a stage-1 model is made, or with --model FILE.pt"
    return "with --model FILE.pt"


_MADE = Condition(
    lambda call: call.makes_stage1, "with --init or --backbone, where a stage-1 model is made"
)
_MADE_OR_WEIGHTS = Condition(lambda call: call.makes_stage1 or call.reads_weights, _of_weights)
# The condition of --backbone is wider, because naming a backbone asks for a stage-1 model.
_MAKES_OR_WEIGHTS = Condition(
    lambda call: (
        call.reads_weights
        or (call.settings.model is None and (call.command is None or call.command in MAKERS))
    ),
    _of_weights,
)
_DRAWN = Condition(
    lambda call: call.has_corpus,
    "with --qa and --chunks, or a corpus in --data, not with samples that are there already "
    "(--data, or the folder's own)",
)
_FITS_MODEL = Condition(lambda call: call.settings.fit, "with --fit")
_FITS = Condition(lambda call: call.command != "init" or call.settings.fit, "without --no-fit")
_SCORES = Condition(
    lambda call: call.command != "audit" or bool(call.all_models) or call.has_vectors,
    "with --model DIR, or with vectors or an endpoint",
)
_EMBEDS_OR_READS = Condition(
    lambda call: (
        call.command != "audit" or bool(call.all_models) or call.settings.cross_encoder is not None
    ),
    "with --model DIR or --cross-encoder DIR",
)
_SPLITS = chosen("split", "chunk")
_OWN_DEV = absent("dev_data")
_READERS = ("prepare", "mine", "audit", "train", "sweep", "evaluate", "merge", "check")
_RANKERS = ("mine", "audit", "train", "sweep", "evaluate", "merge", "check")
_EMBEDDERS = tuple(stage for stage in _RANKERS if stage != "sweep")

# The stages and conditions for which the settings of a group count.
_OF_GROUPS: Mapping[type[Group], Use] = {
    RunConfig: Use(serves=_ORDER),
    # The content of files is hashed, so the same file under another name is the same input.
    DataConfig: Use(serves=_READERS),
    CandidatesConfig: Use(decides=("mine",), serves=("sweep",)),
    MiningRules: Use(decides=("mine", "train"), serves=("sweep",), when=(MINES_CORPUS,)),
    SearchConfig: Use((), ("mine", "sweep", "evaluate", "merge", "check"), (CORPUS, SEARCHES)),
    SamplesConfig: Use(serves=_READERS),
    ModelConfig: Use(decides=("init",), serves=("mine", "train", "sweep"), when=(_MADE,)),
    # The content of files is hashed, and the URL of a server is one of the inputs.
    SystemConfig: Use(serves=("evaluate",)),
    FalseNegativesConfig: Use(decides=("mine", "audit"), serves=("sweep",)),
    RankingConfig: Use(decides=("mine",), serves=("train", "sweep")),
    EncodingConfig: Use(
        decides=("init", *_EMBEDDERS),
        serves=("sweep",),
        when=(_EMBEDS_OR_READS, HAS_MODEL, _FITS),
    ),
    TrainingConfig: Use(decides=("train",), serves=("sweep",)),
    SplitConfig: Use(decides=("train", "sweep", "merge"), when=(_OWN_DEV, _SPLITS)),
    MergeConfig: Use(decides=("merge",)),
    OutputConfig: Use(serves=("audit", "sweep", "evaluate", "merge")),
    CheckConfig: Use(decides=("check",)),
    AnnotationConfig: Use(serves=("annotate",), when=(given("gazetteer", "FILE"),)),
}

# These settings say how a training is watched, continued and saved. The model does not depend on
# them.
_BESIDE_TRAINING = Use(serves=("train", "sweep"))

# The same for each setting that differs from its group.
_OF_SETTINGS: Mapping[str, Use] = {
    # The resamples of an evaluation, and so its intervals, depend on the seed.
    "seed": Use(
        decides=("init", "prepare", "train", "sweep", "evaluate", "merge", "check"),
        serves=("mine", "audit"),
    ),
    **dict.fromkeys(("data", "qa"), Use(serves=(*_READERS, "annotate"))),
    "chunks": Use(serves=("init", *_READERS, "annotate"), when=(_FITS,)),
    "fit_steps": Use(
        decides=("init",), serves=("mine", "train", "sweep"), when=(_MADE, _FITS_MODEL)
    ),
    "on_error": Use(
        decides=("prepare", "sweep"),
        serves=("init", "mine", "audit", "train", "evaluate", "merge", "annotate", "check"),
        when=(_FITS,),
    ),
    "max_decompressed": Use(serves=("init", *_READERS, "annotate"), when=(_FITS,)),
    "format": Use(serves=(*_READERS, "annotate"), when=(given("data", "PATH"),)),
    # The texts depend on these settings, although the input files are the same.
    "columns": Use(decides=_READERS, serves=("annotate",), when=(HAS_COLUMNS,)),
    "title": Use(decides=_READERS, serves=("annotate",), when=(TITLED,)),
    "negatives": Use(
        decides=("prepare", "train"),
        serves=("mine", "audit", "sweep", "evaluate", "merge"),
        when=(_DRAWN,),
    ),
    "second_source": Use(serves=("mine", "train", "sweep"), when=(MINES_CORPUS, COMPARES)),
    "second_share": Use(("mine", "train"), ("sweep",), (MINES_CORPUS, HAS_SECOND)),
    "rounds": Use(decides=("train",), serves=("sweep",), when=ROUNDS),
    "model": Use(serves=("mine", "audit", "train", "sweep", "check")),
    **dict.fromkeys(
        ("pooling", "query_max_length", "document_max_length"),
        Use(_EMBEDDERS, ("sweep",), (_SCORES, READS_AS_TOLD, HAS_MODEL)),
    ),
    **dict.fromkeys(
        ("query_prompt", "document_prompt"),
        Use(_EMBEDDERS, ("sweep",), (_SCORES, READS_AS_TOLD, EMBEDS)),
    ),
    **dict.fromkeys(
        ("question_vectors", "corpus_vectors", "endpoint"),
        Use(serves=("mine", "audit", "evaluate", "check")),
    ),
    "run": Use(serves=("mine", "audit", "evaluate", "check")),
    # Another model of a server gives other vectors, from the same URL.
    "endpoint_model": Use(
        serves=("mine", "audit", "evaluate", "check"), when=(given("endpoint", "URL"),)
    ),
    "before_endpoint_model": Use(serves=("evaluate",), when=(given("before_endpoint", "URL"),)),
    "entities": Use(serves=_READERS, when=(HAS_MODEL,)),
    "train": Use(decides=("train",), serves=("sweep",), when=(READS_AS_TOLD,)),
    "save_dtype": Use(decides=("train", "merge"), serves=("sweep",), when=(READS_AS_TOLD,)),
    "init": Use(serves=("mine", "train", "sweep"), when=(absent("model"),)),
    "backbone": Use(serves=("init", *_RANKERS), when=(_MAKES_OR_WEIGHTS,)),
    "max_length": Use(decides=("init",), serves=_RANKERS, when=(_MADE_OR_WEIGHTS,)),
    "cross_encoder": Use(serves=("mine", "audit", "sweep")),
    "cross_encoder_margin": Use(
        decides=("mine", "audit"), serves=("sweep",), when=(given("cross_encoder", "DIR|ID"),)
    ),
    "drop_false_negatives": Use(decides=("mine",), serves=("sweep",)),
    "near_duplicate": Use(decides=("mine", "audit", "check"), serves=("sweep",)),
    "topk": Use(decides=("mine", "check"), serves=("train", "sweep")),
    "language": Use(decides=("check",), serves=("audit", "sweep", "evaluate", "merge")),
    "similarity": Use(
        decides=_EMBEDDERS,
        serves=("sweep",),
        when=(_SCORES, COMPARES),
    ),
    "corpus": Use(
        # This setting decides by which dev MRR the best epoch is chosen.
        decides=("train", "evaluate", "merge"),
        serves=("sweep",),
        when=(CORPUS, NOT_MINED),
    ),
    "compile": Use(serves=_RANKERS, when=(_SCORES, HAS_MODEL)),
    "embedding_cache": Use(serves=("mine", "evaluate", "check"), when=(EMBEDS,)),
    **dict.fromkeys(("resume", "save_every", "keep_checkpoints", "report_to"), _BESIDE_TRAINING),
    **dict.fromkeys(
        ("batches", "guide_margin"),
        Use(
            decides=("train",),
            serves=("sweep",),
            when=(with_loss(lambda kind: kind.negatives != "list"),),
        ),
    ),
    # The model is hashed, and the scores in the data are with the data.
    "teacher": Use(
        serves=("train", "sweep"), when=(with_loss(lambda kind: kind.teacher is not None),)
    ),
    "teacher_scale": Use(decides=("train",), serves=("sweep",), when=(HAS_TEACHER,)),
    "gradient_checkpointing": Use(
        decides=("train",), serves=("sweep",), when=(absent("micro_batch"),)
    ),
    # The trials of a sweep are compared by dev questions, so none is trained on them.
    "refit": Use(decides=("train",), when=(_OWN_DEV, _SPLITS)),
    "replay": Use(decides=("train",), serves=("sweep",), when=(chosen("train_on", "hard"),)),
    "dev_data": Use(serves=("train",)),
    "split": Use(decides=("train", "sweep", "merge"), when=(_OWN_DEV,)),
    # The content of the file is hashed, so its name decides nothing.
    "split_file": Use(serves=_READERS, when=(_OWN_DEV, _SPLITS)),
    "dev_share": Use(decides=("train", "sweep", "merge"), when=(_OWN_DEV, _SPLITS, DEALS_DEV)),
    "test_share": Use(
        decides=("train", "sweep", "merge", "check"), when=(_OWN_DEV, _SPLITS, DEALS_SIDES)
    ),
    "folds": Use(decides=("evaluate",), when=(DEALS_SIDES,)),
    "fail_if_regressed": Use(serves=("evaluate", "sweep", "merge")),
    # The content of the files is hashed.
    "guard": Use(serves=("train", "sweep", "evaluate", "merge"), when=(HAS_MODEL, MERGES_WEIGHTS)),
    "guard_margin": Use(("train", "evaluate", "merge"), ("sweep",), (given("guard", "PATH"),)),
    **dict.fromkeys(
        ("recall_at", "bm25", "untouched_backbone"),
        Use(decides=("evaluate", "merge"), serves=("sweep",), when=(CORPUS, RANKS_CORPUS)),
    ),
    "overwrite": Use(serves=(*_ORDER, "annotate")),
    **dict.fromkeys(("gazetteer", "spacy"), Use(serves=("annotate",))),
}


def _use(name: str, group: type[Group]) -> Use:
    """Return the use of a setting. A parameter of losses counts only with a loss that takes it."""
    use = _OF_SETTINGS.get(name, _OF_GROUPS[group])
    if any(name in loss.settings for loss in LOSSES.values()):
        use = replace(use, when=(*use.when, taken_by_the_loss(name)))
    if any(name in loss.untouched for loss in LOSSES.values()):
        use = replace(use, when=(*use.when, UNTOUCHED))
    return use


USES: Mapping[str, Use] = {
    name: _use(name, group) for group, names in OWN.items() for name in names
}

# The settings that each stage's files depend on, beside the content of its inputs.
STAGES: dict[str, tuple[str, ...]] = {
    stage: tuple(name for name, use in USES.items() if stage in use.decides) for stage in _ORDER
}

# These settings name what a command reads.
_READ = (
    "model",
    "data",
    "dev_data",
    "qa",
    "chunks",
    "entities",
    "split_file",
    "backbone",
    "cross_encoder",
    "teacher",
    "question_vectors",
    "corpus_vectors",
    "run",
    "second_source",
    "before_model",
    "before_question_vectors",
    "before_corpus_vectors",
    "before_run",
)

_WORDS = {"teacher": DATA_TEACHER, "second_source": BM25}

# A stage-1 model is made from these settings and the texts that it is fitted on.
_STAGE1 = STAGES["init"]
# A command has these of its own: it draws other negatives or computes otherwise by the same model.
_OWN = ("seed", "precision")


def missing(name: str, call: Call) -> list[Condition]:
    """Return the conditions of a setting that a call does not meet."""
    return [condition for condition in USES[name].when if not condition.holds(call)]


def check_given(names: Iterable[str], calls: Sequence[Call]) -> None:
    """Refuse settings that a user named and that would have no effect.

    Args:
        names: the names of these settings.
        calls: the calls that the command consists of: one call, or the trials of a sweep. A setting
            must count in one of them.

    Raises:
        BadInputError: no call uses one of the settings. The message says with what it would work.
    """
    for name in names:
        if why := why_unused(name, calls):
            raise BadInputError(f"{_flag(name, calls[0].settings)} has no effect here: {why}")
    for call in calls:
        if call.settings.similarity in SIMILARITIES and not call.has_vectors:
            raise BadInputError(
                f"--similarity {call.settings.similarity} has no effect here: it works with "
                "vectors or an endpoint; a model says itself how its vectors are compared"
            )


def unused(names: Iterable[str], calls: Sequence[Call]) -> list[str]:
    """Return why no call uses a setting, for each named setting that is not its default."""
    found = []
    for name in names:
        value = getattr(calls[0].settings, name)
        if value != default(name) and (why := why_unused(name, calls)):
            found.append(f"{name} = {value} has no effect here: {why}")
    return found


def made_from(
    settings: Settings, stage: str, inputs: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """Return all that a stage's files depend on: settings, and names and hashes of inputs.

    Settings that do not count have their defaults.
    """
    call = Call(settings, stage if stage in ("init", "audit") else None)
    counting = {
        name: default(name) if missing(name, call) else getattr(settings, name)
        for name in STAGES[stage]
    }
    return counting | dict(inputs)


def read_by(settings: Settings) -> dict[str, str]:
    """Return the files and folders that settings name as inputs, by the name of the setting.

    The files of --data have the names under which their hashes are recorded.
    """
    named = {name: getattr(settings, name) for name in _READ}
    # A word names no file.
    found = {name: path for name, path in named.items() if path not in (None, _WORDS.get(name))}
    files = {**data_files(settings), **guard_files(settings)}
    return found | {name: str(path) for name, path in files.items()}


def counted(known: Mapping[str, Any]) -> set[str]:
    """Return the settings that counted among those that a stage was made from."""
    settings = Settings(**{name: known[name] for name in SETTINGS if name in known})
    call = Call(settings, data_files=names_of_data(known))
    return {name for name in SETTINGS if name in known and not missing(name, call)}


def saved(settings: Settings, stages: Iterable[str], models: Iterable[str] = ()) -> str:
    """Return the content of `settings.toml`: the settings that count for the files of `stages`.

    Args:
        settings: the settings of the command.
        stages: the stages that the command has begun.
        models: the models of a command that takes several.
    """
    begun = set(stages)
    # A single stage is the command of that name. Several stages are a run.
    call = Call(settings, next(iter(begun)) if len(begun) == 1 else None, tuple(models))
    values = {
        name: value
        for name, use in USES.items()
        if (value := getattr(settings, name)) is not None
        and begun & {*use.decides, *use.serves}
        and not missing(name, call)
    }
    return tomli_w.dumps(values)


def with_stage1_of(
    settings: Settings, known: Mapping[str, Any], started_anew: bool, backbone: str
) -> Settings:
    """Return the settings of a command together with those of the stage-1 model in its folder.

    If a run is started again, its settings must be those of the stage-1 model that the run made. A
    model that `stage2 init` or another command made is used as it is. Then only the settings that
    the user named must be those of the model, and other values are refused.

    Args:
        settings: the settings of the command, without --model.
        known: the settings and inputs that the folder's model was made from.
        started_anew: whether the command makes a run, rather than adding to one.
        backbone: the encoder that the settings name, or the default one.

    Returns:
        The settings of the command, with those that the model was made with.

    Raises:
        BadInputError: the model was made with other settings.
    """
    on_the_way = reads_data(known)
    strict = started_anew and on_the_way
    wanted = made_from(settings, "init", {"backbone": backbone})
    defaults = {name: default(name) for name in wanted}
    differing = {
        name: value
        for name, value in wanted.items()
        if name in known
        and known[name] != value
        and (strict or name not in _OWN)
        and (strict or name in settings.given or getattr(settings, name) != defaults[name])
    }
    if differing:
        what = difference({name: known[name] for name in differing}, differing)
        raise BadInputError(
            f"--output-dir {settings.output_dir} holds a stage-1 model that was made with other "
            f"settings ({what}). Give these, or another --output-dir, or --overwrite to make it "
            "anew"
        )
    kept = {name: known[name] for name in _STAGE1 if name in known and name not in _OWN}
    if settings.backbone is None:
        # With `init` the settings of the model count, so they are saved with those of this command.
        kept["init"] = True
    if known.get("backbone", backbone) != backbone:
        kept["backbone"] = known["backbone"]
    return replace(settings, **kept)


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Describe the differences between the settings and inputs of two results."""
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return "; ".join(
        f"{name} was {_short(old.get(name))}, is {_short(new.get(name))}" for name in names
    )


def _short(value: Any) -> str:
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text


def why_unused(name: str, calls: Sequence[Call]) -> str:
    """Return why none of the calls uses a setting, or an empty string if one does."""
    lacking = [missing(name, call) for call in calls]
    if not all(lacking):
        return ""
    return f"it works {', and '.join(one.words(calls[0]) for one in lacking[0])}"


def _flag(name: str, settings: Settings) -> str:
    flag = name.replace("_", "-")
    if SETTINGS[name].metadata["kind"] is bool:
        return f"--{flag}" if getattr(settings, name) else f"--no-{flag}"
    return f"--{flag} {getattr(settings, name)}"
