"""Arrow's IPC format, as files (Feather) and as streams, with the columns of `variants.COLUMNS`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

from stage2.config import InputConfig
from stage2.data.arrow_cells import arrow, batches_of, stream_reader
from stage2.data.arrow_tables import read_batches
from stage2.data.faults import input_error
from stage2.data.tables import Tables


def tables(settings: InputConfig, path: Path) -> Tables:
    """Read the file.

    Raises:
        BadInputError: pyarrow is missing, no column is a question or a positive, or one has a wrong
            type.
        InputError: it is no Arrow file, or a row is wrong.
    """
    return read_files([path], settings, path)


def read_files(paths: Sequence[Path], settings: InputConfig, whole: Path) -> Tables:
    """Read the batches of several files one after another.

    Args:
        paths: the files, which have the same columns.
        settings: as `read_batches` has them.
        whole: the path of the data set, for messages.
    """
    pa = arrow()
    with ExitStack() as opened:
        path = whole
        try:
            readers = []
            for path in paths:
                # Read and not mapped: a file that is cut short under a map ends the process.
                readers.append(stream_reader(opened.enter_context(path.open("rb"))))
            path = whole
            names = list(readers[0].schema.names)
            return read_batches(
                lambda _: chain.from_iterable(map(batches_of, readers)), names, settings, str(whole)
            )
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, KeyError) as error:
            raise input_error(
                str(path), 1, 0, "other_format", f"{error}; expected a whole Arrow file"
            ) from None
