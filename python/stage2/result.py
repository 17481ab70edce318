"""The result of a command, read from its folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stage2.cli import console
from stage2.cli.commands.report import report as write_report
from stage2.cli.sweep_table import sweep_table
from stage2.cli.sweep_trials import Outcome, read_outcomes
from stage2.config import Settings, default
from stage2.config_file import read_toml
from stage2.report.notebook import notebook_html
from stage2.report.run import Run, read_run
from stage2.report.terminal import table
from stage2.utils import files
from stage2.utils.errors import BadInputError


@dataclass(frozen=True, repr=False)
class Result:
    """The content of a run folder when it was read. A notebook shows its verdict and figures.

    Attributes:
        run: the contents of the folder's files.
    """

    run: Run

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> Result:
        """Read a run folder, whichever command made it.

        Raises:
            BadInputError: there is no run in the folder, or a file of it is damaged.
        """
        if not (Path(folder) / files.RUN).is_file():
            raise BadInputError(f"{folder}: no run there; expected a folder of stage2")
        return cls(read_run(Path(folder)))

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.run.folder

    @property
    def verdict(self) -> str | None:
        """`better`, `worse` or another word of the verdict; None if two were not compared."""
        word: str | None = self.run.comparison.get("verdict", {}).get("word")
        return word

    @property
    def metrics(self) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
        """The metrics by set, by source, and by side: `metrics["test"]["corpus"]["after"]["mrr"]`.

        The sides are `before` and `after`, which are equal where one system was measured. Without
        an evaluation it is {}.
        """
        found: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
        for part in self.run.comparison.get("sets", ()):
            sides = {side: dict(part[side]) for side in ("before", "after")}
            found.setdefault(part["name"], {})[part["source"]] = sides
        return found

    @property
    def mining(self) -> Mapping[str, Any]:
        """The content of `mining_summary.json`; {} if nothing was mined."""
        return self.run.mining

    @property
    def check(self) -> Mapping[str, Any]:
        """The content of `check.json`; {} if the data were not checked.

        Its `advice` has the name of the rule that holds, `rule`, and the sentence, `text`.
        """
        return self.run.check

    @property
    def log(self) -> list[dict[str, Any]]:
        """The rows of the training log; the first is the untrained model."""
        return self.run.log

    @property
    def shipped(self) -> Mapping[str, Any]:
        """The shipped candidate and the reason for it; {} if nothing was trained."""
        return self.run.shipped

    @property
    def model(self) -> Path | None:
        """The folder of the model that was shipped; None if nothing was trained."""
        path = self.folder / files.SHIPPED_MODEL
        return path if self.shipped and path.is_dir() else None

    def table(self, language: str | None = None) -> str:
        """Return the before/after table as text.

        Args:
            language: `en` or `zh`; None means that of the run.

        Raises:
            BadInputError: nothing was evaluated.
        """
        if not self.run.comparison:
            raise BadInputError(
                f"{self.folder}: nothing was evaluated, so there is no table; stage2.run and "
                "stage2.evaluate make one"
            )
        return table(self.run.comparison, language or self.language)

    def report(self, language: str | None = None) -> Path:
        """Write the report of the folder as it is now, and return the path of the page.

        Args:
            language: `en` or `zh`; None means that of the run.

        Raises:
            BadInputError: another command works in the folder, or a file of it is damaged.
        """
        settings = Settings(output_dir=str(self.folder), language=language or self.language)
        with console.session(console.quiet()), console.library_messages():
            return write_report(settings).with_name(files.PAGE)

    @property
    def language(self) -> str:
        """The language of the run, `en` or `zh`."""
        path = self.folder / files.SETTINGS
        saved = read_toml(path) if path.is_file() else {}
        return str(saved.get("language", default("language")))

    def _repr_html_(self) -> str:
        """Return the verdict and the figures, for a notebook."""
        return notebook_html(self.run, self.language)

    def __repr__(self) -> str:
        return f"Result({str(self.folder)!r}, verdict={self.verdict!r})"


@dataclass(frozen=True, repr=False)
class SweepResult:
    """The result of a sweep, read from its folder. A notebook shows the winner's verdict.

    Attributes:
        folder: the folder of the sweep.
        outcomes: an outcome for each trial, the best first.
    """

    folder: Path
    outcomes: Sequence[Outcome]

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> SweepResult:
        """Read the folder of a sweep that has ended.

        Raises:
            BadInputError: there is no sweep in the folder, or a file of it is damaged.
        """
        path = Path(folder)
        if not (path / files.SWEEP).is_file() or not (path / files.RUN).is_file():
            raise BadInputError(f"{folder}: no sweep there; expected a folder of stage2 sweep")
        return cls(path, read_outcomes(path / files.SWEEP))

    @property
    def trials(self) -> list[dict[str, Any]]:
        """A row for each trial as in `sweep.jsonl`, the best first."""
        return [vars(one) for one in self.outcomes]

    @property
    def winner(self) -> str | None:
        """The name of the trial with the best dev MRR; None if every trial failed."""
        return next((one.trial for one in self.outcomes if one.dev is not None), None)

    @property
    def settings(self) -> Settings:
        """The winner's settings: `stage2.run(settings=found.settings, output_dir=…)`.

        Raises:
            BadInputError: every trial failed.
        """
        path = self.folder / files.WINNER
        if not path.is_file():
            raise BadInputError(
                f"{self.folder}: every trial failed, so there is no winner; why stands in "
                f"{files.SWEEP}"
            )
        return Settings(**read_toml(path))

    @property
    def test(self) -> Result:
        """Stage 1 and the winner on the test questions, which no trial has seen.

        Raises:
            BadInputError: the winner was not measured.
        """
        return Result.read(self.folder / files.TEST)

    def table(self, language: str | None = None) -> str:
        """Return a row for each trial as text, the best first.

        Args:
            language: `en` or `zh`; None means that of the sweep.
        """
        return sweep_table(self.outcomes, language or Result.read(self.folder).language)

    def _repr_html_(self) -> str:
        """Return the winner's verdict and figures, for a notebook."""
        return self.test._repr_html_()

    def __repr__(self) -> str:
        return f"SweepResult({str(self.folder)!r}, winner={self.winner!r})"
