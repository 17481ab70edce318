"""Shells complete commands, flags, values and paths, and wait for nothing heavy."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from stage2.cli.main import program
from tests.conftest import Stage2
from tests.test_imports import LIGHT, packages


def completed(*words: str, incomplete: str = "") -> list[tuple[str, str]]:
    found = ShellComplete(program, {}, "stage2", "_STAGE2_COMPLETE").get_completions(
        list(words), incomplete
    )
    return [(item.type, item.value) for item in found]


def test_commands_and_flags() -> None:
    assert completed(incomplete="ev") == [("plain", "evaluate")]
    assert completed("cache") == [("plain", "info"), ("plain", "prune")]
    assert ("plain", "--topk") in completed("mine", incomplete="--to")
    assert completed("config", "show", incomplete="pre") == [("plain", "prepare")]


def test_values_and_paths() -> None:
    assert completed("mine", "--source") == [("plain", "candidates"), ("plain", "corpus")]
    assert completed("mine", "--qa", incomplete="a") == [("file", "a")]
    assert completed("mine", "--output-dir", incomplete="a") == [("dir", "a")]
    assert completed("mine", "--config") == [("file", "")]
    assert completed("evaluate", "--model") == [("file", "")]
    kept = completed("mine", "--embedding-cache", incomplete="a")
    assert kept == [("plain", "auto"), ("dir", "a")]
    assert completed("train", "--resume") == [("plain", "auto"), ("plain", "never"), ("file", "")]
    assert completed("mine", "--device") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_names_the_program_and_the_variable(stage2: Stage2, shell: str) -> None:
    if shell == "bash" and shutil.which("bash") is None:
        pytest.skip("click asks bash for its version")
    script = stage2("completion", shell).stdout
    assert "_STAGE2_COMPLETE" in script
    assert f"{shell}_complete" in script


def test_completion_waits_for_nothing_heavy() -> None:
    code = """
import os
os.environ |= {"_STAGE2_COMPLETE": "bash_complete", "COMP_CWORD": "2"}
os.environ["COMP_WORDS"] = "stage2 mine --q"
from stage2.cli.main import program
try:
    program(prog_name="stage2")
except SystemExit as end:
    assert end.code == 0
"""
    assert {"stage2", "click"} <= packages(code) <= LIGHT


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_a_real_bash_completes(stage2: Stage2, tmp_path: Path) -> None:
    program_file = tmp_path / "stage2"
    program_file.write_text(f'#!/bin/sh\nexec {sys.executable} -m stage2 "$@"\n')
    program_file.chmod(0o755)
    script = tmp_path / "complete.bash"
    script.write_text(stage2("completion", "bash").stdout)
    typed = (
        f"source {script}; COMP_WORDS=({program_file} mine --sou); COMP_CWORD=2; "
        f'_stage2_completion {program_file} --sou mine; echo "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(["bash", "-c", typed], capture_output=True, text=True, check=True)
    assert done.stdout == "--source\n"
