"""The folder that `datasets.Dataset.save_to_disk` writes: Arrow streams, named by `state.json`."""

from __future__ import annotations

from pathlib import Path

from stage2.config import InputConfig
from stage2.data.formats.arrow import read_files
from stage2.data.json_rows import read_document
from stage2.data.tables import Tables


def tables(settings: InputConfig, path: Path) -> Tables:
    """Read the folder.

    Raises:
        BadInputError: pyarrow is missing, no column is a question or a positive, or one has a wrong
            type.
        InputError: `state.json` names no files, or what they hold is wrong.
    """
    state = read_document(path / "state.json", settings)
    names = []
    for node in state.required("_data_files").elements():
        name = node.required("filename")
        if Path(name.content()).name != name.value:
            raise name.fault("wrong_type", f"{name.name} is no name of a file in the folder")
        names.append(path / name.content())
    if not names:
        raise state.required("_data_files").fault("empty_file", "the data set has no files")
    return read_files(names, settings, path)
