"""The encoder that every room knows: whatever turns a batch of tokens into vectors."""

from __future__ import annotations

import copy
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from stage2.encoding.tokens import Batch, Reader, Role
from stage2.encoding.vectors import Vectors
from stage2.utils.model_lock import ModelLock
from stage2.utils.tensors import save_state_dict

Similarity = Literal["cosine", "dot"]


@dataclass(frozen=True)
class Pooled(Vectors[Tensor]):
    """The vectors of a batch of B texts, in torch.

    Attributes:
        mu: float (B, d), vector of a text, of unit length where it is compared by the cosine.
        entity: float (B, d), mean of the vectors of a text's entities, 0 where it has none.
        has_entity: bool (B,).
        kappa: float (B,), concentration of a text, at least 1; 1 of an encoder without any.
        entity_mu: float (E, d), vector of each entity, as long as that of a text.
        entity_kappa: float (E,), concentration of each entity.
    """

    kappa: Tensor
    entity_mu: Tensor
    entity_kappa: Tensor


@dataclass(frozen=True)
class Padding:
    """All that an encoder needs of its tokenizer where texts are tokens already."""

    pad_token_id: int | None


class Encoder(nn.Module, ABC):
    """A Hugging Face encoder, and how the vectors of its tokens become those of texts.

    A family of models is a class of this in `models/`; no other room knows which it is.

    Attributes:
        backbone: the encoder, of transformers.
        tokenizer: a fast tokenizer of transformers.
        embedding_dim: d, the width of the vectors.
        max_length: most tokens of a text, special tokens included.
        max_lengths: the same for a role whose limit is another.
        prompts: the words that the encoder reads before a text of each role.
        pools_prompt: whether the tokens of a prompt are part of a text's vector.
        similarity: what its vectors are compared by. Vectors that are compared by their cosine
            have unit length, so that either is the inner product.
        compiled: whether torch compiles the backbone where texts are embedded; no part of what is
            saved.
        guard: who works with the encoder now.
        saved_dtype: the type that its weights are written in; they are trained in float32.
    """

    backbone: Any
    tokenizer: Any
    embedding_dim: int
    max_length: int
    max_lengths: Mapping[Role, int] = MappingProxyType({})
    prompts: Mapping[Role, str] = MappingProxyType({})
    pools_prompt: bool = True
    similarity: Similarity = "cosine"
    compiled: bool
    guard: ModelLock
    saved_dtype: torch.dtype = torch.float32

    @property
    def has_entities(self) -> bool:
        """Tell whether the entities in a text have vectors of their own."""
        return True

    @abstractmethod
    def forward(self, batch: Batch) -> Pooled:
        """Embed a batch; differentiable in every output but `has_entity`."""

    @abstractmethod
    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the encoder to a folder, whole or not at all."""

    def save_weights(
        self, path: str | os.PathLike[str], weights: Mapping[str, Tensor] | None = None
    ) -> str:
        """Write weights of the encoder as a bare state_dict, on the CPU, whole or not at all.

        Where texts are cut stands in the same file, where torch does not look.

        Args:
            path: of the file.
            weights: by name; None: those that it has.

        Returns:
            SHA-256 of the file.
        """
        state = self.state_dict() if weights is None else weights
        return save_state_dict(state, path, {"max_length": self.max_length})

    @abstractmethod
    def hidden(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The backbone's last hidden states, float (B, T, D); the mask alone says what is padding.

        Args:
            input_ids: int64 (B, T).
            attention_mask: int64 (B, T), 1 on tokens, then 0 on padding.
        """

    @property
    @abstractmethod
    def first_padded_position(self) -> int | None:
        """Position of a text's first token, where the backbone must be told it; see `unpadded`."""

    @property
    @abstractmethod
    def first_position(self) -> int | None:
        """Position of a text's first token, where the backbone can do without padding."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where the weights are."""

    @property
    def vocabulary(self) -> int:
        """How many tokens the backbone has an embedding of."""
        rows: int = self.backbone.get_input_embeddings().num_embeddings
        return rows

    def bare(self) -> Encoder:
        """The same weights and layers without the tokenizer, to be sent to another process."""
        found = copy.copy(self)
        found.tokenizer = Padding(self.tokenizer.pad_token_id)
        return found


class LazyModel:
    """A model that is loaded when there is something to embed: the cache may have it all.

    Attributes:
        embedding_dim: d.
    """

    def __init__(
        self,
        load: Callable[[], Encoder],
        embedding_dim: int,
        read: Callable[[], Reader] | None = None,
    ) -> None:
        """Remember how to load it.

        Args:
            load: gives the model on its device.
            embedding_dim: d.
            read: gives its tokenizer and limit without its weights; default: the model.
        """
        self.embedding_dim = embedding_dim
        self._load = load
        self._read = read

    @cached_property
    def reader(self) -> Reader:
        """Its tokenizer and limit; the weights need not be read for that."""
        return self.model if self._read is None else self._read()

    @cached_property
    def model(self) -> Encoder:
        """The model, on its device."""
        return self._load()


def loaded(model: Encoder | LazyModel) -> Encoder:
    """The model, read from disk if it is not in memory yet."""
    return model.model if isinstance(model, LazyModel) else model
