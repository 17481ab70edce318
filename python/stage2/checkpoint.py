"""Models on disk: the reference's bare state_dict, and a Hugging Face folder of our own."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from stage2.errors import BadInputError
from stage2.files import atomic, beside, sha256, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stage2.model import ProbabilisticGBERTV4

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
MODEL_TYPE = "probabilistic_gbert_v4"

# Buffers that some versions of transformers save and others do not; they hold no weights.
_OPTIONAL_SUFFIXES = (".position_ids", ".token_type_ids")


def load_model(
    path: str | os.PathLike[str], backbone: str | os.PathLike[str] | None = None
) -> ProbabilisticGBERTV4:
    """Load a folder of our own format, or a reference `.pt` over `backbone`."""
    if Path(path).is_dir():
        return from_pretrained(path)
    if not Path(path).exists():
        raise BadInputError(
            f"{path}: no such model; expected a folder that stage2 init wrote, or a .pt file"
        )
    if backbone is None:
        raise BadInputError(
            f"{path}: a .pt file holds weights only; name its encoder with --backbone DIR|ID"
        )
    return from_reference(path, backbone)


def load_backbone(name: str | os.PathLike[str]) -> tuple[Any, Any]:
    """Load a pretrained encoder and its tokenizer from a folder or a hub id."""
    tokenizer = _tokenizer(name)
    with _backbone_errors(name), quiet_transformers():
        model = transformers.AutoModel.from_pretrained(os.fspath(name), dtype=torch.float32)
    return model, tokenizer


def from_pretrained(folder: str | os.PathLike[str]) -> ProbabilisticGBERTV4:
    """Read a model folder.

    Raises:
        BadInputError: the folder is not one that this project wrote, or its weights do not fit.
    """
    root = Path(folder)
    if not (root / CONFIG).is_file():
        raise BadInputError(f"{root}: no {CONFIG} there; expected a folder that stage2 init wrote")
    config = _read_config(root / CONFIG)
    backbone = dict(config["backbone"])
    with quiet_transformers():
        backbone_config = transformers.AutoConfig.for_model(backbone.pop("model_type"), **backbone)
    try:
        state = load_file(root / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise BadInputError(f"{root / WEIGHTS}: cannot be read as safetensors: {error}") from error
    model = _build(backbone_config, _tokenizer(root), config["embedding_dim"], config["max_length"])
    _load_state(model, state, root / WEIGHTS)
    return model


@dataclass(frozen=True)
class TokenReader:
    """A model's tokenizer and its limit, without the weights."""

    tokenizer: Any
    max_length: int


def read_reader(folder: str | os.PathLike[str]) -> TokenReader:
    """Read of a model folder what says which tokens of a text the model sees."""
    limit: int = _read_config(Path(folder) / CONFIG)["max_length"]
    return TokenReader(_tokenizer(folder), limit)


def from_reference(
    path: str | os.PathLike[str], backbone: str | os.PathLike[str]
) -> ProbabilisticGBERTV4:
    """Read a bare `torch.save(model.state_dict())` without running any code in it.

    Raises:
        BadInputError: not such a file, one that would run code, or one whose keys or shapes do not
            fit the backbone; the message names them.
    """
    from stage2.model import MAX_LENGTH

    state = read_state_dict(path)
    tokenizer = _tokenizer(backbone)
    with _backbone_errors(backbone), quiet_transformers():
        config = transformers.AutoConfig.from_pretrained(os.fspath(backbone))
    head = state.get("semantic_head.2.weight")
    if head is None or head.dim() != 2:
        raise BadInputError(f"{path}: no semantic_head.2.weight of shape (d, 256) in it")
    model = _build(config, tokenizer, head.shape[0], MAX_LENGTH)
    _load_state(model, state, path)
    return model


def embedding_dim(path: str | os.PathLike[str]) -> int:
    """The width of a model's embeddings, read off its files."""
    if Path(path).is_dir():
        width: int = _read_config(Path(path) / CONFIG)["embedding_dim"]
        return width
    return read_state_dict(path)["semantic_head.2.weight"].shape[0]


def model_files(
    path: str | os.PathLike[str], backbone: str | os.PathLike[str] | None = None
) -> dict[str, str]:
    """Hashes of all files that a model is read from: weights, configuration, tokenizer.

    Empty where some of them are not here: of a `.pt` whose backbone has no folder.
    """
    root = Path(path)
    if root.is_dir():
        return _hashes(root)
    if backbone is None or not Path(backbone).is_dir():
        return {}
    return {"weights": sha256(root), **_hashes(Path(backbone))}


def read_state_dict(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read a `.pt` of named tensors; anything else in it is refused, and no code is run."""
    state = read_tensors(path)
    if not isinstance(state, Mapping) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()
    ):
        raise BadInputError(f"{path}: not a state_dict; expected a mapping of names to tensors")
    return dict(state)


def read_tensors(path: str | os.PathLike[str]) -> Any:
    """Read tensors, numbers, texts and what is built of them, on the CPU; no code is run."""
    try:
        with warnings.catch_warnings():
            # Of other pickle protocols it warns, and then refuses them.
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise BadInputError(
            f"{path}: refused: it is no file of torch's, or holds more than tensors, and loading "
            "it could run code. Expected torch.save(model.state_dict())"
        ) from error
    except (EOFError, RuntimeError) as error:
        raise BadInputError(f"{path}: not a checkpoint that torch can read: {error}") from error


def save_reference(model: ProbabilisticGBERTV4, path: str | os.PathLike[str]) -> None:
    """Write the model's bare state_dict, on the CPU, whole or not at all."""
    save_state_dict(model.state_dict(), path)


def read_unchanged(path: Path, digest: str | None) -> dict[str, Tensor]:
    """Read weights that were written earlier, and hold them against their hash.

    Raises:
        BadInputError: the file is not as it was written.
    """
    if digest is not None and (not path.is_file() or sha256(path) != digest):
        raise BadInputError(
            f"{path}: damaged, changed or gone since it was written: it does not have the hash "
            "that was noted then. Give --resume never to start over"
        )
    return read_state_dict(path)


def save_state_dict(state: Mapping[str, Tensor], path: str | os.PathLike[str]) -> str:
    """Write named tensors as `read_state_dict` reads them, on the CPU, whole or not at all.

    Returns:
        SHA-256 of the file.
    """
    state = {key: value.detach().cpu() for key, value in state.items()}
    # Into an open file: given a path, torch writes its name into the archive.
    with atomic(path) as temporary:
        with open(temporary, "wb") as file:
            torch.save(state, file)
        return sha256(temporary)


def save_pretrained(model: ProbabilisticGBERTV4, folder: str | os.PathLike[str]) -> None:
    """Write a model folder; one that is there is replaced once the new one is whole."""
    target = Path(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(**beside(target)))
    try:
        temporary.chmod(0o755)
        write_json(
            temporary / CONFIG,
            {
                "model_type": MODEL_TYPE,
                "architectures": [type(model).__name__],
                "embedding_dim": model.embedding_dim,
                "max_length": model.max_length,
                # Not every version of transformers says of which dtype the weights are.
                "backbone": {**model.backbone.config.to_dict(), "dtype": "float32"},
            },
        )
        # Where texts were cut last is kept in the tokenizer, and would be written as its own.
        model.tokenizer.backend_tokenizer.no_truncation()
        with quiet_transformers():
            model.tokenizer.save_pretrained(temporary)
        # A tensor of its own for each name: safetensors refuses shared memory.
        state = {key: value.detach().cpu().clone() for key, value in model.state_dict().items()}
        with atomic(temporary / WEIGHTS) as weights:
            save_file(state, weights, metadata={"format": "pt"})
        if target.exists():
            retired = Path(tempfile.mkdtemp(**beside(target)))
            os.replace(target, retired / target.name)
            os.replace(temporary, target)
            shutil.rmtree(retired)
        else:
            os.replace(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _build(
    config: Any, tokenizer: Any, embedding_dim: int, max_length: int
) -> ProbabilisticGBERTV4:
    from stage2.model import ProbabilisticGBERTV4

    with quiet_transformers():
        backbone = transformers.AutoModel.from_config(config, dtype=torch.float32)
    return ProbabilisticGBERTV4(backbone, tokenizer, embedding_dim, max_length).eval()


def _load_state(
    model: ProbabilisticGBERTV4, state: dict[str, Tensor], path: str | os.PathLike[str]
) -> None:
    """Copy `state` into `model`, naming every key and shape that does not fit."""
    expected = model.state_dict()
    missing = [k for k in expected if k not in state and not k.endswith(_OPTIONAL_SUFFIXES)]
    extra = [k for k in state if k not in expected and not k.endswith(_OPTIONAL_SUFFIXES)]
    problems = [f"missing {key} {tuple(expected[key].shape)}" for key in missing]
    problems += [f"unexpected {key} {tuple(state[key].shape)}" for key in extra]
    problems += [
        f"{key} is {tuple(state[key].shape)}, expected {tuple(tensor.shape)}"
        for key, tensor in expected.items()
        if key in state and state[key].shape != tensor.shape
    ]
    if problems:
        shown = "; ".join(problems[:4])
        more = f"; and {len(problems) - 4} more" if len(problems) > 4 else ""
        raise BadInputError(
            f"{path}: does not fit the backbone (width {model.backbone.config.hidden_size}, "
            f"{len(expected)} tensors): {shown}{more}. Name the encoder it was trained over"
        )
    model.load_state_dict(state, strict=False)


def _hashes(folder: Path) -> dict[str, str]:
    return {file.name: sha256(file) for file in sorted(folder.iterdir()) if file.is_file()}


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadInputError(f"{path}: not JSON: {error}") from error
    if not isinstance(config, dict) or config.get("model_type") != MODEL_TYPE:
        raise BadInputError(
            f"{path}: not a {MODEL_TYPE} model. To make one from a plain encoder: "
            f"stage2 init --backbone {path.parent}"
        )
    return config


def _tokenizer(name: str | os.PathLike[str]) -> Any:
    with _backbone_errors(name), quiet_transformers():
        tokenizer = transformers.AutoTokenizer.from_pretrained(os.fspath(name))
    if not tokenizer.is_fast:
        raise BadInputError(
            f"{name}: its tokenizer gives no character offsets; expected one with a tokenizer.json"
        )
    return tokenizer


@contextmanager
def _backbone_errors(name: str | os.PathLike[str]) -> Iterator[None]:
    """Say in one line what is wrong with a backbone: transformers says it in a page."""
    if not Path(name).exists() and Path(name).is_absolute():
        raise BadInputError(f"backbone {name}: no such folder")
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().split("\n", 1)[0]
        raise BadInputError(
            f"backbone {name}: not an encoder that can be loaded; expected a Hugging Face folder "
            f"(config.json, weights, tokenizer) or a hub id that this machine can reach: {reason}"
        ) from error


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep load reports and progress bars of transformers off stderr; errors still raise."""
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
