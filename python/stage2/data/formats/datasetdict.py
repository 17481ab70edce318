"""The folder that `datasets.DatasetDict.save_to_disk` writes: a folder for each split.

Where the splits are named after sides (train, dev or validation, test), they are the sides.
"""

from __future__ import annotations

from pathlib import Path

from stage2.config import InputConfig
from stage2.data.formats import datasets
from stage2.data.joined_tables import joined
from stage2.data.json_rows import read_document
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
    parts = (
        (path / split, sides[name], datasets.tables(settings, path / split))
        for name, split in zip(judgements, splits, strict=True)
    )
    return joined(parts, settings, judgements)
