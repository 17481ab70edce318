"""The message of an error is one line, whatever names are in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from stage2.cli.main import program
from stage2.utils import files
from stage2.utils.errors import BadInputError, message_of, one_line
from tests.conftest import Stage2, data_flags, tree

FORGED = "x\nerror: all is well\r\u2028\u202e\x1b[2K"


def test_foreign_text_is_one_line_that_nothing_turns_round() -> None:
    assert one_line(FORGED) == r"x\nerror: all is well\r\u2028\u202e\x1b[2K"
    assert one_line("plain – 文本 é אב") == "plain – 文本 é אב"


@pytest.mark.parametrize(
    "error",
    [
        BadInputError(f"{FORGED}: no"),
        FileNotFoundError(2, "no such", FORGED),
        IsADirectoryError(21, "a folder", FORGED),
        PermissionError(13, "denied", FORGED),
        OSError(28, "No space left on device", FORGED.encode()),
    ],
)
def test_every_message_is_one_line(error: Exception) -> None:
    message = message_of(error)
    assert one_line(message) == message
    assert r"x\nerror" in message


def test_what_was_looked_for_is_not_all_that_is_said() -> None:
    assert message_of(KeyError("width")) == "KeyError: 'width'"
    assert message_of(ValueError()) == "ValueError"


def test_names_on_the_command_line_forge_no_line(stage2: Stage2, corpus: dict[str, Path]) -> None:
    name = "x\nerror: all is well\u202e"
    calls = [
        ["prepare", *data_flags(corpus), "--qa", name],
        ["prepare", *data_flags(corpus), "--config", name],
        ["prepare", *data_flags(corpus), name],
        ["prepare", *data_flags(corpus), f"--{name}"],
        ["mine", *data_flags(corpus), "--model", name],
    ]
    for call in calls:
        said = stage2(*call, exit_code=2).stderr
        assert not any(line.startswith("error: all") for line in said.splitlines()), said
        assert "\u202e" not in said


DAMAGES = ["", "{", "[]", "[1]", '{"a": 1}', '[{"qa_id": "q"}]', "\xff", "null", "[" * 100_000]


@pytest.mark.parametrize(
    ("name", "command"),
    [
        (files.EVALUATION, "report"),
        (files.EVALUATION, "audit"),
        (files.MINING_SUMMARY, "report"),
        (files.RUN, "report"),
        (files.RUN, "audit"),
        (files.AUDIT, "report"),
    ],
)
def test_a_damaged_file_of_the_folder_is_named(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    name: str, command: str,
) -> None:  # fmt: skip
    stage2("mine", *data_flags(corpus), "--model", model_dir)
    out, codes = tmp_path / "out", []
    for damage in DAMAGES:
        (out / name).write_bytes(damage.encode("latin-1"))
        before = tree(out)
        done = CliRunner().invoke(program, [command, "--output-dir", str(out)])
        codes.append(done.exit_code)
        if done.exit_code:
            *_, said = done.stderr.splitlines()
            assert said.startswith("error: ")
            assert name in said or "no run there" in said
            assert tree(out) == before
    # A missing optional key is no damage, and no damage is reported as a bug.
    assert set(codes) <= {0, 2}
    assert codes.count(2) >= 7


def test_a_damaged_line_is_told_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / files.TRAINING_LOG
    path.write_text('{"epoch": 0}\n{"epoch": \n')
    with pytest.raises(BadInputError, match="no JSON at line 2, column 11"):
        files.read_jsonl(path)
    path.write_text(json.dumps({"epoch": 0}) + "\n")
    with pytest.raises(BadInputError, match=r"\[0\]\.dev is missing"):
        files.read_jsonl(path)
