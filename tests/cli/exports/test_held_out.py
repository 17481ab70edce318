"""The questions by which a model is compared with what it is exported as."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stage2.cli.exports.held_out import held_out
from stage2.config import Settings
from stage2.utils import files
from tests.conftest import Stage2, read_jsonl


def test_a_run_has_its_own(finished: Path) -> None:
    found = held_out(Settings(), finished / files.SHIPPED_MODEL)
    sides = json.loads((finished / files.SPLIT).read_text("utf-8"))
    texts = {row["qa_id"]: row for row in read_jsonl(finished / files.CONSTRUCTED)}
    wanted = [texts[one]["question"] for one in texts if one in str(sides["test"])]
    assert sorted(found.questions) == sorted(wanted)
    assert "held-out questions of the run" in found.name
    first = found.candidates[found.offsets[0]]
    assert 0 <= first < len(found.documents)


def test_any_other_model_has_the_built_in_ones(tmp_path: Path) -> None:
    found = held_out(Settings(), tmp_path)
    assert found.name == "50 of 50 questions of the built-in sample"
    assert len(found.offsets) == 51


@pytest.mark.parametrize("to", ["torch-fp16", "int8", "openvino"])
def test_the_command_says_and_writes_what_is_lost(
    stage2: Stage2, finished: Path, tmp_path: Path, to: str
) -> None:
    out = tmp_path / "served"
    told = stage2("export", "--model", finished, "--to", to, "--output-dir", out)
    assert "held-out questions of the run" in told.stderr + told.stdout
    card = (out / files.CARD).read_text("utf-8")
    assert f"as {to}" in card
    assert "Spearman" in card
