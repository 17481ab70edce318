"""`stage2 evaluate --run RUN --qrels QRELS` prints the table of trec_eval, and writes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from stage2.cli import console
from stage2.config import Settings
from stage2.utils.errors import BadInputError


@dataclass(frozen=True)
class TrecFlags:
    """The flags that trec_eval has too, with its letters.

    Attributes:
        qrels: the file of judgements; None if the table is not asked for.
        measures: -m, the measures; empty for the official ones.
        level: -l, the least relevance of a relevant document; None for 1.
        complete: -c, whether means are over all questions of the qrels.
        per_query: --per-query, whether each question has lines too.
        expected: whether a fourth column has the expectations over all orders of equal scores.
    """

    qrels: str | None
    measures: tuple[str, ...]
    level: int | None
    complete: bool
    per_query: bool
    expected: bool

    def check(self, settings: Settings) -> None:
        """Refuse flags that would have no effect.

        Raises:
            BadInputError: one of these flags is given without --qrels, or with it another flag
                than --run and --max-decompressed; or --qrels is given without --run.
        """
        own = {
            "-m": self.measures, "-l": self.level, "-c": self.complete,
            "--per-query": self.per_query, "--expected": self.expected,
        }  # fmt: skip
        if self.qrels is None:
            if given := [flag for flag, value in own.items() if value]:
                raise BadInputError(f"{given[0]} has no effect here: it works with --qrels FILE")
            return
        if settings.run is None:
            raise BadInputError("--qrels judges a run; expected --run FILE too")
        # Every command of a script may name its folder.
        if others := sorted(settings.given - {"run", "output_dir", "max_decompressed"}):
            flag = f"--{others[0].replace('_', '-')}"
            raise BadInputError(
                f"{flag} has no effect with --qrels, which prints trec_eval's table of a run; to "
                "compare systems, leave --qrels out and give --data, or --qa and --chunks"
            )


def print_table(settings: Settings, flags: TrecFlags) -> None:
    """Print the table of trec_eval. What ties do to it is said on stderr."""
    # The flags above are known to every command, most of which need no numpy.
    from stage2.data.trec import read_qrels, read_run
    from stage2.evaluation.trec_eval import evaluate_run, wanted_measures
    from stage2.report.trec_eval_table import lines

    if flags.qrels is None or settings.run is None:
        raise ValueError("there is no run, or nothing to judge it by")
    wanted = wanted_measures(flags.measures)
    run = read_run(settings.run, settings.decompressed)
    qrels = read_qrels(flags.qrels, settings.decompressed)
    level = 1 if flags.level is None else flags.level
    table = evaluate_run(run, qrels, wanted, level, flags.complete)
    for line in lines(run.name, table, flags.per_query, flags.expected):
        console.result(line)
    if table.tied and not flags.expected:
        console.say(
            f"{table.tied} of {len(table.questions)} questions have ties with their best relevant "
            "document, which trec_eval breaks by the documents' names; --expected prints the "
            "expectation over all orders of ties beside"
        )
