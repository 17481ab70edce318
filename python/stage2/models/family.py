"""A family of encoders answers these questions of its models: one door for every encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch

from stage2.encoding.encoder import Encoder
from stage2.encoding.tokens import Reader, Role
from stage2.models.fidelity import Read


@dataclass(frozen=True)
class LoadOptions:
    """The options for loading a model. A family refuses an option that it has no place for.

    Attributes:
        backbone: folder or hub id of the encoder, for a file that holds weights only.
        max_length: most tokens of a text, where the path does not say it.
        pooling: for an encoder whose folder names none.
        prompts: of roles whose own prompt is not to be read.
        max_lengths: most tokens of a text of a role, in place of the model's own limit.
        saved_dtype: the type to write weights in, in place of the one that they came in.
    """

    backbone: str | None = None
    max_length: int | None = None
    pooling: str | None = None
    prompts: Mapping[Role, str] = field(default_factory=dict)
    max_lengths: Mapping[Role, int] = field(default_factory=dict)
    saved_dtype: torch.dtype | None = None


class Family(Protocol):
    """A family of encoders, and how its models lie on disk.

    A path is that of a model: a run folder has been resolved to the model in it.
    """

    def holds(self, path: Path) -> bool:
        """Tell whether a path holds a model of the family; only names are looked at."""

    def load(self, path: Path, options: LoadOptions) -> Encoder:
        """Read a model.

        Args:
            path: of a folder or of a file of weights.
            options: what the call says beside it.

        Raises:
            BadInputError: it is damaged, or does not fit; the message says what and where.
        """

    def reader(self, path: Path, options: LoadOptions) -> Reader:
        """The tokenizer, limits and prompts of a folder; its weights are read only if need be."""

    def embedding_dim(self, path: Path) -> int:
        """The width of a model's vectors, read off its files."""

    def max_length(self, path: Path) -> int | None:
        """Most tokens of a text, as a file of weights says it; None where it does not."""

    def files(self, path: Path, backbone: str | None) -> dict[str, str]:
        """Hashes of all files that a model is read from; empty where some of them are not here."""

    def read_back(self, path: Path, options: LoadOptions) -> Read:
        """A function that embeds by what was written to a folder, as its users will."""

    def weights_hash(self, path: Path) -> str:
        """SHA-256 of a model's weights, and of what else its vectors depend on."""
