"""The stage-1 model of a command: the given one, the one in the run folder, or a new one."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from stage2._core import Loaded, load_chunks
from stage2.call import Call, reads_data
from stage2.cli import console, dry_run
from stage2.cli.inputs import Inputs
from stage2.cli.run_folder import RunFolder
from stage2.config import Settings
from stage2.data.sample.build import write_sample
from stage2.encoding.cache import EmbeddingCache, folder_of
from stage2.encoding.encoder import Encoder, LazyModel, loaded
from stage2.encoding.tokens import Role
from stage2.models.auto import family_of, load_model
from stage2.models.family import LoadOptions
from stage2.models.fit_model import fit_model
from stage2.models.gbert.model import MAX_LENGTH
from stage2.models.hub import BACKBONE, default_backbone, default_model
from stage2.models.hub import folder_of as folder_of_model
from stage2.models.init_model import check_texts_to_fit, init_model
from stage2.models.model_path import model_in
from stage2.usage import with_stage1_of
from stage2.utils import files
from stage2.utils.device import (
    DTYPES,
    check_training_precision,
    describe,
    resolve_device,
    resolve_precision,
)
from stage2.utils.errors import BadInputError


@dataclass(frozen=True)
class Stage1:
    """The model that a command works on.

    Attributes:
        model: the model on its device, or one that is loaded when it is first used.
        settings: the settings of the command, with those that the model was made with.
        hashes: the hashes of what the model was made from or read from, by name.
        made: whether this command made the model, which is then not yet on disk.
        backbone: the folder of the encoder that the model was made from; None for a model that was
            made from none.
    """

    model: Encoder | LazyModel
    settings: Settings
    hashes: dict[str, str]
    made: bool
    backbone: Path | None


def stage1(settings: Settings, run: RunFolder, inputs: Inputs) -> Stage1:
    """Load the model that is given or the one in the folder, or make a new one."""
    if (given := given_model(settings, run)) is not None:
        _say_default(settings, given)
        model = load_given(settings, given)
        hashes, made = hashes_of_model(settings, given), False
        source = backbone_of(settings, given)
    elif run.holds("init"):
        known = run.record["stages"]["init"]["made_from"]
        backbone = settings.backbone or default_backbone()
        settings = with_stage1_of(settings, known, run.adds is None, backbone)
        model = load_model(run.checked(files.STAGE1_MODEL))
        hashes, made = {"model": model_hash(run / files.STAGE1_MODEL)}, False
        source = backbone_of(settings, run / files.STAGE1_MODEL)
        if reads_data(known):
            # An earlier call of this command made the model as one of its steps.
            hashes = {"backbone": known.get("backbone", backbone)}
    else:
        name = settings.backbone or default_backbone()
        console.say(f"making a stage-1 model from {name} (see stage2 init)")
        model = new_model(settings, inputs.samples.contexts)
        hashes, made = {"backbone": name}, True
        source = folder_of_model(settings.backbone or default_model(), BACKBONE)
    return Stage1(placed(model, settings), settings, hashes, made, source)


def given_model(settings: Settings, run: RunFolder) -> str | None:
    """Return the path of --model, or of all-MiniLM-L6-v2, the default, which is used as it is.

    Return None if no --model is given and the folder holds a model or the command makes one.
    """
    if settings.model is not None:
        return settings.model
    if run.holds("init") or Call(settings).makes_stage1:
        return None
    return default_model()


def _say_default(settings: Settings, path: str) -> None:
    if settings.model is None:
        console.say(f"no --model given: taking all-MiniLM-L6-v2 as it is ({path})")


def load_given(settings: Settings, path: str) -> Encoder:
    """Load the model at `path`.

    If a `.pt` file does not record a limit, its texts are cut at --max-length.

    Raises:
        BadInputError: the model cannot be loaded, or was trained with another --max-length.
    """
    known = family_of(path).max_length(model_in(path))
    # A preset sets the length of the reference, whatever the model.
    of_preset = settings.max_length == MAX_LENGTH and "max_length" not in settings.given
    asked = None if of_preset else settings.max_length
    if known is not None and asked not in (None, known):
        raise BadInputError(
            f"--max-length is {asked}: {path} was trained with texts cut at {known} tokens; "
            "leave --max-length out"
        )
    model = load_model(path, load_options(settings, known or asked))
    if model.why_no_entities is not None and settings.entities is not None:
        _no_entities(settings, f"{path}: {model.why_no_entities}, so that entities have no vectors")
    return model


def _no_entities(settings: Settings, reason: str) -> None:
    """Warn that the model cannot use annotations, or refuse to compare texts by entities."""
    if settings.similarity == "entity":
        raise BadInputError(
            f"--similarity entity: {reason}; expected a model whose pooling is a plain mean, or "
            "--similarity sentence"
        )
    if settings.similarity == "auto":
        console.warn(f"{reason}: every pair is compared by its sentences")


def load_options(settings: Settings, max_length: int | None = None) -> LoadOptions:
    """Return the options of a call for the models that it loads.

    Args:
        settings: the settings of the call.
        max_length: the limit of tokens per text for a file of weights; None if not known.
    """
    prompts: dict[Role, str | None] = {
        "query": settings.query_prompt,
        "document": settings.document_prompt,
    }
    limits: dict[Role, int | None] = {
        "query": settings.query_max_length,
        "document": settings.document_max_length,
    }
    return LoadOptions(
        backbone=settings.backbone,
        max_length=max_length,
        pooling=settings.pooling,
        prompts={role: text for role, text in prompts.items() if text is not None},
        saved_dtype=None if settings.save_dtype is None else DTYPES[settings.save_dtype],
        max_lengths={role: limit for role, limit in limits.items() if limit is not None},
        train=settings.train,
    )


def placed(model: Encoder, settings: Settings) -> Encoder:
    """Move the model to the device of the run, and set whether it is to be compiled."""
    model.compiled = settings.compile
    return model.to(resolve_device(settings.device))


def stage1_when_needed(settings: Settings, run: RunFolder, inputs: Inputs) -> Stage1:
    """Return the same as `stage1`, but load a given model only when it is needed.

    The model may not be needed if the cache holds its vectors; see `model_when_needed`.
    """
    given = given_model(settings, run)
    if given is None:
        return stage1(settings, run, inputs)
    _say_default(settings, given)
    model = model_when_needed(settings, given)
    hashes, source = hashes_of_model(settings, given), backbone_of(settings, given)
    return Stage1(model, settings, hashes, False, source)


def model_when_needed(settings: Settings, path: str) -> Encoder | LazyModel:
    """Return the model at `path` on its device, or one that is loaded when it is first used.

    Only a model with vectors in the cache is loaded late. It was loaded before, so it is known that
    it can be loaded.
    """

    def load() -> Encoder:
        return placed(load_given(settings, path), settings)

    if model_in(path).is_dir():
        family, options = family_of(path), load_options(settings)
        cache = embedding_cache(settings, path)
        if cache is not None and len(cache):
            found = model_in(path)
            read, distance = partial(family.reader, found, options), family.distance(found)
            return LazyModel(load, cache.width, read, distance)
    return load()


def backbone_of(settings: Settings, path: str | Path) -> Path | None:
    """Return the folder of the encoder that a model was made from; see `Family.backbone`."""
    return family_of(path).backbone(model_in(path), load_options(settings))


def embedding_cache(settings: Settings, path: str | Path) -> EmbeddingCache | None:
    """Return the cache of a model's vectors for the precision and the kind of device of a run.

    Return None if --embedding-cache is off, or if the model is a `.pt` file whose backbone is only
    on the hub. Without its files a backbone cannot be told from another one of the same name.
    """
    folder = folder_of(settings.embedding_cache)
    family, found = family_of(path), model_in(path)
    hashes = family.files(found, settings.backbone)
    if folder is None or not hashes:
        return None
    if not found.is_dir():
        hashes["max_length"] = str(_length_of_weights(settings, path))
    device = resolve_device(settings.device)
    precision = describe(resolve_precision(settings.precision, device))
    return EmbeddingCache(
        folder,
        family.embedding_dim(found),
        {**hashes, **_reading(settings), "precision": precision, "device": device.type}
        | ({"compiled": torch.__version__} if settings.compile else {}),
        {"model": files.written(path), "precision": precision},
    )


def _reading(settings: Settings) -> dict[str, str]:
    """Return the options of a call that change how a model reads texts, and thus its vectors."""
    options = load_options(settings)
    told = {"pooling": options.pooling, "prompts": options.prompts, "limits": options.max_lengths}
    return {name: json.dumps(value, sort_keys=True) for name, value in told.items() if value}


def model_hash(path: str | Path) -> str:
    """Return the SHA-256 of a model's weights and of all else that its vectors depend on."""
    return family_of(path).weights_hash(model_in(path))


def hashes_of_model(settings: Settings, path: str, name: str = "model") -> dict[str, str]:
    """Return the hashes that identify a model in a record; `name` is the key of its weights.

    A `.pt` file does not describe its encoder, and may not record where texts are cut. Both are
    added.
    """
    hashes = {name: model_hash(path)}
    family, found = family_of(path), model_in(path)
    if found.is_file():
        hashes[f"{name}_max_length"] = str(_length_of_weights(settings, path))
        encoder = family.files(found, settings.backbone) or settings.backbone
        digest = hashlib.sha256(json.dumps(encoder, sort_keys=True).encode()).hexdigest()
        hashes[f"{name}_backbone"] = digest
    return hashes


def _length_of_weights(settings: Settings, path: str | Path) -> int:
    """Return at how many tokens the texts of a file of weights are cut."""
    known = family_of(path).max_length(model_in(path))
    return known or settings.max_length or MAX_LENGTH


def new_model(settings: Settings, chunks: Sequence[str]) -> Encoder:
    """Make a stage-1 model from the encoder of --backbone, fitted on `chunks` unless --no-fit.

    In a dry run it is not fitted: that takes long, and serves for nothing but to be written.
    """
    fit = settings.fit and not dry_run.is_on()
    if settings.fit:
        check_texts_to_fit(chunks)
    model = init_model(
        settings.backbone,
        chunks,
        embedding_dim=settings.embedding_dim,
        max_length=settings.max_length,
        seed=settings.seed,
        fit=fit,
        device=resolve_device(settings.device),
        bar=console.bar,
    )
    if fit and settings.fit_steps:
        fit_model(
            model,
            settings.backbone,
            chunks,
            steps=settings.fit_steps,
            seed=settings.seed,
            precision=settings.precision,
            bar=console.bar,
        )
    return model


def chunks_to_fit(settings: Settings) -> tuple[Sequence[str], Loaded, str]:
    """Read the texts that the heads are fitted on: --chunks, or the built-in sample.

    Returns:
        The texts, the loaded object with the rows that were left out, and the file's SHA-256.
    """
    if settings.chunks is not None:
        path = files.check_regular(settings.chunks)
        chunks, loaded = load_chunks(path, settings.on_error, settings.decompressed)
        return chunks, loaded, files.sha256(path)
    console.say("no --chunks given: fitting the heads on the built-in sample")
    with tempfile.TemporaryDirectory() as folder:
        path = write_sample(Path(folder)).chunks
        chunks, loaded = load_chunks(path)
        return list(chunks), loaded, files.sha256(path)


def check_machine(settings: Settings, trains: bool = False) -> None:
    """Refuse an impossible device, precision or cache folder; say what the model runs on."""
    if trains:
        check_training_precision(settings.precision, settings.device)
    device = resolve_device(settings.device)
    precision = resolve_precision(settings.precision, device)
    folder_of(settings.embedding_cache)
    console.say(f"the model runs on {device} in {describe(precision)}")


def keep_stage1(run: RunFolder, first: Stage1, hashes: Mapping[str, str]) -> None:
    """Write the stage-1 model if this command made it, and record the hashes of its inputs."""
    if first.made:
        loaded(first.model).save(run / files.STAGE1_MODEL)
        run.done(first.settings, "init", hashes)


def stage1_cache(settings: Settings, run: RunFolder) -> EmbeddingCache | None:
    """Return the cache of the stage-1 model, which is given or kept in the folder."""
    return embedding_cache(settings, given_model(settings, run) or run / files.STAGE1_MODEL)
