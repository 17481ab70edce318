"""The bytes that were hashed are the bytes that were parsed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from stage2._core import Dataset
from stage2.cli import inputs
from stage2.cli.run_folder import RunFolder
from stage2.config import Settings
from stage2.usage import read_by
from stage2.utils import files
from stage2.utils.errors import RunFailedError
from tests.conftest import Stage2, data_flags


@pytest.mark.parametrize("how", ["replaced", "rewritten"])
def test_an_input_that_changes_while_it_is_read_is_an_error(
    stage2: Stage2,
    corpus: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    qa = tmp_path / "qa.jsonl"
    qa.write_bytes(corpus["qa"].read_bytes())
    load, out = Dataset.load, tmp_path / "out"

    class Changing:
        """Read the data set, then change its file."""

        @staticmethod
        def load(*arguments: Any, **named: Any) -> Dataset:
            found = load(*arguments, **named)
            text = corpus["qa"].read_text().replace("q00", "q99")
            if how == "replaced":
                (tmp_path / "new").write_text(text)
                os.replace(tmp_path / "new", qa)
            else:
                with qa.open("r+") as file:
                    file.write(text)
                os.utime(qa, (1, 1))
            return found

    monkeypatch.setattr(inputs, "Dataset", Changing)
    flags = data_flags(dict(corpus, qa=qa))
    result = stage2("prepare", *flags, exit_code=1)
    assert f"{qa}: changed while it was read" in result.stderr
    assert not (out / files.CONSTRUCTED).exists()


def test_what_is_mapped_must_not_change_until_it_is_written(tmp_path: Path) -> None:
    qa = tmp_path / "qa.jsonl"
    qa.write_text("{}\n")
    settings = Settings(output_dir=str(tmp_path / "out"), qa=str(qa))
    with RunFolder(settings.output_dir, reads=read_by(settings)) as run:
        run.begin(Settings(), {"prepare": {}})
        files.write_text(run / files.CONSTRUCTED, "{}\n")
        qa.write_text("[]\n\n")
        with pytest.raises(RunFailedError, match="changed while it was read"):
            run.done(Settings(), "prepare", {})
        assert not (run / files.CONSTRUCTED).exists()
