"""The interface of a family of encoders, through which all models are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch

from stage2.config import Train
from stage2.encoding.encoder import Encoder
from stage2.encoding.tokens import Reader, Role
from stage2.encoding.vectors import Distance
from stage2.models.fidelity import Read


@dataclass(frozen=True)
class LoadOptions:
    """The options for loading a model. A family refuses the options that it does not support.

    Attributes:
        backbone: the folder or hub id of the encoder, for a file that holds only weights.
        max_length: the largest number of tokens in a text, for a file that holds only weights.
        pooling: the pooling of an encoder whose folder names none.
        prompts: the prompt of a role, in place of the model's own prompt.
        max_lengths: the largest number of tokens in a text of a role, in place of the model's own
            limit.
        saved_dtype: the dtype in which weights are written, in place of the one in which they were
            read.
        train: `query` gives the model an encoder of its own for documents, which is not trained.
    """

    backbone: str | None = None
    max_length: int | None = None
    pooling: str | None = None
    prompts: Mapping[Role, str] = field(default_factory=dict)
    max_lengths: Mapping[Role, int] = field(default_factory=dict)
    saved_dtype: torch.dtype | None = None
    train: Train = "both"


class Family(Protocol):
    """A family of encoders, with the layout of its models on disk.

    Every path is that of a model. A run folder was resolved to the model in it before.
    """

    def holds(self, path: Path) -> bool:
        """Return whether a path holds a model of the family, without reading weights."""

    def load(self, path: Path, options: LoadOptions) -> Encoder:
        """Read a model.

        Args:
            path: the path of a folder or of a file of weights.
            options: the options of the call.

        Raises:
            BadInputError: the model is damaged, or does not fit the options. The message says what
                is wrong, and where.
        """

    def reader(self, path: Path, options: LoadOptions) -> Reader:
        """Return the tokenizer, limits and prompts of a folder. Weights are read only if needed."""

    def embedding_dim(self, path: Path) -> int:
        """Return the width of a model's vectors, from its files."""

    def distance(self, path: Path) -> Distance | None:
        """Return the distance by which vectors are compared, or None for an inner product."""

    def max_length(self, path: Path) -> int | None:
        """Return the limit of tokens that a file of weights names, or None if it names none."""

    def files(self, path: Path, backbone: str | None) -> dict[str, str]:
        """Return the hashes of all files that a model is read from; empty if some are not here."""

    def backbone(self, path: Path, options: LoadOptions) -> Path | None:
        """Return the folder of the encoder that a model was made from.

        The folder need not be on this machine. None means that the model is itself what its user
        had, or that it does not say what it was made from.
        """

    def read_back(self, path: Path, options: LoadOptions) -> Read:
        """Return a function that embeds with the model in a folder, as users of the folder will."""

    def weights_hash(self, path: Path) -> str:
        """Return the SHA-256 of a model's weights and of all else that its vectors depend on."""
