"""The family of ProbabilisticGBERTV4: folders of `stage2 init`, and the reference's `.pt` files."""

from __future__ import annotations

from pathlib import Path

from stage2.encoding.tokens import Reader
from stage2.encoding.vectors import Distance
from stage2.models import hub
from stage2.models.family import LoadOptions
from stage2.models.fidelity import Read, reader_of
from stage2.models.gbert import checkpoint
from stage2.models.gbert.model import ProbabilisticGBERTV4
from stage2.models.model_config import CONFIG, is_ours, read_model_config
from stage2.utils.errors import BadInputError
from stage2.utils.files import sha256


class GBERT:
    """The family of ProbabilisticGBERTV4; see `models.family.Family`."""

    def holds(self, path: Path) -> bool:
        """Return whether a path is a file of weights, or a folder with such a configuration."""
        return path.is_file() or is_ours(path / CONFIG)

    def load(self, path: Path, options: LoadOptions) -> ProbabilisticGBERTV4:
        """Read a folder, which names its own limit, or a `.pt` with the encoder `backbone`."""
        _check(path, options)
        if path.is_dir():
            return ProbabilisticGBERTV4.from_pretrained(path)
        if options.backbone is None:
            raise BadInputError(
                f"{path}: a .pt file holds weights only; name its encoder with --backbone DIR|ID"
            )
        return ProbabilisticGBERTV4.from_reference(path, options.backbone, options.max_length)

    def reader(self, path: Path, options: LoadOptions) -> Reader:
        """Return the tokenizer and the limit, without reading the weights."""
        _check(path, options)
        return checkpoint.read_reader(path)

    def embedding_dim(self, path: Path) -> int:
        """Return the width of a model's vectors, from its files."""
        return checkpoint.embedding_dim(path)

    def distance(self, path: Path) -> Distance | None:  # noqa: ARG002  `Family` has the argument
        """Return None, because all are compared by their cosine."""
        return None

    def max_length(self, path: Path) -> int | None:
        """Return the limit of tokens that a file of weights names; None for a folder."""
        return checkpoint.known_max_length(path) if path.is_file() else None

    def files(self, path: Path, backbone: str | None) -> dict[str, str]:
        """Return the hashes of a model's files; empty for a `.pt` whose backbone has no folder."""
        return checkpoint.model_files(path, backbone)

    def backbone(self, path: Path, options: LoadOptions) -> Path | None:
        """Return the folder that the configuration names, or that of the encoder `backbone`."""
        if path.is_dir():
            return read_model_config(path / CONFIG).source
        return None if options.backbone is None else hub.folder_of(options.backbone, hub.BACKBONE)

    def read_back(self, path: Path, options: LoadOptions) -> Read:
        """Return a function that embeds with the model, read again."""
        return reader_of(self.load(path, options))

    def weights_hash(self, path: Path) -> str:
        """Return the SHA-256 of the file of weights."""
        return sha256(path / checkpoint.WEIGHTS if path.is_dir() else path)


def _check(path: Path, options: LoadOptions) -> None:
    """Refuse the options that this model does not support."""
    given = [f"--{role}-prompt" for role in options.prompts]
    given += [f"--{role}-max-length" for role in options.max_lengths]
    given += ["--pooling"] if options.pooling is not None else []
    given += ["--save-dtype"] if options.saved_dtype is not None else []
    given += ["--train query"] if options.train == "query" else []
    if given:
        raise BadInputError(
            f"{path}: a {ProbabilisticGBERTV4.__name__} has its own pooling, one limit and one "
            f"encoder for all texts, no prompts, and weights in float32; "
            f"leave {', '.join(given)} out"
        )
