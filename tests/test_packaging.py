"""What a public forge, a package index and a citation read agrees with the project."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import tomllib
import yaml

ROOT = Path(__file__).resolve().parents[1]
FORGE = ROOT / ".github"
WORKFLOWS = sorted((FORGE / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (FORGE / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def commands(workflow: dict[str, Any]) -> list[str]:
    """Return the shell lines of a workflow."""
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    return [line for step in steps for line in step.get("run", "").splitlines()]


def test_every_version_is_the_core_s() -> None:
    version = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["package"]["version"]
    assert read(ROOT / "CITATION.cff")["version"] == version
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_calls_what_is_there(path: Path) -> None:
    workflow = read(path)
    # YAML 1.1 reads the key `on` as true.
    assert workflow[True]
    assert workflow["permissions"] == {"contents": "read"}
    for line in commands(workflow):
        words = line.split()
        for word in words:
            if word.startswith((".ci/", "tests/")):
                assert (ROOT / word).exists(), line
        for extra in re.findall(r"\[([a-z,]+)\]", line):
            project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
            assert set(extra.split(",")) <= project["project"]["optional-dependencies"].keys()


def test_wheels_are_built_for_every_system() -> None:
    """manylinux 2.28, both processors of macOS, and Windows."""
    (wheels,) = (read(path)["jobs"]["wheels"] for path in WORKFLOWS if path.stem == "release")
    built = {
        (one["os"].split("-")[0], one["target"], one.get("manylinux"))
        for one in wheels["strategy"]["matrix"]["include"]
    }
    assert built == {
        ("ubuntu", "x86_64", "2_28"),
        ("ubuntu", "aarch64", "2_28"),
        ("macos", "x86_64", None),
        ("macos", "aarch64", None),
        ("windows", "x64", None),
    }


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_asks_something(path: Path) -> None:
    form = read(path)
    assert form["name"]
    assert form["description"]
    assert {field["type"] for field in form["body"]} <= {"textarea", "input"}
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids))


def test_the_list_for_language_models_names_every_page() -> None:
    """llms.txt links to files that are there, and leaves out no page of the documentation."""
    text = (ROOT / "llms.txt").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\(([^)]+)\)", text))
    assert all((ROOT / link).is_file() for link in linked)
    assert {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")} <= linked
