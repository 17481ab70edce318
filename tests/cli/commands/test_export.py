"""`stage2 export`: what it asks for, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from stage2.models.auto import load_model
from stage2.utils.errors import BadInputError
from tests.conftest import Stage2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--output-dir", "new"], "give --model DIR"),
        (["--model", "there"], "no such model"),
    ],
)
def test_what_is_missing_is_said(
    stage2: Stage2, tmp_path: Path, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in stage2("export", "--to", "sentence-transformers", *words, exit_code=2).stderr


def test_nothing_is_replaced(stage2: Stage2, model_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    words = ["export", "--model", model_dir, "--to", "sentence-transformers"]
    assert "is there already" in stage2(*words, exit_code=2).stderr
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(BadInputError):
        load_model(tmp_path / "out")
