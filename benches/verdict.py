"""How often the verdict is right, measured by simulated experiments with and without an effect.

    python -m benches.verdict            writes benches/VERDICT.md

An experiment has 400 questions, each with a rank among 100 before and after. The verdict is that of
`stage2 run`: a two-sided paired randomisation test of MRR with 10,000 swaps at 5%. The logarithm of
a rank is the question's difficulty plus noise. Before and after share 70% of the noise, as a model
and its fine-tuned version do. Without an effect both are equally good. With it, ten more questions
in a hundred have rank 1 after. In `grouped` five questions belong to each chunk and share noise, as
in a corpus of paragraphs. In `strangers` before and after share no noise, as two unrelated models.
`grouped strangers` are both.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stage2.evaluation.statistics import paired_differences, verdict_of

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=EXPERIMENTS)
    count = parser.parse_args().experiments
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
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
