"""Tables that other libraries take by Arrow's PyCapsule interface."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, final

import numpy.typing as npt

from stage2._core._loaded import TextColumn
from stage2._core._types import Ints

# Texts; an array of int64, float32, float64 or bool, (n,); float32, (n, d); or offsets, (n + 1,),
# with the items of n lists.
_Items: TypeAlias = TextColumn | Sequence[str] | npt.NDArray[Any]
_Column: TypeAlias = _Items | tuple[Ints, _Items]

@final
class Table:
    """A table that Polars, DuckDB, pandas, pyarrow and others read.

    It is read in batches. Its memory lives as long as anything that was read from it.
    """

    def __len__(self) -> int:
        """Return the number of rows."""
    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return a capsule with a stream of the table.

        Args:
            requested_schema: a capsule with a schema that is wished. Its strings, large strings and
                string views are heeded by the names of the columns; nothing else is made.
        """
    def __arrow_c_schema__(self) -> object:
        """Return a capsule with the names and types of the columns."""

def table(columns: Mapping[str, _Column]) -> Table:
    """Make a table of columns with n rows each.

    Arrays of numbers are lent and not copied, if their memory is contiguous; they should not be
    changed as long as the table is read. Texts of a `TextColumn` are lent as it lends them, in
    lists they are copied; arrays of bool and `str` are copied.

    Raises:
        ValueError: the columns have different lengths, or offsets do not fit.
    """
