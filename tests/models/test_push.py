"""Sending a folder to the hub, which is played by a class without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stage2.models.push import check_repository, push
from stage2.utils.errors import BadInputError, RunFailedError


class Hub:
    """The part of `HfApi` that is used; it keeps what it is told."""

    told: list[dict[str, Any]]

    def create_repo(self, name: str, **more: Any) -> None:
        self.told.append({"name": name, **more})

    def upload_folder(self, **more: Any) -> str:
        self.told.append(more)
        return "https://hub/commit"


def test_it_is_sent_to_a_private_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Hub.told = []
    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    assert push(tmp_path, "org/name") == "https://hub/commit"
    made, sent = Hub.told
    assert made == {"name": "org/name", "repo_type": "model", "private": True, "exist_ok": True}
    assert sent["repo_id"] == "org/name"
    assert sent["folder_path"] == tmp_path


def test_a_refusal_names_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(Hub):
        def create_repo(self, name: str, **more: Any) -> None:
            raise OSError("401\nUnauthorized")

    monkeypatch.setattr("huggingface_hub.HfApi", Closed)
    with pytest.raises(RunFailedError, match=r"is written, but the hub did not take it .*: 401"):
        push(tmp_path, "org/name")


@pytest.mark.parametrize("name", ["name", "a/b/c", "../x", "a b/c", ""])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(BadInputError, match="expected ORG/NAME"):
        check_repository(name)
