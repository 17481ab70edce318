"""Stub of the properties that all data read from files have in common, and the errors in files."""

from collections.abc import Sequence
from typing import SupportsIndex, final, overload

from stage2._core._types import Bools, Ints, OnError, Path

class InputError(ValueError):
    """The contents of a file are wrong.

    The message is `FILE:LINE:COLUMN: what is wrong; what was expected; …`, or for a table in memory
    `TABLE, row ROW: what is wrong; …`.

    Attributes:
        file: the path as given, or the name of the table.
        line: the line, from 1; for a table in memory the row, from 0.
        column: the column in code points, from 1; 0 for a table in memory.
        reason: the kind of error, as in `rejected_counts`, such as `truncated_json`.
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
        """The line, from 1."""
    @property
    def column(self) -> int:
        """The column in code points, from 1."""
    @property
    def reason(self) -> str:
        """The kind of error, such as `unknown_chunk`."""
    @property
    def message(self) -> str:
        """What is wrong and what was expected."""
    @property
    def row(self) -> str:
        """The row as it is in the file. Bytes that are not UTF-8 are replaced."""

class Loaded:
    """Data read from files, with the errors found in them.

    With `on_error="strict"` the first bad row raises InputError. With `"skip"` bad rows are left
    out and listed here. InputError is still raised if a file is empty, is a damaged archive, or has
    no good row.
    """

    @property
    def rejected(self) -> list[Rejected]:
        """The rows left out, file by file, in the order of the file."""
    @property
    def rejected_counts(self) -> dict[str, int]:
        """The number of rows left out for each reason."""
    @property
    def warnings(self) -> list[str]:
        """Messages about what was accepted but may be wrong."""
    def write_rejected(self, path: Path) -> None:
        """Write the rows left out as JSONL, with file, line, column, reason, message and row."""

@final
class TextColumn(Sequence[str]):
    """A sequence of texts. A text is decoded when it is read."""

    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, index: SupportsIndex) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def take(self, indices: Ints) -> list[str]:
        """Return the texts at `indices`, int64 (n,). Negative ones count from the end."""
    def select(self, indices: Ints) -> TextColumn:
        """Return a column of the texts at `indices`, int64 (n,), which shares them.

        -1 stands for no text, which is the empty string.

        Raises:
            ValueError: there is no such text.
        """
    def first_equal(self) -> Ints | None:
        """Return for each of n texts the first equal one, int64 (n,); None if all differ."""
    def differ(self, ones: Ints, others: Ints) -> Bools:
        """Tell of pairs of texts whether they differ.

        Args:
            ones: the numbers of n texts, int64 (n,). -1 stands for the empty string.
            others: those of the other text of each pair.

        Returns:
            bool (n,).

        Raises:
            ValueError: there is no such text, or not as many others.
        """
    def lengths(self, indices: Ints) -> Ints:
        """Return the bytes of the texts at `indices`, int64 (n,), in UTF-8. -1 stands for no text.

        Raises:
            ValueError: there is no such text.
        """
    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        """Give the texts to another library by Arrow, as string views.

        The views point to the bytes in which the texts stand, a file that is mapped or read, and
        these live as long as the views. A text of up to 12 bytes stands in its view; one with
        escapes of JSON, or that begins with a joined title, is copied. The empty string, which
        stands for a missing text, becomes null.

        Args:
            requested_schema: a capsule with the type that is wished: a string or large string is
                a copy. Another wish goes unheard.

        Raises:
            ValueError: a text is longer than 2 GiB, or all are and `string` is asked for.
        """
    def __arrow_c_schema__(self) -> object:
        """Return a capsule with the type of the texts."""

def load_chunks(
    path: Path, on_error: OnError = "strict", max_decompressed: int | None = None
) -> tuple[TextColumn, Loaded]:
    """Read a corpus without questions, with the checks of `Dataset.load`.

    Args:
        path: the file of chunks.
        on_error: as in `Dataset.load`.
        max_decompressed: as in `Dataset.load`.

    Returns:
        The texts of the chunks, and the errors found.
    """

def read_bytes(path: Path, max_decompressed: int | None = None) -> bytes:
    """Read a file of text, plain or compressed by gzip or Zstandard, for a parser in Python.

    Args:
        path: the file.
        max_decompressed: as in `Dataset.load`.

    Raises:
        InputError: the file is recognised as no text in UTF-8, is a damaged archive, or is too
            large.
    """

class Lines:
    """The lines of a file of text, read as they are asked for, without their ends.

    A file whose first letter is `{` is read block by block, plain or compressed by gzip or
    Zstandard. Any other is read whole when it is opened, as `read_bytes` does.
    """

    def __init__(self, path: Path, max_decompressed: int | None = None) -> None:
        """Open the file.

        Args:
            path: the file.
            max_decompressed: as in `Dataset.load`.

        Raises:
            InputError: as `read_bytes` does. Of a file that is read block by block, damage and
                too much text are found when the lines before them have been given.
        """
    @property
    def is_list(self) -> bool:
        """Whether what is left begins with a bracket, as a list of JSON does."""
    def read(self) -> bytes:
        """Return all that is left."""
    def __iter__(self) -> Lines: ...
    def __next__(self) -> bytes: ...
