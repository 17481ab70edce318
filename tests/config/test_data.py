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


@pytest.mark.parametrize("scheme", ["hf://", "hf://datasets/", "https://huggingface.co/datasets/"])
def test_an_address_is_refused_with_the_command_that_fetches(scheme: str) -> None:
    said = "is an address, .* hf download owner/name --repo-type dataset --local-dir name; .* name$"
    with pytest.raises(BadInputError, match=said):
        InputConfig(data=f"{scheme}owner/name")
    with pytest.raises(BadInputError, match=r"is an address, .*; fetch it first$"):
        InputConfig(data="s3://bucket/data.parquet")
