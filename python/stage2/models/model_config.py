"""The checks of a model's `config.json` against bounds and weights, before memory is requested."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stage2.utils.errors import BadInputError
from stage2.utils.files import check_regular
from stage2.utils.tensors import Shapes

CONFIG = "config.json"
MODEL_TYPE = "probabilistic_gbert_v4"
LEAST_LENGTH = 4
# Where transformers keeps the path that an encoder was loaded from.
SOURCE = "_name_or_path"

# No configuration is larger. The file of a tokenizer may be, but it is not read here.
_MOST_BYTES = 1 << 24
# In some encoders layers share weights. Up to this number, there may be more layers than tensors.
_FEW_LAYERS = 1000
_MOST = 2**31 - 1

_SIZES = (
    "hidden_size", "intermediate_size", "num_attention_heads", "vocab_size", "embedding_size",
    "max_position_embeddings", "dim", "hidden_dim", "n_heads", "d_model", "d_ff", "d_kv",
    "num_heads", "n_embd", "n_head", "n_positions", "n_ctx", "num_key_value_heads", "head_dim",
    "n_inner", "moe_intermediate_size", "num_experts", "num_local_experts",
)  # fmt: skip
_LAYERS = (
    "num_hidden_layers", "num_layers", "n_layers", "n_layer", "encoder_layers", "decoder_layers",
    "num_decoder_layers", "num_hidden_groups", "inner_group_num",
)  # fmt: skip
_COUNTS = ("type_vocab_size", "num_labels", "chunk_size_feed_forward")
# If the width of a head has no entry of its own, the first entry must divide the second.
_DIVIDED = (("num_attention_heads", "hidden_size"), ("n_heads", "dim"), ("n_head", "n_embd"))
# transformers makes a table with a name for each label, so their number is limited.
_MOST_LABELS = 1 << 20
_SHARES = (
    "hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout",
    "hidden_dropout", "attention_dropout_prob", "classifier_dropout", "classifier_dropout_prob",
    "embd_pdrop", "resid_pdrop", "attn_pdrop", "seq_classif_dropout", "qa_dropout",
    "embedding_dropout", "mlp_dropout",
)  # fmt: skip
_POSITIVE = ("layer_norm_eps", "layer_norm_epsilon", "rms_norm_eps", "norm_eps")
_ACTIVATIONS = ("hidden_act", "hidden_activation", "activation", "activation_function")
_NO_NUMBER = ("num_key_value_heads", "head_dim", "n_inner", "classifier_dropout", "pad_token_id")

# An entry, a pattern of the names of tensors with an axis of this length, and the number of that
# axis.
_IN_WEIGHTS = (
    ("vocab_size", r"\bword_embeddings\.weight|\bembed_tokens\.weight|\bwte\.weight", 0),
    ("max_position_embeddings", r"\bposition_embeddings\.weight", 0),
    ("type_vocab_size", r"\btoken_type_embeddings\.weight", 0),
    ("intermediate_size", r"\bencoder\.layer\.\d+\.intermediate\.dense\.weight", 0),
    ("hidden_size", r"\bencoder\.layer\.\d+\.intermediate\.dense\.weight", -1),
    ("hidden_size", r"^semantic_head\.0\.weight", -1),
)
_LAYER = re.compile(r"\bencoder\.layer\.(\d+)\.")
# Without these entries an encoder would compute something else, although its weights fit.
_NEEDED = (
    "hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "intermediate_size",
    "max_position_embeddings", "type_vocab_size", "hidden_act", "layer_norm_eps",
)  # fmt: skip


@dataclass(frozen=True)
class ModelConfig:
    """The content of our own `config.json`.

    Attributes:
        embedding_dim: d, the width of the vectors.
        max_length: the largest number of tokens in a text.
        backbone: the encoder's own configuration, with its `model_type`.
    """

    embedding_dim: int
    max_length: int
    backbone: dict[str, Any]

    @property
    def source(self) -> Path | None:
        """The folder that the encoder came from, which need not be here; None if it is not said."""
        found = self.backbone.get(SOURCE)
        return Path(found) if isinstance(found, str) and Path(found).is_absolute() else None


def read_config(path: Path) -> dict[str, Any]:
    """Read a configuration, which is a JSON object.

    Raises:
        BadInputError: the file is too large, not a regular file, or not a JSON object.
        FileNotFoundError: there is no file.
    """
    try:
        if check_regular(path).stat().st_size > _MOST_BYTES:
            raise BadInputError(f"{path}: is larger than {_MOST_BYTES:,} bytes; expected a config")
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, BadInputError):
            raise
        raise BadInputError(f"{path}: not JSON: {error}") from error
    if not isinstance(config, dict):
        raise BadInputError(f"{path}: is {_shown(config)}; expected a JSON object")
    return config


def is_ours(path: Path) -> bool:
    """Return whether a `config.json` is there and belongs to a model that stage2 wrote.

    Raises:
        BadInputError: it is damaged.
    """
    return path.exists() and read_config(path).get("model_type") == MODEL_TYPE


def read_model_config(path: Path) -> ModelConfig:
    """Read the `config.json` of a folder that stage2 wrote, without reading the weights.

    Raises:
        BadInputError: it belongs to another model, or an entry is missing or out of range.
    """
    config = read_config(path)
    if config.get("model_type") != MODEL_TYPE:
        raise BadInputError(
            f"{path}: not a {MODEL_TYPE} model (model_type is "
            f"{_shown(config.get('model_type'))}). To make one from a plain encoder: "
            f"stage2 init --backbone {path.parent}"
        )
    backbone = config.get("backbone")
    if not isinstance(backbone, dict):
        raise _wrong(path, "backbone", config, "an object, the encoder's configuration")
    _check_needed(path, backbone)
    return ModelConfig(
        _whole(path, "embedding_dim", config, 1, _MOST),
        _whole(path, "max_length", config, LEAST_LENGTH, _MOST),
        backbone,
    )


def checked_max_length(path: Path, config: Mapping[str, Any]) -> int:
    """Return the largest number of tokens in a text, from the metadata of a checkpoint.

    Raises:
        BadInputError: the number is missing or out of range.
    """
    return _whole(path, "max_length", config, LEAST_LENGTH, _MOST)


def check_encoder(path: Path, config: Mapping[str, Any], shapes: Shapes, inside: str = "") -> None:
    """Check the sizes in an encoder's configuration against bounds and against its weights.

    Args:
        path: the path of the file.
        config: the configuration of the encoder.
        shapes: the shapes of its weights.
        inside: the name of the entry in which `config` stands in the file, and a dot; empty if it
            is the whole file.

    Raises:
        BadInputError: an entry is out of range, or differs from the weights.
    """
    for name in (*_SIZES, *_LAYERS, *_COUNTS):
        if name in config:
            most = max(_FEW_LAYERS, len(shapes)) if name in _LAYERS else _MOST
            most = _MOST_LABELS if name == "num_labels" else most
            _check_whole(path, name, config, int(name not in _COUNTS), most, inside)
    for name in (name for name in _SHARES if name in config):
        _check_number(path, name, config, "a number from 0 to below 1", inside,
                      lambda value: 0 <= value < 1)  # fmt: skip
    for name in (name for name in _POSITIVE if name in config):
        _check_number(path, name, config, "a number above 0 and below 1", inside,
                      lambda value: 0 < value < 1)  # fmt: skip
    _check_heads_divide(path, config, inside)
    _check_activations(path, config, inside)
    _check_padding(path, config, inside)
    _check_nested(path, config, shapes, inside)
    for name, value, wanted in _from_weights(config, shapes):
        raise BadInputError(
            f"{path}: {inside}{name} is {value}, and the weights have {wanted}; expected the two "
            "to be equal. Take the config.json that these weights were saved with"
        )


def check_heads(path: Path, config: ModelConfig, shapes: Shapes) -> None:
    """Check the entries that only stage2 has against the weights.

    Raises:
        BadInputError: an entry differs from the weights.
    """
    head = shapes.get("semantic_head.2.weight")
    if head is not None and head[:1] != (config.embedding_dim,):
        raise BadInputError(
            f"{path}: embedding_dim is {config.embedding_dim}, and semantic_head.2.weight is "
            f"{head}; expected the two to be equal"
        )


def _from_weights(config: Mapping[str, Any], shapes: Shapes) -> Iterator[tuple[str, int, int]]:
    """Yield the entries that differ from the weights: name, value, and value in the weights."""
    for name, pattern, side in _IN_WEIGHTS:
        value = config.get(name)
        if not isinstance(value, int):
            continue
        sides = {shape[side] for key, shape in shapes.items() if re.search(pattern + "$", key)}
        if len(sides) == 1 and sides != {value}:
            yield name, value, sides.pop()
    layers = {int(found[1]) for key in shapes if (found := _LAYER.search(key))}
    value = config.get("num_hidden_layers")
    if layers and isinstance(value, int) and value != len(layers):
        yield "num_hidden_layers", value, len(layers)


def _check_needed(path: Path, backbone: Mapping[str, Any]) -> None:
    from transformers import CONFIG_MAPPING

    kind = backbone.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        raise _wrong(path, "model_type", backbone, "one that transformers knows", "backbone.")
    own = CONFIG_MAPPING[kind]
    known = own().to_dict()
    for name in _NEEDED:
        name = own.attribute_map.get(name, name)  # noqa: PLW2901  some classes use another name
        if name in known and name not in backbone:
            raise _wrong(path, name, backbone, "the encoder's own value", "backbone.")


def _check_heads_divide(path: Path, config: Mapping[str, Any], inside: str) -> None:
    for heads, width in _DIVIDED:
        parts, whole = config.get(heads), config.get(width)
        if not isinstance(parts, int) or not isinstance(whole, int) or config.get("head_dim"):
            continue
        if whole % parts:
            raise _wrong(path, heads, config, f"a divisor of {width}, {whole}", inside)


def _check_activations(path: Path, config: Mapping[str, Any], inside: str) -> None:
    from transformers.activations import ACT2FN

    for name in (name for name in _ACTIVATIONS if name in config):
        value = config[name]
        if not isinstance(value, str) or value not in ACT2FN:
            raise _wrong(path, name, config, "the name of an activation, such as gelu", inside)


def _check_padding(path: Path, config: Mapping[str, Any], inside: str) -> None:
    size = config.get("vocab_size")
    if config.get("pad_token_id") is not None:
        most = size - 1 if isinstance(size, int) else _MOST
        _check_whole(path, "pad_token_id", config, -1, most, inside)


def _check_nested(path: Path, config: Mapping[str, Any], shapes: Shapes, inside: str) -> None:
    """Check the parts of a configuration, such as text_config, where some encoders have sizes."""
    for name, value in config.items():
        if isinstance(value, dict) and name.endswith("config"):
            check_encoder(path, value, shapes, f"{inside}{name}.")
        if name in ("attn_implementation", "_attn_implementation") and "/" in str(value):
            raise _wrong(path, name, config, "none: it names a program on the hub", inside)


def _check_whole(
    path: Path, name: str, config: Mapping[str, Any], low: int, high: int, inside: str
) -> None:
    value = config[name]
    if value is None and name in _NO_NUMBER:
        return
    # Some encoders have a size for each of their layers.
    for one in value if isinstance(value, list) and value else [value]:
        _whole(path, name, {name: one}, low, high, inside)


def _whole(
    path: Path, name: str, config: Mapping[str, Any], low: int, high: int, inside: str = ""
) -> int:
    value = config.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _wrong(path, name, config, f"a whole number from {low} to {high}", inside)
    return value


def _check_number(
    path: Path, name: str, config: Mapping[str, Any], wanted: str, inside: str, fits: Any
) -> None:
    value = config[name]
    if value is None and name in _NO_NUMBER:
        return
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not fits(value):
        raise _wrong(path, name, config, wanted, inside)


def _wrong(
    path: Path,
    name: str,
    config: Mapping[str, Any],
    wanted: str,
    inside: str = "",
) -> BadInputError:
    said = f"is {_shown(config[name])}" if name in config else "is missing"
    return BadInputError(f"{path}: {inside}{name} {said}; expected {wanted}")


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
