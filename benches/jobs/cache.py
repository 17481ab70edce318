"""A second `stage2 mine` on an unchanged model and corpus, as a whole process."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benches import inputs
from benches.harness import Bench, Claim, Details, Finding, Ratio, Timing, expect
from stage2.models.init_model import init_model
from stage2.utils import files

CHUNKS, QUESTIONS = 10_000, 1_000


def measure(bench: Bench) -> Iterator[Finding]:
    # Inputs are reduced once more, because the real encoder would take half a minute for a tenth.
    part = 5 if bench.quick else 1
    count, questions = bench.size(CHUNKS) // part, bench.size(QUESTIONS) // part
    model, kept = bench.folder / "minilm", bench.folder / "kept"
    init_model(None, [], embedding_dim=64, max_length=128, seed=0, fit=False).save_pretrained(model)
    mine = [sys.executable, "-m", "stage2", "mine", "--source", "corpus", "--topk", "3"]
    mine += ["--qa", str(inputs.questions_file(bench.folder, questions, count))]
    mine += ["--chunks", str(inputs.chunks_file(bench.folder, count)), "--model", str(model)]
    mine += ["--embedding-cache", str(kept), "--precision", "fp32"]

    def run(out: Path) -> None:
        subprocess.run([*mine, "--output-dir", str(out)], check=True, capture_output=True)

    # The first call fills the cache, so the two cannot be timed in turn.
    first, second = Timing("first mine"), Timing("second mine")
    outs = [bench.folder / "mined-first", bench.folder / "mined-second"]
    first.time(lambda: run(outs[0]))
    for _ in range(1 if bench.quick else bench.rounds[0]):
        shutil.rmtree(outs[1], ignore_errors=True)
        second.time(lambda: run(outs[1]))
    for name in (files.EVALUATION, files.HARD, files.MINING_SUMMARY):
        left, right = ((out / name).read_bytes() for out in outs)
        expect(left == right, f"{name} differs")
    job = f"second mine of {count:,} chunks, fp32, against the first"
    yield Ratio(Claim(job, (first.name,), 20), second, first)
    yield Details(job, (second, first))
