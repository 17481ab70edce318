"""The cells of Arrow columns, collected batch by batch.

The core keeps each text once, however often columns repeat it: a cell is the number of its text. No
text becomes an object of Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from stage2._core import DistinctTexts, TextColumn
from stage2.utils.arrays import Ints
from stage2.utils.errors import BadInputError
from stage2.variants import FORMATS

Values = npt.NDArray[np.float64]

# The code of a value that is no UTF-8.
NO_TEXT = -2

# A file in Arrow's format begins so, and a stream does not.
_FILE = b"ARROW1"


def arrow(module: str = "pyarrow") -> Any:
    """Import pyarrow, or one of its modules.

    Raises:
        BadInputError: pyarrow is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        extra = FORMATS["parquet"].extra
        raise BadInputError(
            f"Parquet and Arrow are read with pyarrow, which is not installed: pip install "
            f"'stage2[{extra}]'"
        ) from error


@dataclass(frozen=True)
class Cells:
    """The cells of a column: m values in n rows.

    Attributes:
        lists: whether a cell is a list of values.
        rows: the row of each value, int64 (m,), rising.
        codes: for texts the number of each value in `texts`, -1 for null, -2 if it is no UTF-8:
            int64 (m,).
        numbers: for numbers the values, NaN for null: float64 (m,).
        missing: the rows whose cell should be a list and is null, int64.
        texts: the texts, of other columns too if they share them.
        blank: the numbers of those that are empty or only white space, int64.
        distinct: whether equal texts have one number.
    """

    lists: bool
    rows: Ints
    codes: Ints
    numbers: Values
    missing: Ints
    texts: TextColumn
    blank: Ints
    distinct: bool = True

    def marked(self, texts: Ints, codes: Ints | None = None) -> npt.NDArray[np.bool_]:
        """Return which values are one of some texts, given by their numbers.

        Args:
            texts: the numbers of the texts.
            codes: the values; all of these cells if None.
        """
        codes = self.codes if codes is None else codes
        if not len(texts):
            return np.zeros(len(codes), bool)
        # The last places are those of values that have no number.
        marks = np.zeros(len(self.texts) + 2, bool)
        marks[texts] = True
        return marks[codes]

    def empty(self) -> Ints:
        """Return the numbers of the empty text."""
        found: Ints = self.blank[self.texts.lengths(self.blank) == 0]
        return found

    def numbered(self, first: Ints | None) -> Cells:
        """Return the cells with one number for equal texts.

        Args:
            first: for each text the first one that is equal; None if all differ.
        """
        if first is None:
            return replace(self, distinct=True)
        codes = np.where(self.codes < 0, self.codes, first[self.codes])
        return replace(self, codes=codes, blank=np.unique(first[self.blank]), distinct=True)

    def kept(self, rows: npt.NDArray[np.bool_]) -> Cells:
        """Return the cells of some rows, whose numbers stay as they are."""
        mask = rows[self.rows]
        numbers = self.numbers[mask] if len(self.numbers) else self.numbers
        codes = self.codes[mask] if len(self.codes) else self.codes
        missing = self.missing[rows[self.missing]]
        return replace(self, rows=self.rows[mask], codes=codes, numbers=numbers, missing=missing)


class Vocabulary:
    """The different texts of one or more columns, while they are collected.

    Args:
        room: the bytes that they will have at most; 0 if that is not known.
    """

    def __init__(self, room: int = 0) -> None:
        self._growing = DistinctTexts(room)
        self._whole: tuple[TextColumn, Ints] | None = None

    def add(self, array: Any) -> Ints:
        """Return the numbers of the texts of an Arrow array, as `Cells.codes` has them."""
        return self._growing.add(array)

    def whole(self) -> tuple[TextColumn, Ints]:
        """Return all texts, and the numbers of the blank ones. No more texts can be added."""
        if self._whole is None:
            blank = self._growing.blank
            self._whole = self._growing.take(), blank
        return self._whole


@dataclass
class Collector:
    """Collects the batches of a column.

    Attributes:
        name: the name of the column.
        file: the path of the file, for messages.
        kind: what its values are: `texts`, `numbers` or `ids`, which are texts or whole numbers.
        vocabulary: the texts, which columns may share.
    """

    name: str
    file: str
    kind: str
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    lists: bool = False
    _num_rows: int = 0
    _rows: list[Ints] = field(default_factory=list)
    _codes: list[Ints] = field(default_factory=list)
    _numbers: list[Values] = field(default_factory=list)
    _missing: list[Ints] = field(default_factory=list)

    def add(self, array: Any) -> None:
        """Add a batch.

        Raises:
            BadInputError: the column has another type than is expected.
        """
        pa, pc = arrow(), arrow("pyarrow.compute")
        types = pa.types
        rows = np.arange(self._num_rows, self._num_rows + len(array))
        self._num_rows += len(array)
        if types.is_list(array.type) or types.is_large_list(array.type):
            self.lists = True
            self._missing.append(rows[array.is_null().to_numpy(zero_copy_only=False)])
            lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
            rows, array = np.repeat(rows, lengths.astype(np.int64)), array.flatten()
        self._rows.append(rows)
        if self.kind == "numbers":
            number = types.is_integer(array.type) or types.is_floating(array.type)
            self._check(number or types.is_null(array.type), array)
            numbers = array.cast(pa.float64(), safe=False)
            self._numbers.append(numbers.to_numpy(zero_copy_only=False).astype(np.float64))
            return
        value_type = array.type.value_type if types.is_dictionary(array.type) else array.type
        text = _is_text(value_type)
        whole = self.kind == "ids" and types.is_integer(value_type)
        self._check(text or whole or types.is_null(value_type), array)
        texts = array if _is_text(array.type) else array.cast(pa.large_string())
        self._codes.append(self.vocabulary.add(texts))

    def cells(self) -> Cells:
        """Return the cells of all batches."""
        none = np.zeros(0, np.int64)
        texts, blank = self.vocabulary.whole()
        return Cells(
            lists=self.lists,
            rows=np.concatenate(self._rows) if self.lists else np.arange(self._num_rows),
            codes=np.concatenate([none, *self._codes]),
            numbers=np.concatenate([np.zeros(0), *self._numbers]),
            missing=np.concatenate([none, *self._missing]),
            texts=texts,
            blank=blank,
        )

    def _check(self, fits: bool, array: Any) -> None:
        if not fits:
            expected = {
                "texts": "texts or lists of texts",
                "numbers": "numbers or lists of numbers",
                "ids": "texts or whole numbers",
            }[self.kind]
            raise BadInputError(
                f"{self.file}: the column {self.name!r} holds {array.type}; expected {expected}"
            )


def _is_text(kind: Any) -> bool:
    """Tell whether a type of Arrow is one of texts."""
    types = arrow().types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def stream_reader(source: Any) -> Any:
    """Return a reader of an open file in Arrow's IPC format, as a file or as a stream."""
    ipc = arrow("pyarrow.ipc")
    begin = source.read(len(_FILE))
    source.seek(0)
    return ipc.open_file(source) if begin == _FILE else ipc.open_stream(source)


def batches_of(reader: Any) -> Iterator[Any]:
    """Yield the record batches of a reader of either form."""
    if hasattr(reader, "num_record_batches"):
        return map(reader.get_batch, range(reader.num_record_batches))
    return iter(reader)
