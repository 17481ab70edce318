"""The settings of what a data set is read from."""

from __future__ import annotations

import pytest

from stage2.config import SETTINGS, InputConfig
from stage2.utils.errors import BadInputError
from stage2.variants import FORMATS


def test_sizes_are_read_in_bytes() -> None:
    assert InputConfig().decompressed is None
    assert InputConfig(max_decompressed="2KB").decompressed == 2048
    with pytest.raises(BadInputError, match="--max-decompressed is 0"):
        InputConfig(max_decompressed="0")


def test_every_format_stands_in_help() -> None:
    assert all(kind.text in SETTINGS["data"].metadata["help"] for kind in FORMATS.values())
    with pytest.raises(BadInputError, match="--format is 'x'; expected samples or beir"):
        InputConfig(format="x")
