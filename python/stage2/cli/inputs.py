"""The input of a command: samples from files or from the run folder, or the built-in ones."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from stage2._core import Loaded, Rejected
from stage2.call import Call, data_files, were_mined
from stage2.cli import console
from stage2.cli.given_split import used_questions, uses_sides
from stage2.cli.mining_defaults import speaks_of_mining
from stage2.cli.run_folder import RunFolder
from stage2.config import Settings
from stage2.data.annotated import Counts, annotated_facts, count_annotated, total
from stage2.data.contents import Contents, Sides
from stage2.data.dataset import Annotations, Dataset, Samples, check_similarity
from stage2.data.formats import read
from stage2.data.left_out import Findings, LeftOut
from stage2.data.sample.build import write_sample
from stage2.report import messages
from stage2.usage import check_given
from stage2.utils import files
from stage2.utils.errors import BadInputError

if TYPE_CHECKING:
    # It needs numpy, without which `stage2 prepare` starts.
    from stage2.data.given_scores import GivenScores

Source: TypeAlias = Literal["files", "sample"]


@dataclass(frozen=True)
class Inputs:
    """The input of a command: samples, their annotations, and the hashes of the files.

    Attributes:
        samples: the questions with their candidates.
        annotations: the annotations of entities; None if there are none.
        dataset: the data set from which the samples were drawn; None if they were read.
        hashes: the SHA-256 of the files, by name.
        source: `files` for the user's data, `sample` for the built-in sample.
        known: facts about the data for `run.json`.
        paths: the paths of the files that `run.json` describes, by name.
        sides: the ids of the questions on each side of a given split; None if none is given.
        seen_chunks: by side, the chunks that do not count as ground truths of its questions.
        findings: what a reader in Python left out; None if none read the data.
        scores: a teacher's scores that the data have; None if they have none.
        held_out: texts that answer questions which a given split holds out from the command.
        mined: whether the samples were read, and a model had mined their candidates.
        lists_negatives: whether the data set has negatives of its own, which are the candidates.
    """

    samples: Samples
    annotations: Annotations | None
    dataset: Dataset | None
    hashes: Mapping[str, str]
    source: Source = "files"
    known: Mapping[str, Any] = field(default_factory=dict)
    paths: Mapping[str, Path] = field(default_factory=dict)
    sides: Sides | None = None
    seen_chunks: Sides = field(default_factory=dict)
    findings: Findings | None = None
    scores: GivenScores | None = None
    held_out: tuple[str, ...] = ()
    mined: bool = False
    lists_negatives: bool = False

    @property
    def loaded(self) -> list[Loaded | Findings]:
        """The objects that were loaded, each with the rows that were left out of it."""
        if self.dataset is not None:
            # Its rejected rows include those of its annotations.
            return [self.dataset, *([] if self.findings is None else [self.findings])]
        return [self.samples, *([] if self.annotations is None else [self.annotations])]

    @property
    def has_corpus(self) -> bool:
        """Return whether the contexts are a whole corpus, and not only those of the samples."""
        return self.dataset is not None

    def facts(self) -> dict[str, Any]:
        """Return the facts about the data for `run.json`."""
        named = {
            # The built-in sample is written to the run folder; other files stay where they are.
            name: {"path": path.name if self.source == "sample" else files.written(path),
                   "sha256": self.hashes[name]}
            for name, path in self.paths.items()
        }  # fmt: skip
        facts = {"source": self.source, **self.known, "num_samples": len(self.samples)}
        return facts | ({"files": named} if named else {})


def gather(
    settings: Settings, memory_map: bool = False, only: Sequence[str] | None = None
) -> Inputs:
    """Read the samples from --data or from --qa and --chunks, or make the built-in ones.

    Args:
        settings: the settings of the command.
        memory_map: whether files are mapped into memory. This is for short commands: a long run
            must not end because a file changed.
        only: the sides of a given split whose questions are used; None means all.

    Raises:
        BadInputError: there is no such data, or the given split is of other questions.
        InputError: the content of a file is wrong.
    """
    inputs = _read(settings, memory_map, only)
    check_similarity(settings.similarity, inputs.annotations)
    inputs = _with_annotated(settings, inputs)
    if settings.corpus == "always" and not inputs.has_corpus:
        raise BadInputError(
            "--corpus always: samples have their candidates, not the corpus; give --qa FILE and "
            "--chunks FILE, or a --data DIR with a corpus, in place of them"
        )
    return inputs


def _with_annotated(settings: Settings, inputs: Inputs) -> Inputs:
    """Say how many texts have annotations, and add the counts to the facts."""
    if inputs.annotations is None:
        return inputs
    samples = inputs.samples
    chunks = "chunks" if inputs.has_corpus else "contexts"
    counts = count_annotated(
        inputs.annotations, {"questions": samples.questions, chunks: samples.contexts}
    )
    _tell_annotated(counts, settings)
    return replace(inputs, known={**inputs.known, **annotated_facts(counts)})


def _tell_annotated(counts: Counts, settings: Settings) -> None:
    """Say how many texts have annotations, and warn if they are of no use.

    Raises:
        BadInputError: `--similarity entity` is given, but no pair of texts can be compared by
            entities.
    """
    console.say(messages.annotated(counts))
    if settings.similarity == "sentence":
        return
    problem = messages.no_pair_has_entities(counts)
    if problem is None:
        if composed := total(counts, "if_composed"):
            warning = messages.would_match_composed(composed, "more ")
            console.warn(f"{settings.entities}: {warning}")
        return
    problem = f"{settings.entities}: {problem}" if settings.entities else problem
    if settings.similarity == "entity":
        raise BadInputError(f"--similarity entity: {problem}")
    console.warn(f"{problem}. Every pair is compared by its sentences")


def check_corpus(inputs: Inputs, settings: Settings, command: str) -> Dataset:
    """Return the data set of a command that needs a corpus.

    Raises:
        BadInputError: the data are samples that are already constructed, without a corpus.
    """
    if inputs.dataset is None:
        raise BadInputError(
            f"--data {settings.data} holds samples without their corpus, which stage2 {command} "
            "needs; give --qa FILE and --chunks FILE, or a --data DIR with a corpus"
        )
    return inputs.dataset


def _read(settings: Settings, memory_map: bool, only: Sequence[str] | None) -> Inputs:
    if settings.data is not None:
        if settings.qa is not None or settings.chunks is not None:
            raise BadInputError("--data is a data set by itself; give it, or --qa and --chunks")
        paths = {**data_files(settings), **_paths(settings, ("entities",))}
        for path in paths.values():
            files.check_regular(path)
        contents = read(settings, memory_map)
        for note in contents.notes:
            console.say(note)
        return _inputs_of(settings, contents, paths, "files", only)
    if settings.qa is None and settings.chunks is None and settings.entities is None:
        console.say("no data given: using the built-in sample (see --qa, --chunks, --entities)")
        return _sample_inputs(settings, only)
    return _dataset_inputs(settings, "files", memory_map, only)


def with_folder_files(
    settings: Settings, run: RunFolder, only: Sequence[str] | None = None
) -> tuple[Settings, Inputs]:
    """Read samples as `gather` does. If none are named, read those that the folder holds.

    The folder's entities are read too. Samples that were mined with entities must not be trained on
    or measured without them only because a flag was left out.
    """
    named = settings.data or settings.qa or settings.chunks
    if not named and (run / files.CONSTRUCTED).is_file():
        settings = replace(settings, data=str(run.checked(files.CONSTRUCTED)))
        check_given(settings.given, [Call(settings)])
    known = run.record.get("data", {}).get("files", {}).get("entities")
    if settings.data is not None and settings.entities is None and known is not None:
        path = run / files.SAMPLE / known["path"] if run.from_sample else Path(known["path"])
        if not path.is_file() or files.sha256(path) != known["sha256"]:
            raise BadInputError(
                f"{path}: the entities that {run.path} was made with are not there or have "
                "changed; give --entities FILE"
            )
        settings = replace(settings, entities=str(path))
    return settings, gather(settings, only=only)


def write_rejected(run: RunFolder, loaded: Sequence[Loaded | Findings]) -> None:
    """Show the warnings about the files that were read, and write the skipped rows, if any.

    A command that adds to the files of another command does not touch that command's rejected rows.
    """
    rejected = [row for one in loaded for row in one.rejected]
    for one in loaded:
        for warning in one.warnings:
            console.warn(warning)
    path = run / files.REJECTED
    if run.adds is not None and run.is_anothers:
        path = run / files.rejected_by(run.adds)
    if not rejected:
        if run.adds is not None:
            path.unlink(missing_ok=True)  # it is of an earlier call, on other files
        return
    write_rejected_rows(path, rejected)


def write_rejected_rows(path: Path, rejected: Sequence[Rejected | LeftOut]) -> None:
    """Write rows that were skipped, and say how many there are for each reason."""
    names = ("file", "line", "column", "reason", "message", "row")
    files.write_jsonl(path, [{name: getattr(row, name) for name in names} for row in rejected])
    for reason, count in sorted(Counter(row.reason for row in rejected).items()):
        console.warn(f"{count} rows skipped: {reason}")
    console.warn(f"rejected rows: {path}")


def _sample_inputs(settings: Settings, only: Sequence[str] | None) -> Inputs:
    # A temporary folder is used: nothing is written to the run folder before all is checked.
    with tempfile.TemporaryDirectory() as folder:
        paths = write_sample(Path(folder))
        given = replace(
            settings, qa=str(paths.qa), chunks=str(paths.chunks), entities=str(paths.entities)
        )
        inputs = _dataset_inputs(given, "sample", False, only)
        # The folder is about to be deleted. Wait for the hashes, which are computed from it.
        return replace(inputs, hashes=dict(inputs.hashes))


def _dataset_inputs(
    settings: Settings, source: Source, memory_map: bool, only: Sequence[str] | None
) -> Inputs:
    if settings.qa is None or settings.chunks is None:
        missing = "--qa" if settings.qa is None else "--chunks"
        raise BadInputError(f"{missing} is missing; expected --qa FILE and --chunks FILE together")
    paths = _paths(settings, ("qa", "chunks", "entities"))
    # Annotations are of texts without titles, and would not be found by texts with them.
    join = settings.title == "join" and settings.entities is None
    dataset = Dataset.load(
        settings.qa, settings.chunks, settings.entities, settings.on_error, memory_map,
        settings.decompressed, join_titles=join,
    )  # fmt: skip
    contents = Contents(dataset=dataset, annotations=dataset.annotations)
    return _inputs_of(settings, contents, paths, source, only)


def _inputs_of(
    settings: Settings,
    contents: Contents,
    paths: Mapping[str, Path],
    source: Source,
    only: Sequence[str] | None,
) -> Inputs:
    """Keep the questions that are used, and construct the candidates of each."""
    # Hashing starts only now: parsing used all cores, and the next steps do not.
    given = _paths(settings, ("split_file",)) if uses_sides(settings) else {}
    hashes = files.Hashes({**paths, **given})
    contents = used_questions(settings, contents, only)
    dataset, sides, seen = contents.dataset, contents.sides, contents.seen_chunks
    if dataset is None:
        if contents.samples is None:
            raise ValueError("a data set has neither a corpus nor samples")
        mined = settings.corpus != "never" and were_mined(settings.data)
        return Inputs(
            contents.samples, contents.annotations, None, hashes, sides=sides, seen_chunks=seen,
            scores=contents.scores, held_out=contents.held_out, mined=mined,
        )  # fmt: skip
    mines = settings.source == "corpus" and speaks_of_mining(settings.stated)
    if contents.samples is not None and "negatives" in settings.given and not mines:
        raise BadInputError(
            f"--negatives {settings.negatives} has no effect here: {settings.data} has its own "
            "negatives"
        )
    findings = Findings(contents.rejected)
    known = {
        "num_qa": dataset.num_qa,
        "num_questions": dataset.num_questions,
        "num_chunks": dataset.num_chunks,
        "num_annotations": dataset.num_annotations,
        "negatives": settings.negatives if contents.samples is None else None,
        "rejected": dict(Counter(dataset.rejected_counts) + findings.counts),
    }
    samples = contents.samples
    if samples is None:
        samples = dataset.construct(settings.negatives, settings.seed)
    return Inputs(
        samples, dataset.annotations, dataset, hashes, source, known, paths, sides, seen, findings,
        contents.scores, contents.held_out, lists_negatives=contents.samples is not None,
    )  # fmt: skip


def _paths(settings: Settings, names: Sequence[str]) -> dict[str, Path]:
    paths = {name: Path(path) for name in names if (path := getattr(settings, name)) is not None}
    for path in paths.values():
        if path.exists():
            files.check_regular(path)
    return paths
