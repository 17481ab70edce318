"""Stub of the reader of Parquet files."""

from typing import final

from stage2._core._loaded import TextColumn
from stage2._core._types import Ints, Path

@final
class ParquetFile:
    """A Parquet file whose columns of texts are read in parallel.

    It reads flat columns of strings, required or optional, in pages of both versions, plain or with
    a dictionary, not compressed or with Snappy, gzip or Zstandard. All else is for another reader.
    """

    @staticmethod
    def open(path: Path) -> ParquetFile | None:
        """Open a file and read its footer.

        Returns:
            None if there is no file that can be read, or its footer is damaged or encrypted.
        """
    @property
    def num_rows(self) -> int: ...
    @property
    def names(self) -> list[str]:
        """The names of all columns of the table, other ones than those of texts too."""
    def is_text(self, name: str) -> bool:
        """Tell whether a column can be read here, by all that the footer says."""
    def read(self, names: list[str]) -> tuple[TextColumn, Ints, Ints, Ints] | None:
        """Read columns of texts.

        Args:
            names: the names of k columns.

        Returns:
            The texts of k * num_rows cells, the rows of a column after those of the one before; the
            empty string for null and for bytes that are no UTF-8. Then the places of the cells that
            are null, that are no UTF-8, and that are empty or only white space, each rising, int64.
            None if a column cannot be read here, is damaged, or would take more than half of the
            memory.
        """
