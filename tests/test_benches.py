"""The code of the benchmarks, without the peers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benches import child, inputs, relabel, report
from benches.data_sets import Data
from benches.draw import draw_and_repair
from benches.harness import Bench, Claim, Details, Limit, MismatchError, Peer, Ratio, Timing, expect
from benches.jobs import growth, join, loop, ranks, sampling
from stage2.encoding.embeddings import Embeddings
from stage2.models.hub import DEFAULT_HUB_ID, default_backbone
from stage2.utils.device import gains_from_bf16


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """Restore the number of torch's threads after a job has set it."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, threads=1, scale=0.001, rounds=(1, 2), budget=0.0)


def no_check(_ours: object, _theirs: object) -> None:
    pass


def equal(ours: int, theirs: int) -> None:
    expect(ours == theirs, f"{ours} is not {theirs}")


def test_a_race_gives_each_claim_its_best_peer_and_all_times(bench: Bench) -> None:
    calls = []

    def peer(name: str) -> Peer:
        return Peer(name, lambda: calls.append(name) or 7, equal)

    claims = [Claim("all", ("a", "b"), 2), Claim("one", ("b",), None)]
    first, second, details = bench.race("race", lambda: 7, [peer("a"), peer("b")], claims)
    assert calls == ["a", "b", "a", "b"], "answers first, then in turn"
    assert isinstance(first, Ratio)
    assert isinstance(second, Ratio)
    assert second.best.name == "b"
    assert isinstance(details, Details)
    assert [side.name for side in details.timings] == ["stage2", "a", "b"]
    assert first.best.median == min(side.median for side in details.timings[1:])


def test_a_wrong_answer_fails_before_anything_is_timed(bench: Bench) -> None:
    calls = []
    race = bench.race("race", lambda: calls.append(1), [Peer("wrong", lambda: 8, equal)], [])
    with pytest.raises(MismatchError, match="None is not 8"):
        next(race)
    assert calls == [1]


def test_each_kind_of_machine_has_its_part_of_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report.machine, "versions", lambda device: [("peer", "1")])
    kinds = {
        "a GPU": [("GPU", "?"), ("instructions", "AVX2")],
        "a CPU with AVX2": [("instructions", "AVX2, AVX VNNI")],
        "a CPU with AVX-512 BF16": [("instructions", "AVX2, AVX-512, AVX-512 VNNI, AVX-512 BF16")],
        "a CPU": [],
    }
    parts = {kind: report.document([], facts, quick=False) for kind, facts in kinds.items()}
    text = ""
    for kind, part in parts.items():
        assert part.startswith(f"# Benchmarks on {kind}\n")
        text = report.replaced(text, part)
    assert text == "\n".join(reversed(parts.values()))
    anew = parts["a GPU"].replace("?", "!")
    rest = [part for kind, part in reversed(parts.items()) if kind != "a GPU"]
    assert report.replaced(text, anew) == "\n".join([anew, *rest])


def test_a_part_of_the_job_counts_for_the_whole() -> None:
    ours = Timing("stage2", wall=[1.0, 2.0, 9.0])
    part = Timing("scan", scale=40.0, wall=[0.5])
    assert Ratio(Claim("join", ("scan",), 8), ours, part).value == 10


def test_tables_tell_what_is_met_and_what_is_short() -> None:
    assert report.verdict(8.0, 8) == "met"
    assert report.verdict(6.0, 8) == "short by 25%"
    assert report.verdict(1.05, 1.1, at_least=False) == "met"
    assert report.verdict(2.2, 1.1, at_least=False) == "short by 50%"
    assert report.verdict(8.0, None) == "–"
    assert report.table(("a", "long"), [("22", "3")]).splitlines() == [
        "| a  | long |",
        "| -- | ---- |",
        "| 22 | 3    |",
    ]


@pytest.mark.parametrize("job", [join, ranks, sampling])
def test_jobs_without_peers_to_install_agree(bench: Bench, job) -> None:
    *ratios, details = job.measure(bench)
    assert all(isinstance(ratio, Ratio) and ratio.claim.target for ratio in ratios)
    assert isinstance(details, Details)
    assert all(ratio.best.name in report.news(ratio)[0] for ratio in ratios)
    assert report.ratios(ratios)
    assert report.details([details])


@pytest.mark.skipif(default_backbone() == DEFAULT_HUB_ID, reason="the extra minilm is not there")
def test_the_first_scripts_loop_gives_the_same_answer(
    tmp_path: Path, monte_cristo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "QUICK_BACKBONE", (1, 32, 2))
    bench = Bench(tmp_path, threads=1, scale=0.1, rounds=(1, 1), budget=0.0)
    found = [item for item in loop.measure(bench) if isinstance(item, Ratio)]
    # If the processor gains from half precision: against the script's float32, both in half
    # precision, and both in float32.
    half = gains_from_bf16(torch.device("cpu"))
    assert [ratio.claim.target for ratio in found] == [10] * (3 if half else 1)


def test_a_job_of_minutes_is_run_once(bench: Bench) -> None:
    calls = []
    once = replace(bench, rounds=(1, 1))
    (details,) = once.race("race", lambda: calls.append(1), [Peer("a", lambda: 7, no_check)], [])
    assert calls == [1]
    assert [len(side.wall) for side in details.timings] == [1, 1]


def test_growth_is_the_exponent_of_a_tenfold_step(bench: Bench) -> None:
    found = list(growth.measure(bench))
    assert all(isinstance(limit, Limit) and "10^" in limit.measured for limit in found)
    assert len(report.limits(found).splitlines()) == 2 + len(found)


def test_even_draws_pass_and_others_do_not() -> None:
    own = np.array([3, 5])
    fine = np.array([[250_000, 750_000], [300_000, 700_000]])
    sampling.check(fine, own)
    for wrong in ([[3, 999_999]] * 2, [[7, 7]] * 2, [[-1, 1_000_001]] * 2):
        with pytest.raises(MismatchError):
            sampling.check(np.array(wrong), own)
    with pytest.raises(MismatchError, match="uniform"):
        sampling.check(np.tile(np.arange(20), (500, 1)) + 10, own[:1].repeat(500))


def test_a_childs_memory_is_its_own(tmp_path: Path) -> None:
    ballast = np.ones(50_000_000)  # 400 MB, all of it touched
    small = child.peak_memory([sys.executable, "-c", ""])
    large = child.peak_memory([sys.executable, "-c", "bytearray(b'x') * 100_000_000"])
    assert small < ballast.nbytes / 4
    assert large - small == pytest.approx(100_000_000, rel=0.1)


def test_files_are_made_once_and_can_be_read(tmp_path: Path) -> None:
    chunks = inputs.chunks_file(tmp_path, 50)
    before = chunks.read_bytes()
    assert inputs.chunks_file(tmp_path, 50).read_bytes() == before
    questions = inputs.questions_file(tmp_path, 10, 50)
    dataset = growth.load(Bench(tmp_path, threads=1), 10, 50)()
    assert (dataset.num_qa, dataset.num_chunks) == (10, 50)
    assert dataset.relevant.tolist() == list(range(0, 50, 5))
    assert dataset.chunk_texts[:] == list(inputs.texts(50, seed=1))
    assert questions.exists()


def test_the_obvious_draw_repairs_what_comes_twice() -> None:
    own = np.arange(30)
    drawn = draw_and_repair(own, 5, 30)
    assert all(len({*row, gold}) == 6 for row, gold in zip(drawn.tolist(), own, strict=True))


def test_corrupted_labels_are_as_many_as_told_and_are_told_apart() -> None:
    random = np.random.default_rng(0)
    corpus = [{"_id": f"d{i}", "text": f"text {i}"} for i in range(50)]
    truths = [[i] if i % 2 else [i, i + 1] for i in range(40)]
    queries = [{"_id": f"q{i}", "text": f"question {i}"} for i in range(40)]
    data = Data("name", queries, corpus, truths, [])
    chunks = Embeddings.empty(50, 8)
    chunks.mu[:] = random.normal(size=(50, 8))
    vectors = relabel.Vectors(Embeddings.empty(40, 8), chunks)
    for kind in relabel.KINDS:
        made = relabel.corrupt(data, vectors, kind, 1)
        assert made.truths == relabel.corrupt(data, vectors, kind, 1).truths
        changed = [i for i in range(40) if made.truths[i] != truths[i]]
        assert len(changed) == 4
        for row in changed:
            assert made.truths[row]
            gone, new = set(truths[row]) - set(made.truths[row]), set(made.truths[row])
            assert len(gone) == 1
            pairs = [(row, chunk) for chunk in gone | (new - set(truths[row]))]
            assert all(relabel.is_wrong(pair, data, made) for pair in pairs)
        wrong = sum(len(set(own) - set(was)) for own, was in zip(made.truths, truths, strict=True))
        found, _ = relabel.chance(data, made, 10)
        assert found == pytest.approx(10 * wrong / sum(map(len, made.truths)))
