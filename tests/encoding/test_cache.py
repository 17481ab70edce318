"""The embedding cache: hits, misses, damage, other models and other processes."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

import stage2
from stage2.encoding import cache
from stage2.encoding.cache import HEADER_BYTES, EmbeddingCache, keys_of, record_type
from stage2.encoding.embeddings import Embeddings
from stage2.encoding.encode import encode_windows
from stage2.encoding.encoder import LazyModel
from stage2.encoding.tokens import Role, Texts
from stage2.utils import files
from stage2.utils.errors import BadInputError
from tests.cached import RECORD, WIDTH, age, keys, opened, same, some
from tests.conftest import Stage2, data_flags, tree
from tests.small import write_jsonl


def test_what_was_put_comes_back(tmp_path: Path) -> None:
    vectors = some(3)
    opened(tmp_path).put(keys("a", "b", "c"), vectors)
    found, missing = opened(tmp_path).get(keys("c", "x", "a", "c", ""))
    assert missing.tolist() == [1, 4]
    assert same(found.take([0, 2, 3]), vectors.take([2, 0, 2]))
    assert not found.mu[missing].any()


def test_an_empty_cache_writes_nothing(tmp_path: Path) -> None:
    found, missing = opened(tmp_path / "none").get(keys("a"))
    assert (len(found), missing.tolist()) == (1, [0])
    assert not (tmp_path / "none").exists()


def test_keys_tell_texts_entities_and_roles_apart() -> None:
    texts = ["a", "a", "a", "b", "ab", "", "a\0", "a"]
    spans = [[], [(0, 1)], [(0, 1), (0, 1)], [], [], [], [], []]
    roles: list[Role] = [*["document"] * 7, "query"]
    assert len(set(keys_of(texts, spans, roles).tolist())) == len(texts)
    arrays = [np.array(span, np.int64).reshape(-1, 2) for span in spans]
    assert keys_of(texts, arrays, roles).tolist() == keys_of(texts, spans, roles).tolist()


def test_another_weight_is_another_file(tmp_path: Path) -> None:
    opened(tmp_path).put(keys("a"), some(1))
    assert opened(tmp_path, "other").get(keys("a"))[1].tolist() == [0]


@pytest.mark.parametrize("place", ["key", "mu", "entity", "kappa", "entity_count", "checksum"])
def test_a_damaged_record_is_a_missing_one(tmp_path: Path, place: str) -> None:
    store = opened(tmp_path)
    vectors = some(3)
    store.put(keys("a", "b", "c"), vectors)
    fields = record_type(WIDTH).fields
    assert fields is not None
    with open(store.path, "r+b") as file:
        file.seek(HEADER_BYTES + RECORD + fields[place][1])
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    assert opened(tmp_path).get(keys("a", "b", "c"))[1].tolist() == [1]
    store.put(keys("b"), vectors.take([1]))
    found, missing = opened(tmp_path).get(keys("a", "b", "c"))
    assert not len(missing)
    assert same(found, vectors)


@pytest.mark.parametrize("lost", [1, RECORD - 1, RECORD, RECORD + 5, 3 * RECORD, 3 * RECORD + 9])
def test_a_torn_tail_costs_what_was_in_it(tmp_path: Path, lost: int) -> None:
    store = opened(tmp_path)
    vectors = some(3)
    store.put(keys("a", "b", "c"), vectors)
    os.truncate(store.path, store.path.stat().st_size - lost)
    whole = 3 - -(-lost // RECORD)
    if lost <= 3 * RECORD:
        assert opened(tmp_path).get(keys("a", "b", "c"))[1].tolist() == list(range(whole, 3))
    opened(tmp_path).put(keys("a", "b", "c"), vectors)
    found, missing = opened(tmp_path).get(keys("a", "b", "c"))
    assert not len(missing)
    assert same(found, vectors)
    assert (store.path.stat().st_size - HEADER_BYTES) % RECORD == 0


@pytest.mark.parametrize("error", [FileNotFoundError, PermissionError])
def test_a_file_that_is_gone_or_closed_costs_its_vectors(
    tmp_path: Path, error: type[OSError], monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """Another process deleted the file meanwhile, or the user may not read it."""
    opened(tmp_path).put(keys("a", "b"), some(2))

    def refuse(*_: object) -> None:
        raise error("no")

    monkeypatch.setattr(np, "memmap", refuse)
    found, missing = opened(tmp_path).get(keys("a", "b"))
    assert missing.tolist() == [0, 1]
    assert not found.mu.any()
    assert ("cannot be read" in caplog.text) == (error is PermissionError)


def test_of_two_records_the_later_counts(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.put(keys("a", "b"), some(2, seed=1))
    store.put(keys("a"), some(1, seed=2))
    assert same(store.get(keys("a"))[0], some(1, seed=2))


def put_many(folder: Path, seed: int) -> None:
    for start in range(0, 200, 10):
        texts = [f"{seed} {i}" for i in range(start, start + 10)]
        opened(folder).put(keys(*texts), some(10, seed=1000 * seed + start))


def test_processes_share_a_file(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=put_many, args=(tmp_path, seed)) for seed in (1, 2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    store = opened(tmp_path)
    assert len(store) == 400
    for seed in (1, 2):
        for start in range(0, 200, 10):
            texts = [f"{seed} {i}" for i in range(start, start + 10)]
            found, missing = store.get(keys(*texts))
            assert not len(missing)
            assert same(found, some(10, seed=1000 * seed + start))


def test_a_folder_that_cannot_be_made_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    store = opened(tmp_path / "file" / "below")
    for _ in range(2):
        store.put(keys("a"), some(1))
    assert caplog.text.count("vectors are not kept") == 1


def test_only_missing_texts_are_embedded(
    model: stage2.ProbabilisticGBERTV4, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EmbeddingCache(tmp_path, 64, {}, {"model": "tiny", "precision": "fp32"})
    texts = ["the count", "of monte cristo", "the count", "old ship", "sailed"]
    spans: list[list[tuple[int, int]]] = [[], [(3, 8)], [(4, 9)], [], []]
    seen: list[int] = []
    forward = type(model).forward
    monkeypatch.setattr(
        type(model), "forward", lambda self, b: seen.append(len(b.input_ids)) or forward(self, b)
    )
    monkeypatch.setattr("stage2.encoding.encode.WINDOW", 2)

    def embed(rows: list[int]) -> Embeddings:
        return encode_windows(
            model,
            len(rows),
            lambda part: Texts(
                [texts[rows[i]] for i in part],
                [spans[rows[i]] for i in part],
                ["document"] * len(part),
            ),
            precision="fp32",
            cache=store,
        )

    embed([0, 1, 0])
    assert sum(seen) == 2
    everything = embed([0, 1, 2, 3, 4, 3])
    assert sum(seen) == 5
    again = embed([0, 1, 2, 3, 4, 3])
    assert sum(seen) == 5
    assert same(everything, again)
    expected = model.encode(texts, spans, precision="fp32")
    np.testing.assert_allclose(again.mu[:5], expected.mu, atol=1e-6)
    np.testing.assert_allclose(again.entity[:5], expected.entity, atol=1e-6)
    assert again.entity_count.tolist() == [0, 1, 1, 0, 0, 0]


@pytest.mark.parametrize("source", ["candidates", "corpus"])
def test_a_second_mine_loads_no_model_and_writes_the_same(
    stage2: Stage2,
    corpus: dict[str, Path],
    model_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
) -> None:
    flags = ["--model", model_dir, "--embedding-cache", tmp_path / "kept", "--source", source]
    flags += ["--topk", 1, *data_flags(corpus)]
    stage2("mine", *flags, "--output-dir", tmp_path / "first")

    def refuse(self: LazyModel) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(LazyModel, "model", property(refuse))
    stage2("mine", *flags, "--output-dir", tmp_path / "second")
    first, second = tree(tmp_path / "first"), tree(tmp_path / "second")
    for name in (files.EVALUATION, files.HARD, files.MINING_SUMMARY):
        assert first[name] == second[name]


def test_new_chunks_load_the_model_and_are_added(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    flags = ["--model", model_dir, "--embedding-cache", kept, "--source", "corpus"]
    qa = ["--qa", corpus["qa"]]
    stage2("mine", *flags, *qa, "--chunks", corpus["chunks"], "--output-dir", tmp_path / "1")
    before = cache.cache_files(kept)[0].entries
    rows = [json.loads(line) for line in corpus["chunks"].read_text().splitlines()]
    rows.append({"chunk_id": "new", "text": "treasure island"})
    more = write_jsonl(tmp_path / "more.jsonl", rows)
    stage2("mine", *flags, *qa, "--chunks", more, "--output-dir", tmp_path / "2")
    assert cache.cache_files(kept)[0].entries == before + 1


def test_precisions_are_kept_apart_and_off_is_off(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    flags = ["--model", model_dir, *data_flags(corpus), "--overwrite"]
    stage2("mine", *flags, "--embedding-cache", "off")
    assert not cache.cache_files(kept)
    for precision in ("fp32", "bf16"):
        stage2("mine", *flags, "--embedding-cache", kept, "--precision", precision)
    assert sorted(item.precision for item in cache.cache_files(kept)) == ["bf16", "fp32"]


def test_a_run_fills_the_cache_for_a_later_evaluation(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    flags = ["--embedding-cache", kept, *data_flags(corpus)]
    out = tmp_path / "run"
    stage2("run", *flags, "--model", model_dir, "--topk", 1, "--epochs", 1, "--output-dir", out)
    sizes = {item.path: item.size for item in cache.cache_files(kept)}
    assert len(sizes) in (2, 3), "backbone, stage 1, and what was shipped where that is another"
    models = ["--model", model_dir, "--model", out / files.SHIPPED_MODEL]
    stage2("evaluate", *flags, *models, "--output-dir", tmp_path / "compared")
    assert {item.path: item.size for item in cache.cache_files(kept)} == sizes


def test_a_file_for_a_folder_is_refused(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    flags = ["--model", model_dir, "--embedding-cache", tmp_path / "file", *data_flags(corpus)]
    result = stage2("mine", *flags, exit_code=2)
    assert "expected auto, off or a folder" in result.output
    assert not (tmp_path / "out").exists()


def test_reading_is_use(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.put(keys("a"), some(1))
    age(store.path, 10)
    store.get(keys("a"))
    assert cache.cache_files(tmp_path)[0].age < 1


def test_folder_of_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.folder_of("off") is None
    assert cache.folder_of("here") == Path("here")
    found = cache.folder_of("auto")
    assert found is not None
    assert "stage2" in found.parts
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInputError, match="is a file"):
        cache.folder_of(str(tmp_path / "file"))


def test_a_pipe_for_a_file_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = opened(tmp_path)
    os.mkfifo(store.path)
    store.put(keys("a"), some(1))
    assert "is no regular file" in caplog.text
    assert store.get(keys("a"))[1].tolist() == [0]


def test_a_lock_that_is_not_let_go_is_waited_for_a_while_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cache, "QUIET", 0.0)
    monkeypatch.setattr(cache, "PATIENCE", 0.0)
    caplog.set_level("INFO", "stage2")
    store = opened(tmp_path)
    with FileLock(tmp_path / cache.LOCK, is_singleton=False):
        store.put(keys("a"), some(1))
        store.put(keys("b"), some(1))
    said = caplog.text
    caplog.clear()
    assert said.count(f"for {tmp_path / cache.LOCK}, which another process holds") == 1
    assert said.count("vectors are not kept: another process holds") == 1
    assert not store.path.exists()
    opened(tmp_path).put(keys("a"), some(1))
    assert not caplog.records
    assert len(opened(tmp_path)) == 1
