"""Models on disk: the reference's bare state_dict, and a Hugging Face folder of our own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch import Tensor

from stage2.models import hub
from stage2.models.model_config import (
    CONFIG,
    LEAST_LENGTH,
    MODEL_TYPE,
    ModelConfig,
    check_encoder,
    check_heads,
    checked_max_length,
    read_model_config,
)
from stage2.models.model_path import model_in
from stage2.utils import console
from stage2.utils.errors import BadInputError
from stage2.utils.files import beside, sha256, write_json
from stage2.utils.tensors import (
    Shapes,
    check_finite,
    read_about,
    read_safetensors,
    read_state_dict,
    read_tensors,
    read_unchanged,
    save_safetensors,
    save_state_dict,
    shapes_of,
)

if TYPE_CHECKING:
    from stage2.models.gbert.model import ProbabilisticGBERTV4

__all__ = [
    "CONFIG",
    "MODEL_TYPE",
    "WEIGHTS",
    "embedding_dim",
    "from_pretrained",
    "from_reference",
    "known_max_length",
    "load_backbone",
    "load_model",
    "longest_input",
    "model_files",
    "read_state_dict",
    "read_tensors",
    "read_unchanged",
    "save_pretrained",
    "save_reference",
    "save_state_dict",
    "save_weights",
]

WEIGHTS = "model.safetensors"

_HEAD = "semantic_head.2.weight"
_BACKBONE = "backbone"
# A tokenizer without a limit has a very large number; an encoder without one counts no positions.
_NO_LIMIT = 1 << 20
_SHOWN = 4


def load_model(
    path: str | os.PathLike[str],
    backbone: str | os.PathLike[str] | None = None,
    max_length: int | None = None,
) -> ProbabilisticGBERTV4:
    """Load a folder of our own format, a run folder's model, or a reference `.pt` over `backbone`.

    `max_length` is as `from_reference` has it; a folder knows its own.
    """
    path = model_in(path)
    if path.is_dir():
        return from_pretrained(path)
    if not path.exists():
        raise BadInputError(
            f"{path}: no such model; expected a folder that stage2 init wrote, or a .pt file"
        )
    if backbone is None:
        raise BadInputError(
            f"{path}: a .pt file holds weights only; name its encoder with --backbone DIR|ID"
        )
    return from_reference(path, backbone, max_length)


def load_backbone(name: str | os.PathLike[str]) -> tuple[Any, Any]:
    """Load a pretrained encoder and its tokenizer from a folder or a hub id."""
    folder = hub.folder_of(name, _BACKBONE)
    return hub.load_encoder(folder, _BACKBONE), hub.load_tokenizer(folder, _BACKBONE)


def from_pretrained(folder: str | os.PathLike[str]) -> ProbabilisticGBERTV4:
    """Read a model folder, or the model of a run folder.

    Raises:
        BadInputError: the folder is not one that this project wrote, its weights do not fit or are
            not finite, or it cannot embed a text.
    """
    root = model_in(folder)
    if not (root / CONFIG).exists():
        raise BadInputError(f"{root}: no {CONFIG} there; expected a folder that stage2 init wrote")
    hub.check_folder(root, "model")
    config = read_model_config(root / CONFIG)
    if not (root / WEIGHTS).exists():
        raise BadInputError(f"{root / WEIGHTS}: no such file; {CONFIG} beside it says it is there")
    shapes = shapes_of([root / WEIGHTS])
    check_heads(root / CONFIG, config, shapes)
    check_encoder(root / CONFIG, config.backbone, shapes, "backbone.")
    backbone = hub.config_of(config.backbone, root / CONFIG, "model")
    tokenizer = hub.load_tokenizer(root, "model")
    _check_fit(backbone, config, shapes, root / WEIGHTS, root / CONFIG)
    model = _build(backbone, tokenizer, config.embedding_dim, config.max_length)
    longest = longest_input(model.backbone, tokenizer)
    if config.max_length > longest:
        raise BadInputError(
            f"{root / CONFIG}: max_length is {config.max_length}; expected a whole number from "
            f"{LEAST_LENGTH} to {longest}, which is all that its encoder takes"
        )
    return _ready(model, read_safetensors(root / WEIGHTS), root / WEIGHTS)


@dataclass(frozen=True)
class TokenReader:
    """A model's tokenizer and its limit, without the weights."""

    tokenizer: Any
    max_length: int


def read_reader(folder: str | os.PathLike[str]) -> TokenReader:
    """Read of a model folder what says which tokens of a text the model sees."""
    root = model_in(folder)
    limit = read_model_config(root / CONFIG).max_length
    return TokenReader(hub.load_tokenizer(root, "model"), limit)


def from_reference(
    path: str | os.PathLike[str],
    backbone: str | os.PathLike[str],
    max_length: int | None = None,
) -> ProbabilisticGBERTV4:
    """Read a bare `torch.save(model.state_dict())` without running any code in it.

    Args:
        path: of the file.
        backbone: folder or hub id of its encoder.
        max_length: most tokens of a text. Default: what the file says where this project
            wrote it, else 128, and that is told; either way no more than the encoder takes.

    Raises:
        BadInputError: not such a file, one that would run code, one whose keys or shapes do not
            fit the backbone or whose values are not finite; the message names them.
    """
    from stage2.models.gbert.model import MAX_LENGTH

    state = read_state_dict(path)
    head = state.get(_HEAD)
    if head is None or head.dim() != 2:
        raise BadInputError(f"{path}: no {_HEAD} of shape (d, 256) in it")
    known = known_max_length(path)
    limit = max_length or known or MAX_LENGTH
    if limit < LEAST_LENGTH:
        raise BadInputError(f"max length {limit}; expected at least {LEAST_LENGTH}")
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    folder = hub.folder_of(backbone, _BACKBONE)
    # This asks only how much memory they take; whether they fit is asked below.
    config = hub.load_config(folder, _BACKBONE, {})
    tokenizer = hub.load_tokenizer(folder, _BACKBONE)
    ours = ModelConfig(head.shape[0], limit, {})
    _check_fit(config, ours, shapes, path, folder / CONFIG)
    model = _build(config, tokenizer, head.shape[0], limit)
    model.max_length = min(limit, longest_input(model.backbone, tokenizer))
    model = _ready(model, state, path)
    if max_length is None and known is None:
        console.say(
            f"{path}: does not say where texts are to be cut: at {model.max_length} tokens "
            "(another: --max-length)"
        )
    return model


def known_max_length(path: str | os.PathLike[str]) -> int | None:
    """Most tokens of a text, as the model had it that a `.pt` is of; None where it does not say.

    Raises:
        BadInputError: what it says is damaged.
    """
    about = read_about(Path(path))
    return None if about is None else checked_max_length(Path(path), about)


def save_weights(
    model: ProbabilisticGBERTV4, state: Mapping[str, Tensor], path: str | os.PathLike[str]
) -> str:
    """Write weights of a model as `save_reference` writes its own.

    Returns:
        SHA-256 of the file.
    """
    return save_state_dict(state, path, {"max_length": model.max_length})


def embedding_dim(path: str | os.PathLike[str]) -> int:
    """The width of a model's embeddings, read off its files."""
    path = model_in(path)
    if path.is_dir():
        return read_model_config(path / CONFIG).embedding_dim
    return read_state_dict(path)[_HEAD].shape[0]


def model_files(
    path: str | os.PathLike[str], backbone: str | os.PathLike[str] | None = None
) -> dict[str, str]:
    """Hashes of all files that a model is read from: weights, configuration, tokenizer.

    Empty where some of them are not here: of a `.pt` whose backbone has no folder.
    """
    root = model_in(path)
    if root.is_dir():
        return _hashes(root)
    if backbone is None or not Path(backbone).is_dir():
        return {}
    return {"weights": sha256(root), **_hashes(Path(backbone))}


def longest_input(encoder: Any, tokenizer: Any) -> int:
    """Most tokens that an encoder takes, special tokens included."""
    from stage2.encoding.kernels.unpadded import first_padded_position

    positions = getattr(encoder.config, "max_position_embeddings", None) or _NO_LIMIT
    # Where positions start after the padding's, there are fewer than it says.
    positions -= first_padded_position(encoder) or 0
    return int(min(positions, getattr(tokenizer, "model_max_length", positions)))


def save_reference(model: ProbabilisticGBERTV4, path: str | os.PathLike[str]) -> None:
    """Write the model's bare state_dict, on the CPU, whole or not at all.

    Where its texts are cut stands in the same file, where torch does not look.
    """
    save_weights(model, model.state_dict(), path)


def save_pretrained(model: ProbabilisticGBERTV4, folder: str | os.PathLike[str]) -> None:
    """Write a model folder; one that is there is replaced once the new one is whole."""
    from stage2.encoding.tokens import TOKENIZING

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
        with TOKENIZING, hub.quiet_transformers():
            # Where texts were cut last is kept in the tokenizer, and would be written as its own.
            model.tokenizer.backend_tokenizer.no_truncation()
            model.tokenizer.save_pretrained(temporary)
        save_safetensors(model.state_dict(), temporary / WEIGHTS)
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
    from stage2.models.gbert.model import ProbabilisticGBERTV4

    with hub.quiet_transformers():
        backbone = transformers.AutoModel.from_config(
            config, dtype=torch.float32, trust_remote_code=False
        )
    return ProbabilisticGBERTV4(backbone, tokenizer, embedding_dim, max_length).eval()


def _check_fit(
    backbone: Any,
    config: ModelConfig,
    shapes: Shapes,
    path: str | os.PathLike[str],
    about: Path,
) -> None:
    """Refuse weights that do not fit, before memory is asked for; names every key and shape."""
    try:
        with torch.device("meta"):
            sketch = _build(backbone, None, config.embedding_dim, config.max_length)
    except Exception as error:  # What a library makes of such entries has no common kind.
        reason = str(error).strip().split("\n", 1)[0]
        raise BadInputError(f"{about}: no encoder can be built of it: {reason}") from error
    expected = {name: tuple(tensor.shape) for name, tensor in sketch.state_dict().items()}
    missing = [k for k in expected if k not in shapes and not k.endswith(hub.OPTIONAL_SUFFIXES)]
    extra = [k for k in shapes if k not in expected and not k.endswith(hub.OPTIONAL_SUFFIXES)]
    problems = [f"missing {key} {expected[key]}" for key in missing]
    problems += [f"unexpected {key} {shapes[key]}" for key in extra]
    problems += [
        f"{key} is {shapes[key]}, expected {shape}"
        for key, shape in expected.items()
        if key in shapes and shapes[key] != shape
    ]
    if problems:
        shown = "; ".join(problems[:_SHOWN])
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise BadInputError(
            f"{path}: does not fit the backbone (width {backbone.hidden_size}, "
            f"{len(expected)} tensors): {shown}{more}. Name the encoder it was trained over"
        )
    hub.check_memory(sketch, shapes, about)


def _ready(
    model: ProbabilisticGBERTV4, state: dict[str, Tensor], path: str | os.PathLike[str]
) -> ProbabilisticGBERTV4:
    """Fill a model with weights whose names and shapes fit, and try it."""
    from stage2.models.probe import probe

    expected = model.state_dict()
    for name, tensor in state.items():
        if name in expected and tensor.is_floating_point() != expected[name].is_floating_point():
            raise BadInputError(
                f"{path}: {name} is of {str(tensor.dtype).removeprefix('torch.')}; expected "
                "numbers with fractions, as they were trained"
            )
    check_finite(state, path)
    model.load_state_dict(state, strict=False)
    probe(model, path)
    return model


def _hashes(folder: Path) -> dict[str, str]:
    return {file.name: sha256(file) for file in sorted(folder.iterdir()) if file.is_file()}
