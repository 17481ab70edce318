"""Only one command at a time works in a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stage2.cli import folder_lock
from stage2.cli.run_folder import RunFolder
from stage2.config import Settings
from stage2.usage import read_by
from stage2.utils.errors import BadInputError
from tests.conftest import Stage2, data_flags


def test_one_command_at_a_time(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_lock, "WAIT", 0.1)
    out = tmp_path / "out"
    settings = Settings(output_dir=str(out))
    with RunFolder(settings.output_dir, reads=read_by(settings)) as first:
        first.begin(Settings(), {"prepare": {}})
        for command in (["prepare", *data_flags(corpus)], ["report"]):
            result = stage2(*command, exit_code=2)
            assert "another command works in it" in result.stderr
            assert f"process {os.getpid()}" in result.stderr
    # The folder was created after the check and before the first file.
    late = RunFolder(tmp_path / "new")
    stage2("prepare", *data_flags(corpus), "--output-dir", tmp_path / "new")
    with late, pytest.raises(BadInputError, match="another command has just made a run there"):
        late.begin(Settings(), {"prepare": {}})
