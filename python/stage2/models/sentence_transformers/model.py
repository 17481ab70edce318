"""The models of sentence-transformers: a transformer, a pooling, and modules around the pooling.

D is the width of the backbone, and d is that of a text's vector. A batch has B texts with at most T
tokens each, and E annotated entities.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stage2.encoding.encoder import Encoder, Pooled
from stage2.encoding.tokens import Batch, Role
from stage2.encoding.vectors import Similarity
from stage2.models.sentence_transformers import layout
from stage2.models.sentence_transformers.pooling import pooled, weigh
from stage2.models.transformer_encoder import (
    TransformerEncoder,
    add_up,
    without_checkpointing,
)
from stage2.utils.model_lock import ModelLock

_TOKENS, _SENTENCE = "token_embeddings", "sentence_embedding"


@dataclass(frozen=True)
class Shape:
    """The settings that decide how the states of a backbone become a vector.

    Attributes:
        pooling: names in `pooling.POOLINGS`. The vectors of several poolings are concatenated.
        pools_prompt: whether the tokens of a prompt are pooled.
        similarity: the similarity by which vectors are compared.
        embedding_dim: d. If the modules give a longer vector, it is cut to this width.
    """

    pooling: Sequence[str]
    pools_prompt: bool
    similarity: Similarity
    embedding_dim: int


class SentenceEncoder(TransformerEncoder):
    """An encoder from a folder of sentence-transformers, or from one of Hugging Face and a pooling.

    stage2 computes the forward pass of the transformer, with batches by tokens, without padding and
    with packed weights. The modules around the pooling are those of sentence-transformers.
    """

    def __init__(
        self,
        source: layout.Source,
        shape: Shape,
        prompts: Mapping[Role, str],
        max_lengths: Mapping[Role, int],
    ) -> None:
        """Make an encoder from the parts of a model of sentence-transformers.

        Args:
            source: the model that the library has loaded. It is kept to write the model again.
            shape: the settings that decide how states become vectors.
            prompts: the prompt of each role that has one.
            max_lengths: the largest number of tokens in a text of each role.
        """
        super().__init__()
        without_checkpointing(source.backbone)
        self.backbone = source.backbone
        self.before = nn.ModuleList(source.before)
        self.after = nn.ModuleList(source.after)
        self.word_weights: Tensor | None
        self.register_buffer("word_weights", source.word_weights, persistent=False)
        self.source: layout.Source | None = source
        self.shape = shape
        self.tokenizer = source.tokenizer
        self.embedding_dim = shape.embedding_dim
        self.similarity = shape.similarity
        self.pools_prompt = shape.pools_prompt
        self.saved_dtype = source.dtype
        self.prompts = prompts
        self.max_lengths = max_lengths
        self.max_length = max(max_lengths.values())
        self.compiled = False
        self.guard = ModelLock()

    def forward(self, batch: Batch) -> Pooled:  # noqa: D102  see `Encoder.forward`
        states, places = self.token_states(batch)
        for module in self.before:
            states = _through(module, states, _TOKENS)
        states = states.float()
        if places is not None:
            states = places.pad(states)
        total = None
        if self.word_weights is not None:
            weights = self.word_weights.float()
            states, total = weigh(states, weights, batch.input_ids, batch.attention_mask)
        mu = self._vectors(pooled(states, batch.pooled_mask, self.shape.pooling, total))
        ones = mu.new_ones(len(mu))
        row, inside = batch.entity_row, batch.entity_mask
        if not self.has_entities:
            row, inside = row[:0], inside[:0]
        entity_mu = self._vectors(_means(states, inside, row))
        count = torch.bincount(row, minlength=len(mu))
        entity = add_up(entity_mu, row, mu) / count.clamp_min(1).unsqueeze(-1)
        return Pooled(
            mu, entity, count > 0, ones, entity_mu, mu.new_ones(len(row)), distance=self.distance
        )

    @property
    def why_no_entities(self) -> str | None:
        """See `Encoder`. Entities need a plain mean of tokens whose places are known."""
        if not getattr(self.backbone, "has_places", True):
            return "its tokenizer does not say where in a text a word stands"
        if list(self.shape.pooling) != ["mean"]:
            return "it pools its tokens otherwise than by their mean"
        return None if self.word_weights is None else "its words have weights"

    def _vectors(self, vectors: Tensor) -> Tensor:
        """Turn pooled vectors into the vectors of texts or entities: float (n, d)."""
        for module in self.after:
            vectors = _through(module, vectors, _SENTENCE)
        vectors = vectors.float()[:, : self.embedding_dim]
        return F.normalize(vectors, dim=-1) if self.similarity == "cosine" else vectors

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write a folder in the layout in which the model was read, whole or not at all."""
        if self.source is None:
            raise RuntimeError("an encoder that was sent to another process cannot be written")
        layout.save(self.source, folder, self.prompts, self.max_lengths, self.saved_dtype)

    # Users of the library know this name.
    save_pretrained = save

    def bare(self) -> Encoder:
        """Return the same weights and layers without tokenizer and source, for another process."""
        found = super().bare()
        assert isinstance(found, SentenceEncoder)
        found.source = None
        return found


def _through(module: nn.Module, vectors: Tensor, name: str) -> Tensor:
    """Apply a module of sentence-transformers to vectors, in the precision of its weights."""
    weight = next(module.parameters(), None)
    given = vectors if weight is None else vectors.to(weight.dtype)
    found: Tensor = module({name: given})[name]
    return found


def _means(states: Tensor, mask: Tensor, row: Tensor) -> Tensor:
    """Compute the means over the tokens of entities: float (E, D).

    Args:
        states: float (B, T, D).
        mask: bool (E, T), the tokens of each entity.
        row: int64 (E,), the text of each entity.
    """
    entity, place = mask.nonzero(as_tuple=True)
    values = states[row[entity], place]
    total = add_up(values, entity, values.new_zeros(len(row), states.shape[-1]))
    return total / mask.sum(dim=1, keepdim=True)
