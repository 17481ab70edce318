"""Systems without a model of ours: the ranks of their vectors and runs, and the gate."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from stage2.cli.main import program
from stage2.cli.stage1 import embedding_cache
from stage2.config import Settings
from stage2.encoding.cache import cache_files
from stage2.encoding.encode import encode_windows
from stage2.encoding.endpoint import KEY_VARIABLE
from stage2.encoding.tokens import Role, Texts
from stage2.models.auto import load_model
from stage2.utils import files
from stage2.utils.arrays import Ints
from tests.conftest import Stage2, read_jsonl, tree
from tests.encoding.test_endpoint import KEY, Server, server  # noqa: F401
from tests.sentence_models import KINDS, write_model

ROOT = Path(__file__).resolve().parents[2]
# The last bits of a vector depend on the batch in which its text was read, and a cache that other
# tests share may have them from any batch. So the model has a cache of its own, from which both its
# files of vectors and its ranks come.
CACHE = "cache"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, corpus: dict[str, Path]) -> Path:
    """Write a model, its vectors, two runs and qrels."""
    to = tmp_path_factory.mktemp("systems")
    shutil.copytree(write_model(next(iter(KINDS.values())), to / "made"), to / "model")
    model = load_model(to / "model")
    qa, chunks = read_jsonl(corpus["qa"]), read_jsonl(corpus["chunks"])
    settings = Settings(model=str(to / "model"), precision="fp32", embedding_cache=str(to / CACHE))
    cache = embedding_cache(settings, to / "model")
    sides: tuple[tuple[str, list[str], list[str], Role], ...] = (
        ("questions", [r["qa_id"] for r in qa], [r["question"] for r in qa], "query"),
        ("corpus", [r["chunk_id"] for r in chunks], [r["text"] for r in chunks], "document"),
    )
    for name, ids, texts, role in sides:
        read = _reader(texts, role)
        found = encode_windows(model, len(texts), read, precision="fp32", cache=cache)
        np.save(to / f"{name}.npy", found.mu)
        (to / f"{name}.ids.txt").write_text("".join(f"{one}\n" for one in ids))
    assert cache is not None
    assert len(cache) == len(qa) + len(chunks)
    others = [row["chunk_id"] for row in chunks]
    for name, first in (("new", True), ("old", False)):
        lines = []
        for row in qa:
            wrong = [one for one in others if one != row["chunk_id"]][:5]
            order = [row["chunk_id"], *wrong] if first else [*wrong, row["chunk_id"]]
            lines += [f"{row['qa_id']} Q0 {one} {i} {-i} {name}" for i, one in enumerate(order, 1)]
        (to / f"{name}.run").write_text("\n".join(lines))
    judged = [f"{row['qa_id']} 0 {row['chunk_id']} 1" for row in qa]
    (to / "test.qrels").write_text("\n".join(judged))
    (to / "qa.json").write_text(json.dumps(qa))
    shutil.copy(corpus["chunks"], to / "chunks.jsonl")
    return to


def _reader(texts: Sequence[str], role: Role) -> Callable[[Ints], Texts]:
    def read(rows: Ints) -> Texts:
        return Texts([texts[row] for row in rows], [()] * len(rows), [role] * len(rows))

    return read


def data(folder: Path) -> list[object]:
    return ["--qa", folder / "qa.json", "--chunks", folder / "chunks.jsonl"]


def vectors(folder: Path, prefix: str = "") -> list[object]:
    return [f"--{prefix}question-vectors", folder / "questions.npy",
            f"--{prefix}corpus-vectors", folder / "corpus.npy"]  # fmt: skip


def model_of(folder: Path) -> list[object]:
    return ["--model", folder / "model", "--precision", "fp32",
            "--embedding-cache", folder / CACHE]  # fmt: skip


def test_a_models_own_vectors_have_its_ranks(stage2: Stage2, folder: Path, tmp_path: Path) -> None:
    by_model, by_vectors = tmp_path / "model", tmp_path / "vectors"
    stage2("evaluate", *data(folder), *model_of(folder), "--output-dir", by_model)
    stage2("evaluate", *data(folder), *vectors(folder), "--output-dir", by_vectors)
    texts = len(files.read_json(folder / "qa.json")) + len(read_jsonl(folder / "chunks.jsonl"))
    assert [one.entries for one in cache_files(folder / CACHE)] == [texts]
    rows = read_jsonl(by_model / files.PER_QUESTION)
    assert read_jsonl(by_vectors / files.PER_QUESTION) == rows
    written = [folder / files.PER_QUESTION for folder in (by_model, by_vectors)]
    assert written[0].read_bytes() == written[1].read_bytes()
    mined = [tmp_path / "mined-by-model", tmp_path / "mined-by-vectors"]
    for system, out in zip((model_of(folder), vectors(folder)), mined, strict=True):
        stage2("mine", *data(folder), *system, "--source", "corpus", "--output-dir", out)
    one, other = (tree(out) for out in mined)
    for name in (files.CONSTRUCTED, files.EVALUATION, files.HARD, files.AUDIT_ROWS):
        assert one[name] == other[name]
    samples = ["--data", mined[0] / files.CONSTRUCTED]
    audits = [tmp_path / "a", tmp_path / "b"]
    # An audit keeps no vectors, so that the model reads the texts again; its rows have four digits.
    read_again = model_of(folder)[:4]
    for system, out in zip((read_again, vectors(folder)), audits, strict=True):
        stage2("audit", *samples, *system, "--output-dir", out)
    assert tree(audits[0])[files.AUDIT_ROWS] == tree(audits[1])[files.AUDIT_ROWS]


def test_an_audit_by_a_run(stage2: Stage2, folder: Path, tmp_path: Path) -> None:
    """A negative is above its ground truth where the run has it so, and nowhere else."""
    ranked = {
        name: {
            (line.split()[0], line.split()[2]): float(line.split()[4])
            for line in (folder / f"{name}.run").read_text().splitlines()
        }
        for name in ("old", "new")
    }
    truth = {row["qa_id"]: row["chunk_id"] for row in json.loads((folder / "qa.json").read_text())}
    counts = {}
    for name, scores in ranked.items():
        out = tmp_path / name
        call = [*data(folder), "--run", folder / f"{name}.run", "--review"]
        said = stage2("audit", *call, "--output-dir", out).stderr
        assert "a run has no vectors. Not looked at: whether a passage is near every" in said
        stage2("prepare", *data(folder), "--output-dir", tmp_path / f"{name}-samples")
        rows = read_jsonl(tmp_path / f"{name}-samples" / files.CONSTRUCTED)
        expected = {
            (row["qa_id"], other)
            for row in rows
            for other in row["negative_chunk_ids"]
            if scores.get((row["qa_id"], other), -9.0) > scores[row["qa_id"], truth[row["qa_id"]]]
        }
        found = {
            (row["qa_id"], row["chunk_id"])
            for row in read_jsonl(out / files.AUDIT_ROWS)
            if row["check"] == "model_above"
        }
        assert found == expected
        counts[name] = len(found)
        labels = [row for row in read_jsonl(out / files.REVIEW_ROWS) if row["kind"] == "label"]
        assert len(labels) == (len(rows) if name == "old" else 0)
    assert counts["old"] > counts["new"] == 0


def test_the_gate_of_a_release(stage2: Stage2, folder: Path, tmp_path: Path) -> None:
    gate = ["evaluate", *data(folder), "--fail-if-regressed"]
    old, new = folder / "old.run", folder / "new.run"
    better = stage2(*gate, "--before-run", old, "--run", new, "--output-dir", tmp_path / "b")
    assert "Better on 12 questions" in better.output
    worse = stage2(*gate, "--before-run", new, "--run", old, exit_code=3)
    assert "regressed: Worse on 12 questions" in worse.stderr
    comparison = json.loads((tmp_path / "out" / files.COMPARISON).read_text())
    assert comparison["models"] == [str(new), str(old)]
    same = ["--before-model", folder / "model", "--precision", "fp32", *vectors(folder)]
    stage2(*gate, *same, "--output-dir", tmp_path / "same")
    refused = stage2(*gate, "--run", new, "--output-dir", tmp_path / "one", exit_code=2)
    assert "--fail-if-regressed compares two systems" in refused.stderr


def test_a_server_is_measured_and_its_key_is_nowhere(
    stage2: Stage2,
    folder: Path,
    tmp_path: Path,
    server: Server,  # noqa: F811
) -> None:
    call = [*data(folder), "--endpoint", f"{server.url}/embed", "--embedding-cache", tmp_path / "c"]
    done = stage2("evaluate", *call)
    sent = len(server.seen)
    again = stage2("mine", *call, "--source", "corpus", "--output-dir", tmp_path / "mined")
    # The vectors are in the cache: it is asked for the width alone.
    assert len(server.seen) == sent + 1
    written = b"".join(tree(tmp_path).values()) + (done.output + again.output).encode()
    assert KEY.encode() not in written
    server.answer = lambda *_: (500, {}, KEY.encode())
    shown = CliRunner().invoke(
        program, ["--debug", "evaluate", *map(str, call[:-2]), "--endpoint", "http://127.0.0.1:1/embed",
                  "--output-dir", str(tmp_path / "failed")],
    )  # fmt: skip
    assert shown.exit_code == 1
    assert "no answer" in shown.stderr
    assert KEY not in shown.output
    assert not (tmp_path / "failed").exists()


REFUSED: list[tuple[list[str], str]] = [
    (["--run", "new.run", "--endpoint", "http://x/embed"], "--run and --endpoint each name"),
    (["--question-vectors", "questions.npy"], "--question-vectors needs --corpus-vectors FILE too"),
    (["--run", "new.run", "--model", "model", "--before-run", "old.run"], "several systems"),
    (["--run", "new.run", "--similarity", "cosine"], "--similarity cosine has no effect here"),
    (["--model", "model", "--similarity", "dot"], "a model says itself how its vectors"),
    (["--run", "new.run", "--precision", "fp32"], "--precision fp32 has no effect here"),
    (["--run", "new.run", "--query-prompt", "q"], "--query-prompt q has no effect here"),
    (["--run", "new.run", "--endpoint-model", "m"], "it works with --endpoint URL"),
    (["--run", "other.run"], "1 documents, such as 'nope', are not in the corpus"),
    (["--run", "test.qrels"], "has 4 fields; expected 6"),
    (["--run", "new.run", "-m", "map"], "-m has no effect here: it works with --qrels FILE"),
    (["--qrels", "test.qrels"], "expected --run FILE too"),
    ([], "there is nothing to measure"),
]


@pytest.mark.parametrize(("flags", "said"), REFUSED, ids=str)
def test_a_refused_call_writes_nothing(
    stage2: Stage2, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    flags: list[str], said: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(folder)
    (folder / "other.run").write_text("q00 Q0 nope 1 1 t\n")
    refused = stage2("evaluate", *data(folder), *flags, exit_code=2)
    assert said in refused.stderr
    assert not (tmp_path / "out").exists()


def test_the_page_of_the_gate_runs_as_shown(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shutil.copytree(folder, tmp_path / "here"))
    text = (ROOT / "docs" / "release-gate.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ (stage2 .*)$", text, flags=re.MULTILINE)
    assert len(commands) == 7
    assert KEY_VARIABLE in text
    job = re.findall(r"- run: (stage2 .*)$", text, flags=re.MULTILINE)
    assert job == commands[-1:]
    for command in commands:
        done = CliRunner().invoke(program, shlex.split(command)[1:])
        assert done.exit_code == 0, done.output
