"""ProbabilisticGBERTV4 as a family: folders that `stage2 init` wrote, and the reference's `.pt`."""

from __future__ import annotations

from pathlib import Path

from stage2.encoding.tokens import Reader
from stage2.models.gbert import checkpoint
from stage2.models.gbert.model import ProbabilisticGBERTV4
from stage2.models.model_config import CONFIG
from stage2.utils.errors import BadInputError


class GBERT:
    """See `models.family.Family`."""

    def holds(self, path: Path) -> bool:
        """A folder with a configuration, or a file of weights."""
        return (path / CONFIG).exists() or path.is_file()

    def load(
        self, path: Path, backbone: str | None, max_length: int | None
    ) -> ProbabilisticGBERTV4:
        """Read a folder, which knows its own limit, or a `.pt` over `backbone`."""
        if path.is_dir():
            return ProbabilisticGBERTV4.from_pretrained(path)
        if backbone is None:
            raise BadInputError(
                f"{path}: a .pt file holds weights only; name its encoder with --backbone DIR|ID"
            )
        return ProbabilisticGBERTV4.from_reference(path, backbone, max_length)

    def reader(self, path: Path) -> Reader:
        """As `Family` has it."""
        return checkpoint.read_reader(path)

    def embedding_dim(self, path: Path) -> int:
        """As `Family` has it."""
        return checkpoint.embedding_dim(path)

    def max_length(self, path: Path) -> int | None:
        """As `Family` has it: a folder is not asked."""
        return checkpoint.known_max_length(path) if path.is_file() else None

    def files(self, path: Path, backbone: str | None) -> dict[str, str]:
        """As `Family` has it: none of a `.pt` whose backbone has no folder."""
        return checkpoint.model_files(path, backbone)

    def weights(self, path: Path) -> Path:
        """As `Family` has it."""
        return path / checkpoint.WEIGHTS if path.is_dir() else path
