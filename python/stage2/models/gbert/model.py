"""ProbabilisticGBERTV4: a Hugging Face encoder and three token-level heads.

D is the width of the backbone, and d is the embedding dimension. A batch has B texts with at most T
tokens each, and E annotated entities.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional as F

from stage2.encoding.embeddings import Embeddings
from stage2.encoding.encode import EntityTargets, encode
from stage2.encoding.encoder import Pooled
from stage2.encoding.tokens import Batch
from stage2.models import hub
from stage2.models.gbert import checkpoint
from stage2.models.model_check import check_model
from stage2.models.model_config import (
    CONFIG,
    LEAST_LENGTH,
    ModelConfig,
    check_encoder,
    check_heads,
    read_model_config,
)
from stage2.models.model_path import model_in
from stage2.models.transformer_encoder import (
    TransformerEncoder,
    add_up,
    without_checkpointing,
)
from stage2.presets import REFERENCE_LENGTH
from stage2.utils.errors import BadInputError
from stage2.utils.model_lock import ModelLock
from stage2.utils.tensors import Shapes, check_finite, read_safetensors, read_state_dict, shapes_of

logger = logging.getLogger(__name__)

HEAD_WIDTH = 256
AUX_WIDTH = 128
AUX_CLASSES = 28
KAPPA_SCALE = 50.0
EMBEDDING_DIM = 64
MAX_LENGTH = REFERENCE_LENGTH

# A message names so many problems of weights, and counts the others.
_SHOWN = 4


class ProbabilisticGBERTV4(TransformerEncoder):
    """A backbone whose tokens are projected to d dimensions and pooled by text and by entity.

    μ and κ are the mean direction and the concentration of a von Mises-Fisher distribution on the
    unit sphere.
    """

    keeps_bare_weights = True

    def __init__(
        self,
        backbone: Any,
        tokenizer: Any,
        embedding_dim: int = EMBEDDING_DIM,
        max_length: int = MAX_LENGTH,
    ) -> None:
        super().__init__()
        width = backbone.config.hidden_size
        without_checkpointing(backbone)
        self.backbone = backbone
        self.semantic_head = nn.Sequential(
            nn.Linear(width, HEAD_WIDTH), nn.GELU(), nn.Linear(HEAD_WIDTH, embedding_dim)
        )
        self.energy_proj = nn.Linear(width, 1)
        self.aux_head = nn.Sequential(
            nn.Linear(embedding_dim, AUX_WIDTH), nn.GELU(), nn.Linear(AUX_WIDTH, AUX_CLASSES)
        )
        self.tokenizer = tokenizer
        self.embedding_dim = embedding_dim
        self.max_length = max_length
        self.compiled = False
        self.guard = ModelLock()

    def forward(self, batch: Batch) -> Pooled:  # noqa: D102  see `Encoder.forward`
        inside = batch.attention_mask.bool()
        hidden, layout = self.token_states(batch)
        vectors = self.semantic_head(hidden).float()
        energy = F.softplus(self.energy_proj(hidden).squeeze(-1)).float()
        if layout is not None:
            vectors, energy = layout.pad(vectors), layout.pad(energy)

        mu, kappa = pool(vectors, energy, inside)
        row = batch.entity_row
        entity_mu, entity_kappa = pool(vectors[row], energy[row], batch.entity_mask)
        count = torch.bincount(row, minlength=len(mu))
        total = add_up(entity_mu, row, mu)
        entity = total / count.clamp_min(1).unsqueeze(-1)
        return Pooled(mu, entity, count > 0, kappa, entity_mu, entity_kappa)

    def auxiliary(self, mu: Tensor) -> Tensor:
        """Return the logits of the auxiliary classes, float (B, 28), from μ, float (B, d)."""
        logits: Tensor = self.aux_head(mu)
        return logits

    def encode(
        self,
        texts: Sequence[str],
        entities: Sequence[EntityTargets] | None = None,
        precision: str = "auto",
        batch_tokens: int | None = None,
    ) -> Embeddings:
        """Embed texts, and their entities if given; see `stage2.encoding.encode.encode`."""
        return encode(self, texts, entities, precision=precision, batch_tokens=batch_tokens)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write `config.json`, `model.safetensors` and the tokenizer, whole or not at all."""
        checkpoint.save_folder(self, folder)

    # Users of transformers know this name for the counterpart of `from_pretrained`.
    save_pretrained = save

    def save_reference(self, path: str | os.PathLike[str]) -> None:
        """Write a bare `state_dict`, as in the `.pt` files of the reference."""
        self.save_weights(path)

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike[str]) -> ProbabilisticGBERTV4:
        """Read a folder that `save` or `stage2 init` wrote, or the model in a run folder.

        Raises:
            BadInputError: stage2 did not write the folder, its weights do not fit or are not
                finite, or the model cannot embed a text.
        """
        root = model_in(folder)
        if not (root / CONFIG).exists():
            raise BadInputError(
                f"{root}: no {CONFIG} there; expected a folder that stage2 init wrote"
            )
        hub.check_folder(root, "model")
        config = read_model_config(root / CONFIG)
        if not (root / checkpoint.WEIGHTS).exists():
            raise BadInputError(
                f"{root / checkpoint.WEIGHTS}: no such file; {CONFIG} beside it says it is there"
            )
        shapes = shapes_of([root / checkpoint.WEIGHTS])
        check_heads(root / CONFIG, config, shapes)
        check_encoder(root / CONFIG, config.backbone, shapes, "backbone.")
        backbone = hub.config_of(config.backbone, root / CONFIG, "model")
        tokenizer = hub.load_tokenizer(root, "model")
        _check_fit(backbone, config, shapes, root / checkpoint.WEIGHTS, root / CONFIG)
        model = _build(backbone, tokenizer, config.embedding_dim, config.max_length)
        longest = hub.longest_input(model.backbone, tokenizer)
        if config.max_length > longest:
            raise BadInputError(
                f"{root / CONFIG}: max_length is {config.max_length}; expected a whole number from "
                f"{LEAST_LENGTH} to {longest}, which is all that its encoder takes"
            )
        return _ready(model, read_safetensors(root / checkpoint.WEIGHTS), root / checkpoint.WEIGHTS)

    @classmethod
    def from_reference(
        cls,
        path: str | os.PathLike[str],
        backbone: str | os.PathLike[str],
        max_length: int | None = None,
    ) -> ProbabilisticGBERTV4:
        """Read a file of `torch.save(model.state_dict())`, without running any code in it.

        All weights come from the `.pt` file. Only the configuration and the tokenizer of the
        backbone are read.

        Args:
            path: the path of the file.
            backbone: the folder or hub id of its encoder.
            max_length: the largest number of tokens in a text. None means the number in the file,
                or, if stage2 did not write the file, 128, which is logged. It is lowered to what
                the encoder takes.

        Raises:
            BadInputError: it is not such a file, it would run code, its keys or shapes do not fit
                the backbone, or its values are not finite. The message names them.
        """
        state = read_state_dict(path)
        head = state.get(checkpoint.HEAD)
        if head is None or head.dim() != 2:
            raise BadInputError(f"{path}: no {checkpoint.HEAD} of shape (d, 256) in it")
        known = checkpoint.known_max_length(path)
        limit = max_length or known or MAX_LENGTH
        if limit < LEAST_LENGTH:
            raise BadInputError(f"max length {limit}; expected at least {LEAST_LENGTH}")
        shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
        folder = hub.folder_of(backbone, hub.BACKBONE)
        # Without shapes only bounds are checked. Whether the weights fit is checked below.
        config = hub.load_config(folder, hub.BACKBONE, {})
        hub.set_source(config, folder)
        tokenizer = hub.load_tokenizer(folder, hub.BACKBONE)
        ours = ModelConfig(head.shape[0], limit, {})
        _check_fit(config, ours, shapes, path, folder / CONFIG)
        model = _build(config, tokenizer, head.shape[0], limit)
        model.max_length = min(limit, hub.longest_input(model.backbone, tokenizer))
        model = _ready(model, state, path)
        if max_length is None and known is None:
            logger.info(
                "%s: does not say where texts are to be cut: at %d tokens (another: --max-length)",
                path, model.max_length,
            )  # fmt: skip
        return model


def pool(vectors: Tensor, energy: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Pool tokens into mean directions and concentrations.

    Args:
        vectors: float (n, T, d).
        energy: float (n, T), at least 0.
        mask: bool (n, T), the tokens that count; at least one in each row.

    Returns:
        μ, float (n, d), the mean of the vectors, scaled to unit length; and κ, float (n,),
        1 + 50 · the largest energy.
    """
    weights = mask.to(vectors.dtype).unsqueeze(-1)
    mean = (vectors * weights).sum(dim=1) / weights.sum(dim=1)
    peak = energy.masked_fill(~mask, 0).amax(dim=1) if len(energy) else energy.new_zeros(0)
    return F.normalize(mean, dim=-1), 1 + KAPPA_SCALE * peak


def _build(
    config: Any, tokenizer: Any, embedding_dim: int, max_length: int
) -> ProbabilisticGBERTV4:
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
    """Refuse weights that do not fit, before memory is requested.

    The message names the keys and shapes that are wrong.
    """
    try:
        with torch.device("meta"):
            sketch = _build(backbone, None, config.embedding_dim, config.max_length)
    except Exception as error:  # The errors that bad entries cause have no common class.
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
    """Load weights, whose names and shapes fit, into a model, and check the model."""
    expected = model.state_dict()
    for name, tensor in state.items():
        if name in expected and tensor.is_floating_point() != expected[name].is_floating_point():
            raise BadInputError(
                f"{path}: {name} is of {str(tensor.dtype).removeprefix('torch.')}; expected "
                "numbers with fractions, as they were trained"
            )
    check_finite(state, path)
    model.load_state_dict(state, strict=False)
    check_model(model, path)
    return model
