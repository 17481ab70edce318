"""What of a model is trained: all of it, all but a part, or low-rank updates of its matrices."""

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

# peft's names: a wrapped matrix is `base_layer`, the factors of its update lie beside it.
_BASE = ".base_layer"
_FACTORS = (".lora_A.", ".lora_B.")
_ADAPTER = "default"


def check_trainable(settings: TrainingConfig) -> None:
    """Refuse, before anything is written, what cannot be trained.

    Raises:
        BadInputError: --lora without peft, or with an encoder that is frozen; a loss under which
            no question has a negative.
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
    """Refuse low-rank updates of more than the rank that the encoder's matrices have.

    Raises:
        BadInputError: the rank is above the smaller side of every one of them.
    """
    matrices = [part for part in model.backbone.modules() if type(part) is nn.Linear]
    most = max((min(part.in_features, part.out_features) for part in matrices), default=0)
    if rank > most:
        raise BadInputError(
            f"--lora is {rank}; expected a rank that this encoder's matrices can have, at most "
            f"{most}. Usual are 8 to 64"
        )


@contextmanager
def trainable(model: Encoder, settings: TrainingConfig) -> Iterator[list[nn.Parameter]]:
    """Prepare a model for training as --freeze and --lora say; yields what an optimiser moves.

    Afterwards the model has the layers that it came with, all of them trainable, and of low-rank
    updates nothing is left: what was trained is in `plain_state`, and in files.
    """
    try:
        if settings.lora is not None:
            _add_lora(model, settings.lora)
        for module in _frozen(model, settings.freeze):
            module.requires_grad_(False)
        yield [parameter for parameter in model.parameters() if parameter.requires_grad]
    finally:
        _remove_lora(model)
        model.requires_grad_(True)


def plain_state(model: Encoder) -> dict[str, Tensor]:
    """The weights under the names of a model without low-rank updates, which are added in.

    The model is left as it is: adding an update to a matrix and taking it off again would change
    its last bits, and training would go on from other weights than it had.
    """
    state = {
        name.replace(_BASE, ""): tensor.detach()
        for name, tensor in model.state_dict().items()
        if not any(factor in name for factor in _FACTORS)
    }
    for name, module in _lora_layers(model):
        weight = f"{name}.weight"
        state[weight] = state[weight] + module.get_delta_weight(_ADAPTER).detach()
    return state


def _frozen(model: Encoder, what: str) -> list[nn.Module]:
    if what == "backbone":
        return [model.backbone]
    if what == "embeddings":
        # Positions, types and their norm too, where the encoder has them in one place.
        return [getattr(model.backbone, "embeddings", model.backbone.get_input_embeddings())]
    return []


def _add_lora(model: Encoder, rank: int) -> None:
    """Wrap every matrix of the encoder but its embeddings; the heads are trained as they are."""
    from peft import LoraConfig, inject_adapter_in_model

    matrices = [name for name, part in model.backbone.named_modules() if type(part) is nn.Linear]
    # An update twice its factors' product is the usual scale. B starts at 0, and so does it.
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=matrices)
    inject_adapter_in_model(config, model.backbone, _ADAPTER)


def _remove_lora(model: Encoder) -> None:
    for name, module in _lora_layers(model):
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, module.base_layer)
    # What peft notes of its updates, and would warn of when the next are added.
    vars(model.backbone).pop("peft_config", None)


def _lora_layers(model: Encoder) -> list[tuple[str, Any]]:
    return [(name, part) for name, part in model.named_modules() if hasattr(part, "lora_A")]
