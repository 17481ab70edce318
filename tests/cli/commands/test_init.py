"""`stage2 init`: a stage-1 model from an encoder."""

from __future__ import annotations

from pathlib import Path

import pytest

from stage2.utils import files
from tests.conftest import Stage2


def test_init_says_what_it_computes_in(
    stage2: Stage2, backbone: Path, corpus: dict[str, Path], tmp_path: Path
) -> None:
    """Heads are fitted in float32 on every machine."""
    done = stage2("init", "--backbone", backbone, "--chunks", corpus["chunks"])
    assert "in fp32" in done.stderr
    assert files.read_json(tmp_path / "out" / files.RUN)["precision"] == "fp32"


@pytest.mark.parametrize("backbone", ["/no/such/encoder", "."])
def test_a_backbone_that_is_not_there(
    backbone: str, stage2: Stage2, corpus: dict[str, Path], tmp_path: Path
) -> None:
    result = stage2("init", "--backbone", backbone, "--chunks", corpus["chunks"], exit_code=2)
    assert f"backbone {backbone}" in result.stderr
    assert not (tmp_path / "out").exists()
