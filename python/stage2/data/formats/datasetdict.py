"""The folder that `datasets.DatasetDict.save_to_disk` writes: a folder for each split.

Where the splits are named after sides (train, dev or validation, test), they are the sides.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stage2.config import InputConfig
from stage2.data.formats import datasets
from stage2.data.json_rows import read_document
from stage2.data.left_out import LeftOut
from stage2.data.table_builder import ConflictError, TableBuilder
from stage2.data.tables import Tables
from stage2.utils.errors import BadInputError
from stage2.variants import FORMATS, SIDE_OF_FILE


def tables(settings: InputConfig, path: Path) -> Tables:
    """Read all splits.

    Raises:
        BadInputError: a split is named after no side, or two after the same one.
        InputError: what a split holds is wrong, or a question is in two splits.
    """
    splits = [
        node.content()
        for node in read_document(path / "dataset_dict.json", settings)
        .required("splits")
        .elements()
    ]
    judgements = [f"{split}/state.json" for split in splits]
    if len(splits) == 1:
        return datasets.tables(settings, path / splits[0])
    sides = FORMATS["datasetdict"].sides(judgements)
    for name, split in zip(judgements, splits, strict=True):
        if name not in sides:
            raise BadInputError(
                f"{path}: the split {split!r} is named after no side; expected "
                f"{', '.join(SIDE_OF_FILE)}; or give the folder of one split as --data"
            )
    if len(set(sides.values())) < len(sides):
        raise BadInputError(f"{path}: two splits are the same side; expected one for each")
    builder = TableBuilder()
    for name, split in zip(judgements, splits, strict=True):
        _extend(
            builder, datasets.tables(settings, path / split), sides[name], path / split, settings
        )
    return builder.tables(judgements=tuple(judgements))


def _extend(
    builder: TableBuilder, given: Tables, side: str, path: Path, settings: InputConfig
) -> None:
    """Add the questions of a split, all on one side."""
    builder.take_over(given)
    for question in given.rows(given.chunks()):
        try:
            builder.add(replace(question, side=side))
        except ConflictError as conflict:
            if settings.on_error == "strict":
                raise BadInputError(f"{path}: {conflict}") from None
            left = LeftOut(str(path), 0, 0, conflict.reason, str(conflict), question.text)
            builder.rejected.append(left)
