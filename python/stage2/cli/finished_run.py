"""A run folder that a command only reads: what it found, on which data, and with which models."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from stage2.call import Call
from stage2.cli.inputs import Inputs, gather
from stage2.cli.run_folder import RunFolder
from stage2.cli.stage1 import model_hash
from stage2.config import Settings
from stage2.config_file import read_toml
from stage2.data.contents import SIDES, Sides
from stage2.data.dataset import Samples
from stage2.data.split_file import read_split_file
from stage2.models.hub import default_model
from stage2.utils import files
from stage2.utils.errors import BadInputError

# Settings that say where and how a command works, and not what it finds.
_NOT_OF_THE_RUN = ("output_dir", "overwrite", "resume")


@dataclass(frozen=True)
class FinishedRun:
    """A run folder, locked while it is read.

    Attributes:
        run: the folder.
        given: the settings of the command that reads it.
    """

    run: RunFolder
    given: Settings

    def __post_init__(self) -> None:
        if not self.run.record.get("stages"):
            raise BadInputError(
                f"{self.run.path}: no run there; expected a folder that stage2 run, mine or "
                "evaluate wrote"
            )

    def has(self, name: str) -> bool:
        """Return whether the run wrote a file of this name, or files in a folder of this name."""
        known = self.run.record.get("files", {})
        return any(place == name or place.startswith(f"{name}/") for place in known)

    def file(self, name: str, maker: str) -> Path:
        """Return the path of a file that is as it was written.

        Args:
            name: the name of the file.
            maker: the command that writes it, for the message.

        Raises:
            BadInputError: the run has no such file, or the file was changed.
        """
        if not self.has(name):
            raise BadInputError(
                f"{self.run.path}: has no {name}; expected the folder of stage2 {maker}, which "
                "writes it"
            )
        return self.run.checked(name)

    @cached_property
    def settings(self) -> Settings:
        """The settings of the run, with the device of this command."""
        values = read_toml(self.file(files.SETTINGS, "run"))
        values = {name: value for name, value in values.items() if name not in _NOT_OF_THE_RUN}
        if "device" in self.given.given:
            values["device"] = self.given.device
        data = self._data(values)
        return Settings(**{**values, **data}, output_dir=self.given.output_dir)

    def _data(self, values: dict[str, Any]) -> dict[str, str]:
        """Take the files of the data out of `values`, and return their paths as recorded."""
        if self.run.from_sample:
            return {}
        known = self.run.record.get("data", {}).get("files", {})
        found = {}
        for name in ("qa", "chunks", "entities", "data"):
            given = values.pop(name, None)
            if given is not None:
                found[name] = given
            if name in known:
                found[name] = known[name]["path"]
        for name, facts in known.items():
            if name.startswith("data/"):
                path = Path(facts["path"])
                found["data"] = str(path.parents[len(Path(name).parts) - 2])
        return found

    @cached_property
    def inputs(self) -> Inputs:
        """The data of the run.

        Raises:
            BadInputError: the data are not there any more, or have changed.
        """
        inputs = gather(self.settings)
        known = self._made_from
        for name, digest in inputs.hashes.items():
            if known.get(name, digest) != digest:
                raise BadInputError(
                    f"{name}: not the data that {self.run.path} was made from; they have changed "
                    "since. Bring them back, or run again"
                )
        return inputs

    @cached_property
    def samples(self) -> Samples:
        """The questions of the run with the candidates that it ranked."""
        if self.has(files.CONSTRUCTED):
            return Samples.load_jsonl(self.run.checked(files.CONSTRUCTED))
        return self.inputs.samples

    @cached_property
    def sides(self) -> Sides | None:
        """The ids of the questions of each side; None if the run has no split.

        They are those of the run's own split, or those that its data or --split-file give.
        """
        if self.has(files.SPLIT):
            return read_split_file(self.run.checked(files.SPLIT)).sides
        return self.inputs.sides if Call(self.settings).given_sides else None

    def sides_of(self, qa_ids: list[str]) -> dict[str, list[int]]:
        """Return the rows of some questions by side; without a split all are in `train`.

        A side without a question is left out.
        """
        if self.sides is None:
            return {"train": list(range(len(qa_ids)))} if qa_ids else {}
        side_of = {qa_id: side for side, ids in self.sides.items() for qa_id in ids}
        found: dict[str, list[int]] = {side: [] for side in SIDES}
        for row, qa_id in enumerate(qa_ids):
            if qa_id in side_of:
                found[side_of[qa_id]].append(row)
        return {side: rows for side, rows in found.items() if rows}

    def scores(self, name: str) -> dict[str, list[float]]:
        """Return the scores of each question's candidates, by its id, from an evaluation."""
        rows = files.read_json(self.file(name, "mine or run"))
        return {
            str(row["qa_id"]): [
                row["similarities"][str(i)] for i in range(len(row["similarities"]))
            ]
            for row in rows
        }

    @cached_property
    def models(self) -> dict[str, str]:
        """The paths of the models `before` and `after`, those that are there.

        Raises:
            BadInputError: a model has changed since.
        """
        compared: list[str] = []
        if self.has(files.COMPARISON):
            compared = files.read_json(self.run.checked(files.COMPARISON)).get("models") or []
        if compared:
            found = dict(zip(("before", "after"), compared, strict=False))
            self._check(found["before"], "model_1")
            self._check(compared[-1], f"model_{len(compared)}")
            return found
        if self.has(files.STAGE1_MODEL):
            found = {"before": str(self.run.checked(files.STAGE1_MODEL))}
        else:
            found = {"before": self.settings.model or default_model()}
            self._check(found["before"], "model")
        if self.has(files.SHIPPED_MODEL):
            found["after"] = str(self.run.checked(files.SHIPPED_MODEL))
        return found

    def settings_of(self, model: str) -> Settings:
        """Return the settings with which a model is loaded."""
        return replace(self.settings, model=model, init=False)

    @property
    def _made_from(self) -> Mapping[str, Any]:
        stages = self.run.record["stages"].values()
        return {name: value for one in stages for name, value in one["made_from"].items()}

    def _check(self, path: str, name: str) -> None:
        digest = None
        with suppress(BadInputError, FileNotFoundError):
            digest = model_hash(path)
        if digest != self._made_from.get(name, digest) or digest is None:
            raise BadInputError(
                f"{path}: not the model that {self.run.path} was made with; it is gone or has "
                "changed since. Bring it back, or run again"
            )
