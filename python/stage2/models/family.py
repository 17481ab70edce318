"""A family of encoders answers these questions of its models: one door for every encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from stage2.encoding.encoder import Encoder
from stage2.encoding.tokens import Reader


class Family(Protocol):
    """A family of encoders, and how its models lie on disk.

    A path is that of a model: a run folder has been resolved to the model in it.
    """

    def holds(self, path: Path) -> bool:
        """Tell whether a path holds a model of the family; only names are looked at."""

    def load(self, path: Path, backbone: str | None, max_length: int | None) -> Encoder:
        """Read a model.

        Args:
            path: of a folder or of a file of weights.
            backbone: folder or hub id of the encoder, for a file that holds weights only.
            max_length: most tokens of a text, where the path does not say it.

        Raises:
            BadInputError: it is damaged, or does not fit; the message says what and where.
        """

    def reader(self, path: Path) -> Reader:
        """The tokenizer and the limit of a folder, without its weights."""

    def embedding_dim(self, path: Path) -> int:
        """The width of a model's vectors, read off its files."""

    def max_length(self, path: Path) -> int | None:
        """Most tokens of a text, as a file of weights says it; None where it does not."""

    def files(self, path: Path, backbone: str | None) -> dict[str, str]:
        """Hashes of all files that a model is read from; empty where some of them are not here."""

    def weights(self, path: Path) -> Path:
        """The file of a model's weights."""
