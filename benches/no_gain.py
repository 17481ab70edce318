"""Check and run data on which training should not help, and measure what is shipped.

    python -m benches.no_gain [--precision bf16] [--only scrambled]

Five data sets are made from the training side of XQuAD, split 0 of `benches.defaults`. For each,
the table has what `check` says beforehand, what `run` ships, and its MRR on the questions that the
split holds out, with their true labels, over the whole corpus. Finished rows are kept in
benches/no_gain.jsonl. The table is printed, and written to docs/check.md when all rows are there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benches import report
from benches.data_sets import Data, Row, xquad
from benches.defaults import (
    ROOT,
    UNTOUCHED,
    Options,
    flip_test,
    model_measures,
    parser_of,
    probability,
    program,
    start,
    write_beir,
    write_between,
)
from stage2.utils import files

CELLS = ROOT / "benches" / "no_gain.jsonl"
DOCUMENT = ROOT / "docs" / "check.md"
MARKERS = "<!-- no gain -->\n", "<!-- /no gain -->"
FEW = 20


@dataclass(frozen=True)
class Setting:
    """The material of which the data sets are made.

    Attributes:
        data: XQuAD English.
        chinese: XQuAD Chinese, the same questions and paragraphs.
        first: for each question, whether the untouched model ranks its paragraph first.
        kept: the questions of the training side.
        random: draws what is random.
    """

    data: Data
    chinese: Data
    first: Sequence[bool]
    kept: Sequence[int]
    random: np.random.Generator

    def wrong(self) -> list[list[int]]:
        """Draw a paragraph for each question that is not its own."""
        size = len(self.data.corpus)
        shifts = self.random.integers(1, size, len(self.data.truths))
        pairs = zip(self.data.truths, shifts, strict=True)
        return [[(own[0] + int(shift)) % size] for own, shift in pairs]


# The data with their labels, and which of the questions are given.
Made = tuple[Data, Sequence[int]]


def scrambled(setting: Setting) -> Made:
    """Give each question a wrong label."""
    return replace(setting.data, truths=setting.wrong()), setting.kept


def contradictory(setting: Setting) -> Made:
    """Ask each question twice, once with its own label and once with a wrong one."""
    data = setting.data
    again = [row | {"_id": f"{row['_id']}-again"} for row in data.queries]
    both = replace(data, queries=[*data.queries, *again], truths=[*data.truths, *setting.wrong()])
    return both, [*setting.kept, *(len(data.queries) + i for i in setting.kept)]


def few(setting: Setting) -> Made:
    """Give few questions."""
    return setting.data, sorted(setting.random.choice(setting.kept, FEW, replace=False).tolist())


def all_right(setting: Setting) -> Made:
    """Give the questions alone whose answer the untouched model ranks first."""
    return setting.data, [i for i in setting.kept if setting.first[i]]


def another_language(setting: Setting) -> Made:
    """Give questions and paragraphs in Chinese, which the model does not read."""
    return setting.chinese, setting.kept


CASES: Mapping[str, Callable[[Setting], Made]] = {
    "scrambled labels": scrambled,
    "labels that contradict each other": contradictory,
    f"{FEW} questions": few,
    "questions that are all right": all_right,
    "a language that the model does not read": another_language,
}


def main() -> None:
    """Make the missing rows, and write the table."""
    parser = parser_of("no_gain", __doc__)
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "no-gain")
    parser.add_argument("--only", choices=tuple(CASES), help="one data set")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    given = parser.parse_args()
    options = Options(given.work, given.precision, ())
    rows = files.read_jsonl(CELLS) if CELLS.is_file() else []
    done = {row["case"] for row in rows if row["key"] == options.key}
    for name in [given.only] if given.only else CASES:
        if name not in done:
            rows.append({"case": name, "key": options.key} | measured(name, given.data, options))
            files.write_jsonl(CELLS, rows)
            print(rows[-1], file=sys.stderr, flush=True)
    rows = [row for row in rows if row["key"] == options.key]
    text = table(rows)
    print(text)
    if len(rows) == len(CASES):
        write_between(MARKERS, text, DOCUMENT)


def measured(name: str, folder: Path, options: Options) -> Row:
    """Check and run one data set, and measure what is shipped."""
    english, chinese = (xquad(folder, 1, None, language) for language in ("en", "zh"))
    out = set(english.tests[0])
    kept = [i for i in range(len(english.queries)) if i not in out]
    model = start(english, options)
    ranks = model_measures(model, english, range(len(english.queries)), options)["rr"]
    first = [rank == 1 for rank in ranks]
    setting = Setting(english, chinese, first, kept, np.random.default_rng(0))
    data, given = CASES[name](setting)
    work = options.work / name.replace(" ", "-")
    write_beir(data, given, work / "data")
    common = ("--data", work / "data", "--model", model, "--precision", options.precision)
    program("check", *common, "--output-dir", work / "check", "--overwrite")
    program(
        "run", *common, "--test-share", 0, "--folds", 0,
        "--output-dir", work / "run", "--overwrite",
    )  # fmt: skip
    advice = files.read_json(work / "check" / files.CHECK_JSON)["advice"]
    shipped = files.read_json(work / "run" / files.RUN)["shipped"]
    # The labels of what is held out are the true ones.
    truth = chinese if data is chinese else english
    before, after = (
        model_measures(path, truth, truth.tests[0], options)["rr"]
        for path in (model, work / "run" / files.SHIPPED_MODEL)
    )
    return {
        "says": advice["text"]["en"],
        "shipped": UNTOUCHED if shipped["kind"] == "stage1" else shipped["name"],
        "before": float(np.mean(before)),
        "after": float(np.mean(after)),
        "p": flip_test(after, before),
    }


def table(rows: Sequence[Row]) -> str:
    """Write a row for each data set."""
    lines = [
        (row["case"], row["says"], row["shipped"], f"{row['before']:.4f}", f"{row['after']:.4f}",
         probability(row["p"]))
        for row in rows
    ]  # fmt: skip
    header = ("data", "`stage2 check` says", "`stage2 run` ships", "untouched", "shipped", "p")
    return report.table(header, lines) + "\n"


if __name__ == "__main__":
    main()
