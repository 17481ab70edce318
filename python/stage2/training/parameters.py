"""The parameters that are trained: all, all except a part, or low-rank updates of matrices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from torch import Tensor, nn

from stage2.config import TrainingConfig
from stage2.encoding.encoder import Encoder
from stage2.training.learnable import check_learnable
from stage2.utils.errors import BadInputError

# peft calls a wrapped matrix `base_layer`, and keeps the factors of its update beside it.
_BASE = ".base_layer"
# The matrix of an update that is multiplied last.
MATRIX = ".lora_B."
_FACTORS = (".lora_A.", MATRIX)
_ADAPTER = "default"


def check_trainable(settings: TrainingConfig) -> None:
    """Refuse settings under which nothing can be trained.

    Raises:
        BadInputError: `lora` is set, but peft is missing or the encoder is frozen; or no question
            has a negative.
    """
    check_learnable(settings)
    if settings.lora is None:
        return
    if settings.freeze == "backbone":
        raise BadInputError(
            "--lora trains updates of the encoder and --freeze backbone none of it; give one"
        )
    if find_spec("peft") is None:
        raise BadInputError("--lora needs the package peft: pip install stage2[lora]")


def check_rank(model: Encoder, rank: int) -> None:
    """Refuse low-rank updates of a rank that none of the encoder's matrices can have.

    Raises:
        BadInputError: the rank is above the smaller side of every matrix.
    """
    matrices = [part for part in model.backbone.modules() if type(part) is nn.Linear]
    most = max((min(part.in_features, part.out_features) for part in matrices), default=0)
    if rank > most:
        raise BadInputError(
            f"--lora is {rank}; expected a rank that this encoder's matrices can have, at most "
            f"{most}. Usual are 8 to 64"
        )


def check_freeze(model: Encoder, what: str) -> None:
    """Refuse to freeze all that a model has: not every model has weights beside its encoder.

    Args:
        model: the model.
        what: the setting `freeze`.

    Raises:
        BadInputError: no weight is left to train.
    """
    frozen = {
        id(weight)
        for module in (*_frozen(model, what), *_untrained(model))
        for weight in module.parameters()
    }
    if frozen.issuperset(map(id, model.parameters())):
        raise BadInputError(
            f"--freeze {what} leaves no weight of this model to train; expected one with modules "
            "that have weights after its encoder. Leave --freeze out"
        )


@contextmanager
def trainable(model: Encoder, settings: TrainingConfig) -> Iterator[list[nn.Parameter]]:
    """Freeze a part or add low-rank updates inside the context; yield the parameters to optimise.

    After the context the model has its own layers again, all of them trainable. Low-rank updates
    are removed and not added to the weights; use `plain_state` before to get trained weights.

    Args:
        model: the model.
        settings: the settings `freeze` and `lora` are used.
    """
    try:
        if settings.lora is not None:
            _add_lora(model, settings.lora)
        for module in (*_frozen(model, settings.freeze), *_untrained(model)):
            module.requires_grad_(False)
        yield [parameter for parameter in model.parameters() if parameter.requires_grad]
    finally:
        _remove_lora(model)
        model.requires_grad_(True)


def plain_state(model: Encoder) -> dict[str, Tensor]:
    """Return the weights with low-rank updates added, under the names of the plain model.

    The model does not change. If updates were added to its matrices and subtracted again, the last
    bits would change, and training would continue from other weights.
    """
    state = {
        plain: tensor.detach()
        for name, tensor in model.state_dict().items()
        if (plain := plain_name(name)) is not None
    }
    for name, module in _lora_layers(model):
        weight = f"{name}.weight"
        state[weight] = state[weight] + module.get_delta_weight(_ADAPTER).detach()
    return state


def plain_name(name: str) -> str | None:
    """Return the name that a weight has in the plain model; None for one of a low-rank update."""
    return None if any(factor in name for factor in _FACTORS) else name.replace(_BASE, "")


def _frozen(model: Encoder, what: str) -> list[nn.Module]:
    if what == "backbone":
        return [model.backbone]
    if what == "embeddings":
        # Most encoders have the positions, the types and their norm in this module too.
        return [getattr(model.backbone, "embeddings", model.backbone.get_input_embeddings())]
    return []


def _untrained(model: Encoder) -> list[nn.Module]:
    """Return the encoder of documents if it is another one than that of queries."""
    return [model.parts["document"]] if model.parts else []


def _add_lora(model: Encoder, rank: int) -> None:
    """Add an update to every linear layer of the encoder. The heads are trained as usual."""
    from peft import LoraConfig, inject_adapter_in_model

    matrices = [name for name, part in model.backbone.named_modules() if type(part) is nn.Linear]
    # The usual update is twice the product of its factors. B starts at 0, and so does the update.
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=matrices)
    inject_adapter_in_model(config, model.backbone, _ADAPTER)


def _remove_lora(model: Encoder) -> None:
    for name, module in _lora_layers(model):
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, module.base_layer)
    # With this attribute peft would warn when the next updates are added.
    vars(model.backbone).pop("peft_config", None)


def _lora_layers(model: Encoder) -> list[tuple[str, Any]]:
    return [(name, part) for name, part in model.named_modules() if hasattr(part, "lora_A")]
