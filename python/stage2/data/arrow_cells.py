"""The cells of Arrow columns, collected batch by batch.

Texts are kept once, however often a column repeats them: a cell is a number in a dictionary. No
text becomes an object of Python.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from stage2.utils.arrays import Ints
from stage2.utils.errors import BadInputError
from stage2.variants import FORMATS

Values = npt.NDArray[np.float64]


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
        codes: for texts the number of each value in `dictionary`, -1 for null: int64 (m,).
        numbers: for numbers the values, NaN for null: float64 (m,).
        dictionary: the different texts, an Arrow array of large_string.
        missing: the rows whose cell should be a list and is null, int64.
    """

    lists: bool
    rows: Ints
    codes: Ints
    numbers: Values
    dictionary: Any
    missing: Ints

    def kept(self, rows: npt.NDArray[np.bool_]) -> Cells:
        """Return the cells of some rows, whose numbers stay as they are."""
        mask = rows[self.rows]
        numbers = self.numbers[mask] if len(self.numbers) else self.numbers
        codes = self.codes[mask] if len(self.codes) else self.codes
        missing = self.missing[rows[self.missing]]
        return Cells(self.lists, self.rows[mask], codes, numbers, self.dictionary, missing)


@dataclass
class Collector:
    """Collects the batches of a column.

    Attributes:
        name: the name of the column.
        file: the path of the file, for messages.
        kind: what its values are: `texts`, `numbers` or `ids`, which are texts or whole numbers.
    """

    name: str
    file: str
    kind: str
    lists: bool = False
    _num_rows: int = 0
    _rows: list[Ints] = field(default_factory=list)
    _codes: list[Ints] = field(default_factory=list)
    _numbers: list[Values] = field(default_factory=list)
    _dictionaries: list[Any] = field(default_factory=list)
    _missing: list[Ints] = field(default_factory=list)
    _known: int = 0

    def add(self, array: Any) -> None:
        """Add a batch.

        Raises:
            BadInputError: the column has another type than is expected.
        """
        pa, pc = arrow(), arrow("pyarrow.compute")
        rows = np.arange(self._num_rows, self._num_rows + len(array))
        self._num_rows += len(array)
        types = pa.types
        if types.is_list(array.type) or types.is_large_list(array.type):
            self.lists = True
            self._missing.append(rows[array.is_null().to_numpy(zero_copy_only=False)])
            lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
            rows, array = np.repeat(rows, lengths.astype(np.int64)), array.flatten()
        self._rows.append(rows.astype(np.int64))
        if self.kind == "numbers":
            number = types.is_integer(array.type) or types.is_floating(array.type)
            self._check(number or types.is_null(array.type), array)
            numbers = array.cast(pa.float64(), safe=False)
            self._numbers.append(numbers.to_numpy(zero_copy_only=False).astype(np.float64))
            return
        value_type = array.type.value_type if types.is_dictionary(array.type) else array.type
        text = any(
            is_text(value_type)
            for is_text in (types.is_string, types.is_large_string, types.is_string_view)
        )
        whole = self.kind == "ids" and types.is_integer(value_type)
        self._check(text or whole or types.is_null(value_type), array)
        encoded = array.cast(pa.large_string()).dictionary_encode()
        codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        codes[codes >= 0] += self._known
        self._codes.append(codes)
        self._dictionaries.append(encoded.dictionary)
        self._known += len(encoded.dictionary)

    def cells(self) -> Cells:
        """Return the cells of all batches."""
        none = np.zeros(0, np.int64)
        rows, codes = np.concatenate([none, *self._rows]), np.concatenate([none, *self._codes])
        numbers = np.concatenate([np.zeros(0), *self._numbers])
        dictionary, renumbered = merged(self._dictionaries)
        codes[codes >= 0] = renumbered[codes[codes >= 0]]
        missing = np.concatenate([none, *self._missing])
        return Cells(self.lists, rows, codes, numbers, dictionary, missing)

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


def merged(dictionaries: list[Any]) -> tuple[Any, Ints]:
    """Merge dictionaries that stand one after another, each of different texts.

    Returns:
        The different texts, and for each text of the dictionaries its number among them.
    """
    pa = arrow()
    if not dictionaries:
        return pa.array([], pa.large_string()), np.zeros(0, np.int64)
    if len(dictionaries) == 1:
        return dictionaries[0], np.arange(len(dictionaries[0]), dtype=np.int64)
    encoded = pa.concat_arrays(dictionaries).dictionary_encode()
    return encoded.dictionary, encoded.indices.to_numpy().astype(np.int64)


def blank(dictionary: Any) -> npt.NDArray[np.bool_]:
    """Return which texts are empty or only white space."""
    pc = arrow("pyarrow.compute")
    # Trimming copies a text, so that only those are trimmed that begin with white space.
    first = pc.utf8_trim_whitespace(pc.utf8_slice_codeunits(dictionary, 0, 1))
    found = np.array(pc.equal(first, "").to_numpy(zero_copy_only=False), bool)
    some = np.flatnonzero(found)
    trimmed = pc.utf8_trim_whitespace(dictionary.take(arrow().array(some)))
    found[some] = pc.equal(trimmed, "").to_numpy(zero_copy_only=False)
    return found
