"""A transformer, a pooling and what follows it: the models that people already have.

D is the backbone's width, d the width of a text's vector, B texts in a batch, T tokens in its
longest text, E annotated entities in the batch.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stage2.encoding.encoder import Encoder, Pooled, Similarity
from stage2.encoding.tokens import Batch, Role
from stage2.models.sentence_transformers import layout
from stage2.models.sentence_transformers.pooling import pooled
from stage2.models.transformer_encoder import (
    TransformerEncoder,
    add_up,
    without_checkpointing,
)
from stage2.utils.model_lock import ModelLock

_TOKENS, _SENTENCE = "token_embeddings", "sentence_embedding"


@dataclass(frozen=True)
class Shape:
    """The way from the states of a backbone to a vector, beside the weights of the modules.

    Attributes:
        pooling: names of `pooling.POOLINGS`, whose vectors are put end to end.
        pools_prompt: whether the tokens of a prompt are pooled.
        similarity: what vectors are compared by.
        embedding_dim: d; a vector is cut to it where its modules give more.
    """

    pooling: Sequence[str]
    pools_prompt: bool
    similarity: Similarity
    embedding_dim: int


class SentenceEncoder(TransformerEncoder):
    """An encoder of the layout of sentence-transformers, or of Hugging Face's with a pooling.

    The transformer's forward pass is ours: batches by tokens, no padding, packed weights. The
    modules around the pooling are sentence-transformers' own.
    """

    def __init__(
        self,
        source: layout.Source,
        shape: Shape,
        prompts: Mapping[Role, str],
        max_lengths: Mapping[Role, int],
    ) -> None:
        """Take the parts of a model of sentence-transformers.

        Args:
            source: the model that the library has loaded, and what is needed to write it again.
            shape: what is done with the backbone's states.
            prompts: for each role.
            max_lengths: for each role.
        """
        super().__init__()
        without_checkpointing(source.backbone)
        self.backbone = source.backbone
        self.before = nn.ModuleList(source.before)
        self.after = nn.ModuleList(source.after)
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

    def forward(self, batch: Batch) -> Pooled:  # noqa: D102  as the encoder has it
        states, places = self.token_states(batch)
        for module in self.before:
            states = _through(module, states, _TOKENS)
        states = states.float()
        if places is not None:
            states = places.pad(states)
        mu = self._vectors(pooled(states, batch.pooled_mask, self.shape.pooling))
        ones = mu.new_ones(len(mu))
        row, inside = batch.entity_row, batch.entity_mask
        if not self.has_entities:
            row, inside = row[:0], inside[:0]
        entity_mu = self._vectors(_means(states, inside, row))
        count = torch.bincount(row, minlength=len(mu))
        entity = add_up(entity_mu, row, mu) / count.clamp_min(1).unsqueeze(-1)
        return Pooled(mu, entity, count > 0, ones, entity_mu, mu.new_ones(len(row)))

    @property
    def has_entities(self) -> bool:
        """Tell whether entities have vectors. They do if the pooling is a mean."""
        return list(self.shape.pooling) == ["mean"]

    def _vectors(self, vectors: Tensor) -> Tensor:
        """The vectors of texts or entities, float (n, d), of what the pooling gave."""
        for module in self.after:
            vectors = _through(module, vectors, _SENTENCE)
        vectors = vectors.float()[:, : self.embedding_dim]
        return F.normalize(vectors, dim=-1) if self.similarity == "cosine" else vectors

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the folder in the layout that it was read from, whole or not at all."""
        if self.source is None:
            raise RuntimeError("an encoder that was sent to another process cannot be written")
        layout.save(self.source, folder, self.prompts, self.max_lengths, self.saved_dtype)

    # The name that users of the library know.
    save_pretrained = save

    def bare(self) -> Encoder:
        """The same weights and layers without tokenizer and source, for another process."""
        found = super().bare()
        assert isinstance(found, SentenceEncoder)
        found.source = None
        return found

    def __deepcopy__(self, memo: dict[int, Any]) -> SentenceEncoder:
        """Copy the weights; what a model was read from is shared, and written from one of them."""
        memo[id(self.source)] = self.source
        found = self.__class__.__new__(self.__class__)
        memo[id(self)] = found
        found.__dict__.update(
            {name: copy.deepcopy(value, memo) for name, value in vars(self).items()}
        )
        return found


def _through(module: nn.Module, vectors: Tensor, name: str) -> Tensor:
    """Vectors after a module of sentence-transformers, in the precision of its weights."""
    weight = next(module.parameters(), None)
    given = vectors if weight is None else vectors.to(weight.dtype)
    found: Tensor = module({name: given})[name]
    return found


def _means(states: Tensor, mask: Tensor, row: Tensor) -> Tensor:
    """Means over the tokens of entities: float (E, D).

    Args:
        states: float (B, T, D).
        mask: bool (E, T), the tokens of each entity.
        row: int64 (E,), the text of each.
    """
    entity, place = mask.nonzero(as_tuple=True)
    values = states[row[entity], place]
    total = add_up(values, entity, values.new_zeros(len(row), states.shape[-1]))
    return total / mask.sum(dim=1, keepdim=True)
