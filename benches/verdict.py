"""How often the verdict is right, measured by simulated experiments with and without an effect.

    python -m benches.verdict            writes benches/VERDICT.md

An experiment has 400 questions, each with a rank among 100 before and after. The verdict is that of
`stage2 run`: a two-sided paired randomisation test of MRR with 10,000 swaps at 5%. The logarithm of
a rank is the question's difficulty plus noise. Before and after share 70% of the noise, as a model
and its fine-tuned version do. Without an effect both are equally good. With it, ten more questions
in a hundred have rank 1 after. In `grouped` five questions belong to each chunk and share noise, as
in a corpus of paragraphs. In `strangers` before and after share no noise, as two unrelated models.
`grouped strangers` are both.

    python -m benches.verdict --not-worse    writes the section on guards alone, in a minute

There some questions lose half of their reciprocal rank, as many as make the true loss. In `all or
nothing` there is no noise, and a question that loses loses everything. A margin is kept if a model
that is worse by all of it is called not worse in at most 5% of experiments.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stage2.evaluation.non_inferiority import NOT_WORSE, UNDECIDED, WORSE, non_inferiority
from stage2.evaluation.statistics import (
    LEVEL,
    bootstrap,
    paired_differences,
    sums_of_groups,
    verdict_of,
)

EXPERIMENTS = 1000
QUESTIONS = 400
PER_CHUNK = 5
SHARED = 0.7
KINDS = ("independent", "grouped", "strangers", "grouped strangers")
RESULTS = Path(__file__).with_name("VERDICT.md")
WORDS = ("better", "no_evidence", "worse")

Doubles = npt.NDArray[np.float64]


def experiment(seed: int, effect: float, kind: str) -> tuple[Doubles, npt.NDArray[np.int64] | None]:
    """Simulate an experiment.

    Returns:
        The differences of reciprocal rank, after minus before, float64 (n,); and the group of each
        question, or None.
    """
    generator = np.random.default_rng([seed, int(1000 * effect), KINDS.index(kind)])
    chunks = np.arange(QUESTIONS) // PER_CHUNK
    difficulty = generator.normal(0, 1, QUESTIONS)
    common = 0.0 if "strangers" in kind else generator.normal(0, SHARED**0.5, QUESTIONS)
    own = 1.0 if "strangers" in kind else (1 - SHARED) ** 0.5

    def reciprocal_ranks() -> Doubles:
        noise = generator.normal(0, own, QUESTIONS)
        if "grouped" in kind:  # a model that embeds a chunk well finds it for all its questions
            of_chunk = generator.normal(0, own, QUESTIONS // PER_CHUNK)[chunks]
            noise = (noise + of_chunk) / 2**0.5
        return 1 / np.clip(np.round(np.exp(difficulty + common + noise)), 1, 100)

    before, after = reciprocal_ranks(), reciprocal_ranks()
    missed = np.flatnonzero(after < 1)
    after[generator.choice(missed, round(effect * QUESTIONS), replace=False)] = 1
    return after - before, chunks if "grouped" in kind else None


def shares(effect: float, kind: str, experiments: int) -> dict[str, float]:
    """Return the share of experiments with each verdict."""
    words = []
    for seed in range(experiments):
        differences, groups = experiment(seed, effect, kind)
        words.append(verdict_of(paired_differences([differences], groups, seed)[0]))
    return {word: words.count(word) / experiments for word in WORDS}


# The questions, the margin and the true loss of each experiment on guards.
NOT_WORSE_ROWS = (
    *((30, 0.1, 0.1), (400, 0.05, 0.05), (400, 0.01, 0.01)),
    *((30, 0.1, 0.0), (400, 0.05, 0.0)),
    *((30, 0.1, 0.2), (400, 0.05, 0.1)),
)
LOSING = ("independent", "grouped", "all or nothing")
# With 10,000 draws it would take ten minutes.
DRAWS = 1000
HEADING = "## How often a guard is right"


def losing(
    seed: int, kind: str, questions: int, loss: float
) -> tuple[Doubles, npt.NDArray[np.int64] | None]:
    """Simulate questions of a guard whose mean reciprocal rank truly falls by `loss`.

    Returns:
        As `experiment` does.
    """
    generator = np.random.default_rng([seed, int(1000 * loss), questions, LOSING.index(kind)])
    if kind == "all or nothing":
        return -(generator.random(questions) < loss).astype(np.float64), None
    # Changes for the better and for the worse are as likely, before some questions lose.
    grouped = kind == "grouped"
    chunks = np.arange(questions) // (PER_CHUNK if grouped else 1)
    units = int(chunks[-1]) + 1
    before = 1 / np.clip(np.round(np.exp(np.abs(generator.normal(0, 1, questions)))), 1, 100)
    noise = generator.choice([-0.2, 0.0, 0.2], units, p=[0.15, 0.7, 0.15])[chunks]
    # The share of questions that lose half follows from the mean reciprocal rank.
    lost = generator.random(units)[chunks] < 2 * loss / _MEAN
    return noise - np.where(lost, before / 2, 0.0), chunks if grouped else None


def _mean() -> float:
    draws = np.abs(np.random.default_rng(0).normal(0, 1, 1_000_000))
    return float((1 / np.clip(np.round(np.exp(draws)), 1, 100)).mean())


_MEAN = _mean()


def not_worse_shares(
    kind: str, row: tuple[int, float, float], experiments: int
) -> tuple[dict[str, float], float]:
    """Return the share of each verdict, and that of `not worse` by a plain bootstrap."""
    questions, margin, loss = row
    words, plain = [], 0
    for seed in range(experiments):
        differences, groups = losing(seed, kind, questions, loss)
        words.append(non_inferiority(differences, groups, margin, seed, DRAWS).verdict)
        sums, sizes = sums_of_groups(differences[None], groups)
        ends = bootstrap(sums, sizes, np.random.default_rng(seed), DRAWS, (LEVEL,))
        plain += bool(ends[0][0] > -margin)
    shown = {word: words.count(word) / experiments for word in (NOT_WORSE, UNDECIDED, WORSE)}
    return shown, plain / experiments


def not_worse_section(experiments: int) -> list[str]:
    """Return the lines of the section on guards."""
    lines = [
        HEADING,
        "",
        f"{experiments:,} simulated experiments a row, made by `python -m benches.verdict "
        '--not-worse`. Where the true loss is the margin, "not worse" must be said in at most 5%. '
        "The last column is what a percentile bootstrap would say.",
        "",
        "| questions | margin | true loss | kind | not worse | undecided | worse | "
        "not worse, by a bootstrap |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in NOT_WORSE_ROWS:
        for kind in LOSING:
            if kind == "all or nothing" and not row[2]:
                continue  # nothing changes at all
            found, plain = not_worse_shares(kind, row, experiments)
            cells = " | ".join(f"{share:.1%}" for share in (*found.values(), plain))
            lines.append(f"| {row[0]} | {row[1]} | {row[2]} | {kind} | {cells} |")
            print(lines[-1], flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=EXPERIMENTS)
    parser.add_argument("--not-worse", action="store_true", help="only the section on guards")
    arguments = parser.parse_args()
    count = arguments.experiments
    if arguments.not_worse:
        kept = RESULTS.read_text(encoding="utf-8").split(HEADING)[0].rstrip()
        section = "\n".join(not_worse_section(count))
        RESULTS.write_text(f"{kept}\n\n{section}\n", encoding="utf-8")
        return
    lines = [
        "# How often the verdict is right",
        "",
        f"{count:,} simulated experiments a row, {QUESTIONS} questions each, made by "
        "`python -m benches.verdict`.",
        "",
        "| effect on Top-1 | questions | better | no evidence of change | worse |",
        "| --- | --- | --- | --- | --- |",
    ]
    for effect in (0.0, 0.1):
        for kind in KINDS:
            found = shares(effect, kind, count)
            cells = " | ".join(f"{found[word]:.1%}" for word in WORDS)
            lines.append(f"| {100 * effect:+.0f} points | {kind} | {cells} |")
            print(lines[-1], flush=True)
    lines += ["", *not_worse_section(count)]
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
