"""The numbers of the reference's recipe on Monte Cristo, beside cross-validated ones.

    python -m benches.reference [--seeds 1 2 3] [--precision fp32]

For each seed this calls `stage2 init --no-fit` and `stage2 run --preset reference`. Finished runs
are kept in their folders and not made again. The table is written to docs/defaults.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benches import defaults, report
from stage2.utils import files

MARKERS = ("<!-- reference -->\n", "<!-- /reference -->")
# The names of sets in comparison.json, and their names in the table.
SETS = {"all": "as the reference does", "cross-validated": "cross-validated"}
METRICS = ("top1", "top3", "top5")


def main() -> None:
    """Make the missing runs, and write the table of all seeds."""
    parser = argparse.ArgumentParser(
        prog="python -m benches.reference",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    shared = defaults.ROOT.parent / "shared" / "data" / "monte_cristo"
    parser.add_argument("--data", type=Path, default=shared)
    parser.add_argument("--work", type=Path, default=defaults.ROOT / "runs" / "reference")
    parser.add_argument("--precision", default="fp32", choices=("auto", "fp32", "bf16"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    given = parser.parse_args()
    folders = {
        seed: run_folder(given.data, given.work / given.precision, seed, given.precision)
        for seed in given.seeds
    }
    text = document(
        {seed: files.read_json(folder / files.COMPARISON)["sets"]
         for seed, folder in folders.items()},
        given.precision,
        in_words(folders[given.seeds[0]]),
    )  # fmt: skip
    print(text)
    defaults.write_between(MARKERS, text)


def run_folder(data: Path, work: Path, seed: int, precision: str) -> Path:
    """Return the run folder of one seed. It is made if it does not exist."""
    folder = work / f"seed-{seed}"
    if (folder / files.COMPARISON).is_file():
        return folder
    initial = work / f"init-{seed}"
    chunks = data / "chunks.jsonl"
    if not (initial / files.STAGE1_MODEL).is_dir():
        defaults.program(
            "init", "--no-fit", "--chunks", chunks, "--seed", seed, "--output-dir", initial
        )
    # A run that was stopped is continued.
    defaults.program(
        "run", "--preset", "reference", "--qa", data / "qa.json", "--chunks", chunks,
        "--entities", data / "entities.jsonl", "--model", initial / files.STAGE1_MODEL,
        "--seed", seed, "--precision", precision, "--output-dir", folder,
    )  # fmt: skip
    return folder


def document(runs: dict[int, list[dict[str, Any]]], precision: str, words: str) -> str:
    """Write the table, and what the report of the first run says.

    Args:
        runs: the sets of `comparison.json`, by seed.
        precision: the precision of all runs.
        words: the sentence of the report.
    """
    rows = [
        (str(seed), heading, str(part["seen_in_training"]), *_changes(part))
        for seed, sets in runs.items()
        for name, heading in SETS.items()
        for part in sets
        if (part["name"], part["source"]) == (name, "candidates")
    ]
    header = ("seed", "measured", "of 50 in training", "Top-1", "Top-3", "Top-5", "MRR", "p")
    return (
        f"`stage2 init --no-fit`, `stage2 run --preset reference`, precision {precision}; ranks "
        f"among six candidates, before → after.\n\n{report.table(header, rows)}\n\n"
        f"The report of the first of these runs puts it so:\n\n> {words}\n"
    )


def in_words(folder: Path) -> str:
    """Return the sentence of a run's report about what the model remembers."""
    text = (folder / files.REPORT).read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if "What the model remembers" in line)
    return line.removeprefix("- ")


def _changes(part: dict[str, Any]) -> list[str]:
    before, after = part["before"], part["after"]
    # Questions that were trained on say nothing about others, so their test is left out.
    p = defaults.probability(part["statistics"]["mrr"]["p"]) if part["held_out"] else "–"
    changes = (f"{before[name]:.0%} → {after[name]:.0%}" for name in METRICS)
    return [*changes, f"{before['mrr']:.3f} → {after['mrr']:.3f}", p]


if __name__ == "__main__":
    main()
