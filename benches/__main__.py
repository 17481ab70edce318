"""`python -m benches [--quick] [JOB …]`: run jobs, print their tables, and write RESULTS.md."""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benches import machine, report
from benches.harness import Bench, Finding

# Each job is a module of `benches.jobs` with a function `measure(bench)`.
JOBS = (
    "parse", "reading", "search", "mining", "metrics", "ranks", "sampling", "join",
    "near_duplicates", "gazetteer", "prepare", "growth", "encode", "cache", "training", "loop",
)  # fmt: skip
# The jobs that run on a GPU.
GPU_JOBS = ("encode", "training", "loop", "search_gpu")
RESULTS = Path(__file__).with_name("RESULTS.md")


def main() -> None:
    """Run the given jobs, or all."""
    parser = argparse.ArgumentParser(prog="python -m benches", description=__doc__)
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"of {', '.join(JOBS)}; all")
    parser.add_argument(
        "--quick", action="store_true", help="smaller inputs, fewer rounds and peers; prints only"
    )
    parser.add_argument("--budget", type=float, default=10.0, metavar="SECONDS",
                        help="after which a race starts no more than three rounds")  # fmt: skip
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"),
                        help=f"cuda: {', '.join(GPU_JOBS)} on the GPU")  # fmt: skip
    options = parser.parse_args()
    if options.device == "cuda" and not _has_gpu():
        parser.error("--device cuda: torch finds no CUDA device here")
    if unknown := set(options.jobs) - {*JOBS, *GPU_JOBS}:
        parser.error(f"no such job: {', '.join(sorted(unknown))}")

    facts = machine.describe(options.device)
    machine.limit_threads(machine.cores())
    findings: list[Finding] = []
    with tempfile.TemporaryDirectory(prefix="stage2-bench-") as folder:
        bench = Bench(Path(folder), machine.cores(), budget=options.budget, device=options.device)
        if options.quick:
            bench = replace(bench, scale=0.1, rounds=(3, 3))
        for job in options.jobs or (GPU_JOBS if options.device == "cuda" else JOBS):
            start = time.perf_counter()
            for found in importlib.import_module(f"benches.jobs.{job}").measure(bench):
                findings.append(found)
                for line in report.news(found):
                    print(line, file=sys.stderr, flush=True)
            print(f"{job}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)

    document = report.document(findings, facts, options.quick, options.device)
    print(document)
    # The results of some jobs, or of smaller ones, do not replace those of all.
    if not options.jobs and not options.quick:
        before = RESULTS.read_text(encoding="utf-8") if RESULTS.is_file() else ""
        RESULTS.write_text(report.replaced(before, document), encoding="utf-8")


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


if __name__ == "__main__":
    main()
