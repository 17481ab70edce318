"""`stage2 cache`: what it lists and what it deletes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from stage2.encoding import cache
from stage2.encoding.cache import HEADER_BYTES, EmbeddingCache
from tests.cached import RECORD, WIDTH, age, keys, opened, same, some
from tests.conftest import Stage2


def test_info_and_prune(stage2: Stage2, tmp_path: Path) -> None:
    stores = [opened(tmp_path, name) for name in ("old", "middle", "new")]
    for days, store in zip((40, 20, 0), stores, strict=True):
        store.put(keys("a", "b"), some(2))
        age(store.path, days)
    (tmp_path / f"other{cache.SUFFIX}").write_text("not ours")
    damaged = tmp_path / f"{'0a' * 16}{cache.SUFFIX}"
    damaged.write_text("x")
    age(damaged, 50)
    where = ["--embedding-cache", tmp_path]
    shown = stage2("cache", "info", *where).output
    assert shown.count("2 vectors") == 3
    assert "used 40.0 days ago" in shown
    assert "a model" in shown
    assert "damaged" in shown
    stage2("cache", "prune", *where, "--older-than", 30)
    assert not damaged.exists()
    assert [store.path.exists() for store in stores] == [False, True, True]
    size = stores[0].put(keys("a", "b"), some(2)) or stores[0].path.stat().st_size
    stage2("cache", "prune", *where, "--max-size", size * 2)
    assert [store.path.exists() for store in stores] == [True, False, True]
    stage2("cache", "prune", *where, "--max-size", 0)
    assert [path.name for path in tmp_path.glob(f"*{cache.SUFFIX}")] == [f"other{cache.SUFFIX}"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["prune"], "nothing to go by"),
        (["prune", "--older-than", "-1"], "expected a number of days"),
        (["prune", "--max-size", "much"], "expected a size"),
        (["info", "--embedding-cache", "off"], "has no folder"),
    ],
)
def test_bad_use_of_the_commands(stage2: Stage2, flags: list[str], said: str) -> None:
    assert said in stage2("cache", *flags, exit_code=2).output


def test_the_name_of_a_model_may_be_long(stage2: Stage2, tmp_path: Path) -> None:
    """The name in the file is for people to read. It is cut to a fixed size."""
    name = "/models/" + "基督山伯爵" * 60
    about = {"model": name, "precision": "fp32"}
    store = EmbeddingCache(tmp_path, WIDTH, {"weights": "w"}, about)
    store.put(keys("a"), some(1))
    found, missing = opened(tmp_path).get(keys("a"))
    assert not len(missing)
    assert same(found, some(1))
    with store.path.open("rb") as file:
        header = json.loads(file.read(HEADER_BYTES))
    assert name.endswith(header["model"].removeprefix("…"))
    shown = stage2("cache", "info", "--embedding-cache", tmp_path).output
    assert "1 vectors" in shown


OURS = "0a" * 16


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"width": "8"},
        {"width": -1},
        {"width": 0},
        {"width": 1.5},
        {"width": True},
        {"width": None},
        {"width": 10**18},
        {"model": 7},
        {"precision": None},
        {"format": "another"},
        {"format": ["stage2"]},
        [],
        7,
        None,
    ],
)
def test_a_bad_header_is_damage_and_stops_nothing(
    stage2: Stage2, tmp_path: Path, header: object
) -> None:
    whole = {"format": cache.FORMAT, "width": WIDTH, "model": "m", "precision": "fp32"}
    content: object = header
    if isinstance(header, dict):
        content = {**whole, **header} if header else {"format": cache.FORMAT}
    damaged = tmp_path / f"{OURS}{cache.SUFFIX}"
    damaged.write_text(json.dumps(content).ljust(HEADER_BYTES) + "x" * RECORD)
    store = opened(tmp_path)
    store.put(keys("a"), some(1))
    where = ["--embedding-cache", tmp_path]
    shown = stage2("cache", "info", *where).output
    assert "damaged" in shown
    assert "1 vectors" in shown
    age(damaged, 50)
    stage2("cache", "prune", *where, "--older-than", 30)
    assert not damaged.exists()
    assert store.path.exists()


@pytest.mark.parametrize("content", ["[" * HEADER_BYTES, "\x00" * HEADER_BYTES, "", "\ud800"])
def test_a_header_that_is_no_json_is_damage(stage2: Stage2, tmp_path: Path, content: str) -> None:
    (tmp_path / f"{OURS}{cache.SUFFIX}").write_bytes(content.encode("utf-8", "surrogatepass"))
    assert "damaged" in stage2("cache", "info", "--embedding-cache", tmp_path).output


def test_what_is_no_file_of_ours_stops_nothing(
    stage2: Stage2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / f"{OURS}{cache.SUFFIX}")
    (tmp_path / f"{'0b' * 16}{cache.SUFFIX}").mkdir()
    store = opened(tmp_path)
    store.put(keys("a"), some(1))
    where = ["--embedding-cache", tmp_path]
    assert "1 models" in stage2("cache", "info", *where).output

    def refuse(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        result = stage2("cache", "prune", *where, "--max-size", 0)
        assert "cannot be deleted: Permission denied" in result.output
        assert "the vectors of 0 models" in result.output
    stage2("cache", "prune", *where, "--max-size", 0)
    assert not store.path.exists()


def test_a_name_in_a_header_cannot_steer_a_terminal(stage2: Stage2, tmp_path: Path) -> None:
    about = {"model": "a\nerror: \x1b[31mforged", "precision": "fp32\r"}
    EmbeddingCache(tmp_path, WIDTH, {}, about).put(keys("a"), some(1))
    shown = stage2("cache", "info", "--embedding-cache", tmp_path).stdout
    assert "a�error: �[31mforged" in shown
    assert shown.count("\n") == 1
