"""The base class of all encoders, which turn a batch of tokens into vectors."""

from __future__ import annotations

import copy
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from stage2.encoding.tokens import Batch, Reader, Role
from stage2.encoding.vectors import Distance, Similarity, Vectors, distance_of
from stage2.utils.model_lock import ModelLock
from stage2.utils.tensors import save_state_dict


@dataclass(frozen=True)
class Pooled(Vectors[Tensor]):
    """The vectors of a batch of B texts, in torch.

    Attributes:
        mu: float (B, d), the vector of each text, of unit length if the encoder compares by the
            cosine.
        entity: float (B, d), the mean of the vectors of a text's entities; 0 without any.
        has_entity: bool (B,), whether a text has a vector of its entities.
        kappa: float (B,), the concentration of each text, at least 1. It is 1 if the encoder has no
            concentrations.
        entity_mu: float (E, d), the vector of each entity, scaled like that of a text.
        entity_kappa: float (E,), the concentration of each entity.
    """

    kappa: Tensor
    entity_mu: Tensor
    entity_kappa: Tensor


@dataclass(frozen=True)
class Padding:
    """The part of a tokenizer that an encoder needs for texts that are tokenised already."""

    pad_token_id: int | None


class Encoder(nn.Module, ABC):
    """A Hugging Face encoder, with the steps from the vectors of tokens to those of texts.

    Each family of models has a subclass in `models/`. Other packages do not depend on subclasses.

    Attributes:
        backbone: the encoder, a model of transformers.
        tokenizer: a fast tokenizer of transformers.
        embedding_dim: d, the width of the vectors.
        max_length: the largest number of tokens in a text, special tokens included.
        max_lengths: the same number for each role that has a limit of its own.
        prompts: the words that the encoder reads before a text of each role.
        pools_prompt: whether the tokens of a prompt are part of a text's vector.
        similarity: the similarity by which its vectors are compared. Vectors that are compared by
            the cosine have unit length.
        compiled: whether torch compiles the backbone for embedding. It is not saved.
        guard: the lock for threads that use the encoder.
        saved_dtype: the dtype in which its weights are written. They are trained in float32.
        keeps_bare_weights: whether the models of epochs stay bare state_dicts when training has
            ended, as in the reference. Else they are written as `save` writes a model.
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
    keeps_bare_weights: bool = False

    @property
    def parts(self) -> Mapping[Role, Encoder]:
        """The encoder of each role, if queries and documents have encoders of their own.

        Then that of documents is never trained, and `backbone` is that of queries.
        """
        return MappingProxyType({})

    @property
    def encoders(self) -> tuple[Encoder, ...]:
        """The encoders that have a backbone: the parts, or else the encoder itself."""
        return tuple(self.parts.values()) or (self,)

    @property
    def distance(self) -> Distance | None:
        """The distance by which its vectors are compared; None means by inner product."""
        return distance_of(self.similarity)

    @property
    def has_entities(self) -> bool:
        """Whether the entities in a text have vectors of their own."""
        return self.why_no_entities is None

    @property
    def why_no_entities(self) -> str | None:
        """The reason why entities have no vectors, as a clause about the model; None if they do."""
        return None

    @abstractmethod
    def forward(self, batch: Batch) -> Pooled:
        """Embed a batch. All outputs except `has_entity` are differentiable."""

    @abstractmethod
    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the encoder to a folder, whole or not at all."""

    def save_weights(
        self, path: str | os.PathLike[str], weights: Mapping[str, Tensor] | None = None
    ) -> str:
        """Write weights of the encoder as a bare state_dict, on the CPU, whole or not at all.

        The largest number of tokens in a text is saved in the same file, in a place that torch
        ignores.

        Args:
            path: the path of the file.
            weights: the weights by name; None means those of the encoder.

        Returns:
            The SHA-256 of the file.
        """
        state = self.state_dict() if weights is None else weights
        return save_state_dict(state, path, {"max_length": self.max_length})

    @abstractmethod
    def hidden(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Compute the last hidden states of padded texts. Only the mask says what is padding.

        Args:
            input_ids: int64 (B, T).
            attention_mask: int64 (B, T), 1 for tokens, then 0 for padding.

        Returns:
            float (B, T, D).
        """

    @property
    @abstractmethod
    def first_padded_position(self) -> int | None:
        """The first token's position if the backbone must be given it, else None."""

    @property
    @abstractmethod
    def first_position(self) -> int | None:
        """The first token's position if the backbone can do without padding, else None."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """The device of the weights."""

    @property
    def vocabulary(self) -> int:
        """The number of tokens for which the backbone has an embedding."""
        rows: int = self.backbone.get_input_embeddings().num_embeddings
        return rows

    def bare(self) -> Encoder:
        """Return the same weights and layers without the tokenizer, for another process."""
        found = copy.copy(self)
        found.tokenizer = Padding(self.tokenizer.pad_token_id)
        return found


class LazyModel:
    """A model that is loaded only if there is something to embed: the cache may have all vectors.

    Attributes:
        embedding_dim: d, the width of the vectors.
        distance: as in `Encoder`.
    """

    def __init__(
        self,
        load: Callable[[], Encoder],
        embedding_dim: int,
        read: Callable[[], Reader] | None = None,
        distance: Distance | None = None,
    ) -> None:
        """Keep the functions that load the model.

        Args:
            load: a function that returns the model on its device.
            embedding_dim: d, the width of the vectors.
            read: a function that returns the tokenizer and limit of the model without its weights.
                None means that the model itself is loaded for them.
            distance: as in `Encoder`.
        """
        self.embedding_dim = embedding_dim
        self.distance = distance
        self._load = load
        self._read = read

    @cached_property
    def reader(self) -> Reader:
        """The tokenizer and limit of the model, which may be read without its weights."""
        return self.model if self._read is None else self._read()

    @cached_property
    def model(self) -> Encoder:
        """The model, on its device."""
        return self._load()


def loaded(model: Encoder | LazyModel) -> Encoder:
    """Return the model. It is read from disk if it is not in memory yet."""
    return model.model if isinstance(model, LazyModel) else model
