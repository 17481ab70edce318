"""A call of a function is a call of a command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stage2 import BadInputError, Dataset
from stage2.cli import console
from stage2.cli.from_python import call, command_of, session_of, settings_given, without_folder


def test_settings_are_those_of_the_command() -> None:
    command = command_of("mine")
    assert settings_given(command, {"qa": Path("a"), "topk": 3}) == {"qa": "a", "topk": 3}
    with pytest.raises(TypeError, match="has no keyword 'tpk'; did you mean topk"):
        settings_given(command, {"tpk": 3})
    with pytest.raises(TypeError, match="help is no command with settings"):
        command_of("help")


def test_a_call_returns_the_folder_that_it_was_given(tmp_path: Path) -> None:
    found: list[Any] = []
    session = session_of(verbose=False, progress=False)
    given = {"output_dir": tmp_path / "out", "topk": 2}
    folder = call("mine", found.append, session, given, None, None, None)
    assert folder == str(tmp_path / "out")
    assert found[0].settings.topk == 2
    assert session.command == "mine"
    with pytest.raises(BadInputError, match="preset is 'x'; expected"):
        call("run", found.append, session, given, None, "x", None)


def test_a_command_without_a_folder_has_its_data_in_files_for_so_long(
    corpus: dict[str, Path],
) -> None:
    table = pa.table({"question": ["who?"], "positive": ["he"]})
    with without_folder("relabel", {"data": table}, False) as found:
        path = Path(str(found.settings.data))
        assert path.is_file()
    assert not path.exists()
    data = Dataset.load(corpus["qa"], corpus["chunks"], corpus["entities"])
    with without_folder("relabel", {"data": data}, False) as found:
        assert Path(str(found.settings.qa)).is_file()
        assert found.settings.title == "ignore"
        assert found.settings.entities is None
    with without_folder("convert", {"data": str(corpus["qa"])}, False) as found:
        assert found.extra == {"in_path": str(corpus["qa"])}


def test_a_session_speaks_only_if_asked(capsys: pytest.CaptureFixture[str]) -> None:
    for verbose in (False, True):
        with console.session(session_of(verbose, progress=False)):
            console.say("a message")
    assert capsys.readouterr().err.count("a message") == 1
