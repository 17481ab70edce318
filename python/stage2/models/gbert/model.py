"""ProbabilisticGBERTV4: a Hugging Face encoder and three token-level heads.

D is the backbone's width, d the embedding dimension, B texts in a batch, T tokens in its longest
text, E annotated entities in the batch.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stage2.encoding.embeddings import Embeddings
from stage2.encoding.encode import EntityTargets, encode
from stage2.encoding.kernels import unpadded
from stage2.encoding.tokens import Batch
from stage2.models.gbert import checkpoint
from stage2.utils.guard import Guard

HEAD_WIDTH = 256
AUX_WIDTH = 128
AUX_CLASSES = 28
KAPPA_SCALE = 50.0
EMBEDDING_DIM = 64
MAX_LENGTH = 128


@dataclass(frozen=True)
class Pooled:
    """What similarity needs of a batch of texts.

    Attributes:
        mu: float (B, d), mean direction of a text, unit length.
        kappa: float (B,), concentration of a text, at least 1.
        entity: float (B, d), mean of the unit vectors of a text's entities, 0 where it has none.
        has_entity: bool (B,).
        entity_mu: float (E, d), mean direction of each entity, unit length.
        entity_kappa: float (E,), concentration of each entity.
    """

    mu: Tensor
    kappa: Tensor
    entity: Tensor
    has_entity: Tensor
    entity_mu: Tensor
    entity_kappa: Tensor


class ProbabilisticGBERTV4(nn.Module):
    """A backbone whose tokens are projected to d dimensions and pooled by text and by entity.

    μ and κ are the mean direction and the concentration of a von Mises-Fisher distribution on the
    unit sphere.
    """

    def __init__(
        self,
        backbone: Any,
        tokenizer: Any,
        embedding_dim: int = EMBEDDING_DIM,
        max_length: int = MAX_LENGTH,
    ) -> None:
        super().__init__()
        width = backbone.config.hidden_size
        for module in backbone.modules():
            # What it computes again would have another dropout; --micro-batch bounds memory too.
            # The attribute has kept its name over versions, the method that sets it has not.
            if getattr(module, "gradient_checkpointing", False):
                module.gradient_checkpointing = False
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
        # Whether torch compiles the backbone where texts are embedded; no part of what is saved.
        self.compiled = False
        self.guard = Guard()

    def forward(self, batch: Batch) -> Pooled:
        """Embed a batch; differentiable in every output but `has_entity`."""
        ids, mask = batch.input_ids, batch.attention_mask
        inside, layout = mask.bool(), None
        if self.backbone.config._attn_implementation == unpadded.NAME:
            layout = unpadded.Layout.of(mask)
            hidden = unpadded.hidden_states(self.backbone, ids, layout, self.first_position or 0)
        else:
            hidden = self.hidden(ids, mask)
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
        return Pooled(mu, kappa, entity, count > 0, entity_mu, entity_kappa)

    def hidden(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The backbone's last hidden states, float (B, T, D); the mask alone says what is padding.

        Args:
            input_ids: int64 (B, T).
            attention_mask: int64 (B, T), 1 on tokens, then 0 on padding.
        """
        found: Tensor = unpadded.padded_hidden_states(
            self.backbone, input_ids, attention_mask, self.first_padded_position
        )
        return found

    @cached_property
    def first_padded_position(self) -> int | None:
        """Of a text's first token, where the backbone must be told it; see `unpadded`."""
        return unpadded.first_padded_position(self.backbone)

    @cached_property
    def first_position(self) -> int | None:
        """Of a text's first token, where the backbone can do without padding."""
        return unpadded.first_position(self.backbone)

    def auxiliary(self, mu: Tensor) -> Tensor:
        """Logits of the auxiliary classes: float (B, d) → (B, 28)."""
        logits: Tensor = self.aux_head(mu)
        return logits

    @property
    def vocabulary(self) -> int:
        """How many tokens the backbone has an embedding of."""
        rows: int = self.backbone.get_input_embeddings().num_embeddings
        return rows

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.energy_proj.weight.device

    def encode(
        self,
        texts: Sequence[str],
        entities: Sequence[EntityTargets] | None = None,
        precision: str = "auto",
        batch_tokens: int | None = None,
    ) -> Embeddings:
        """Embed texts, and their entities where given; see `stage2.encoding.encode.encode`."""
        return encode(self, texts, entities, precision=precision, batch_tokens=batch_tokens)

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write `config.json`, `model.safetensors` and the tokenizer, whole or not at all."""
        checkpoint.save_pretrained(self, folder)

    def save_reference(self, path: str | os.PathLike[str]) -> None:
        """Write the bare `state_dict` of the reference's `.pt` files."""
        checkpoint.save_reference(self, path)

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike[str]) -> ProbabilisticGBERTV4:
        """Read a folder that `save_pretrained` or `stage2 init` wrote, or a run folder's model."""
        return checkpoint.from_pretrained(folder)

    @classmethod
    def from_reference(
        cls,
        path: str | os.PathLike[str],
        backbone: str | os.PathLike[str],
        max_length: int | None = None,
    ) -> ProbabilisticGBERTV4:
        """Read a reference `.pt`; `backbone` names the encoder's folder or hub id.

        The weights all come from the `.pt`; of the backbone only its configuration and its
        tokenizer are read. No code in the file is run. Texts are cut at `max_length` tokens;
        default: where the training that wrote the file cut them, else at 128.
        """
        return checkpoint.from_reference(path, backbone, max_length)


def add_up(values: Tensor, row: Tensor, like: Tensor) -> Tensor:
    """Sums of the values, float (E, d), of each row, int64 (E,), in the shape of `like`, (B, d).

    On a CPU and on a card in the order of the values: a card's `index_add` has none, and so
    another sum each time.
    """
    zeros = torch.zeros_like(like)
    if values.device.type == "cuda":
        return zeros.index_put((row,), values, accumulate=True)
    return zeros.index_add(0, row, values)


def pool(vectors: Tensor, energy: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Pool tokens into mean directions and concentrations.

    Args:
        vectors: float (n, T, d).
        energy: float (n, T), at least 0.
        mask: bool (n, T), the tokens that count; at least one in each row.

    Returns:
        μ, float (n, d), the mean of the vectors, scaled to unit length; and κ, float (n,),
        1 + 50 · the greatest energy.
    """
    weights = mask.to(vectors.dtype).unsqueeze(-1)
    mean = (vectors * weights).sum(dim=1) / weights.sum(dim=1)
    peak = energy.masked_fill(~mask, 0).amax(dim=1) if len(energy) else energy.new_zeros(0)
    return F.normalize(mean, dim=-1), 1 + KAPPA_SCALE * peak
