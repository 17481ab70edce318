"""What is read from files, and what is wrong with it."""

from collections.abc import Sequence
from typing import SupportsIndex, final, overload

from stage2._core._types import Ints, OnError, Path

class InputError(ValueError):
    """What a file holds is wrong: `FILE:LINE:COLUMN: what is wrong; what was expected; …`.

    Of a table in memory it is `TABLE, row ROW: what is wrong; …`.

    Attributes:
        file: the path as it was given.
        line: from 1; of a table in memory the row, from 0.
        column: in code points, from 1; 0 of a table in memory.
        reason: the kind of error, as in `rejected_counts`; e.g. `truncated_json`.
    """

    file: str
    line: int
    column: int
    reason: str

@final
class Rejected:
    """A row that was left out."""

    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int:
        """From 1."""
    @property
    def column(self) -> int:
        """In code points, from 1."""
    @property
    def reason(self) -> str:
        """The kind of error, e.g. `unknown_chunk`."""
    @property
    def message(self) -> str:
        """What is wrong and what was expected."""
    @property
    def row(self) -> str:
        """The row as it stands in the file; what is not UTF-8 is replaced."""

class Loaded:
    """What was read from files, with what was found wrong in them.

    Under `on_error="strict"` the first bad row is an InputError. Under `"skip"` bad rows are left
    out and told here; a file that is empty, damaged as an archive, or without a single good row is
    an InputError all the same.
    """

    @property
    def rejected(self) -> list[Rejected]:
        """The rows left out, file by file, each file's in its order."""
    @property
    def rejected_counts(self) -> dict[str, int]:
        """How many rows were left out, by reason."""
    @property
    def warnings(self) -> list[str]:
        """What was accepted but is worth a look."""
    def write_rejected(self, path: Path) -> None:
        """Write the rows left out as JSONL: file, line, column, reason, message, row."""

@final
class TextColumn(Sequence[str]):
    """Texts that are decoded when they are asked for."""

    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, index: SupportsIndex) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def take(self, indices: Ints) -> list[str]:
        """Give the texts at `indices`, int64 (n,); negative ones count from the end."""

def load_chunks(
    path: Path, on_error: OnError = "strict", max_decompressed: int | None = None
) -> tuple[TextColumn, Loaded]:
    """Read a corpus by itself, checked as `Dataset.load` checks it.

    Returns:
        The chunks' texts, and what was found wrong.
    """
