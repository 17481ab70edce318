"""One dataclass of settings: flags, `stage2.toml` and `settings.toml` are views of it.

A setting's name, type, default and help stand here and nowhere else.
"""

from __future__ import annotations

import difflib
import math
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Literal

from stage2.utils.errors import BadInputError
from stage2.utils.files import check_regular

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def _setting(
    default: Any,
    text: str,
    *,
    kind: type = str,
    choices: tuple[str, ...] = (),
    low: float | None = None,
    high: float | None = None,
    metavar: str | None = None,
) -> Any:
    """Describe a setting; `low` and `high` are the least and the greatest allowed value."""
    metadata = {
        "help": text,
        "kind": kind,
        "choices": choices,
        "low": low,
        "high": high,
        "metavar": metavar,
    }
    return field(default=default, metadata=metadata)


OnError = Literal["strict", "skip"]
Pairs = Literal["all", "graded"]
Sampling = Literal["top", "random"]
Schedule = Literal["constant", "linear", "cosine"]
Freeze = Literal["none", "embeddings", "backbone"]
TrainOn = Literal["hard", "all"]


@dataclass(frozen=True)
class Loss:
    """The needs of a loss. Its function stands in `training.losses`.

    Attributes:
        settings: its parameters, which are settings.
        negatives: what a question's ground truths are to win against: the candidates of its own
            `list`, the ground truths of the other questions of its `batch`, or `both`.
        teacher: whether it learns from the scores of the model before training.
    """

    settings: tuple[str, ...]
    negatives: Literal["list", "batch", "both"] = "list"
    teacher: bool = False


LOSSES: Mapping[str, Loss] = {
    "margin": Loss(("margin", "pairs")),
    "in-batch": Loss(("temperature",), "batch"),
    "infonce": Loss(("temperature",), "both"),
    "triplet": Loss(("margin",)),
    "margin-mse": Loss(("margin",), teacher=True),
    "listnet": Loss(("temperature",)),
}


@dataclass(frozen=True)
class Settings:
    """Everything that a command can be told. Names are those of the flags, `-` written as `_`."""

    output_dir: str = _setting("stage2-run", "Folder that results go to.", metavar="DIR")
    seed: int = _setting(
        0, "Seed of everything random.", kind=int, low=0, high=2**63 - 1, metavar="N"
    )
    device: str = _setting(
        "auto", "Where the model runs: auto, cpu, cuda, cuda:N or mps.", metavar="NAME"
    )
    qa: str | None = _setting(None, "Questions and their chunk ids: JSON or JSONL.", metavar="FILE")
    chunks: str | None = _setting(None, "The corpus: JSONL or a JSON array.", metavar="FILE")
    entities: str | None = _setting(None, "Entity annotations: JSONL.", metavar="FILE")
    on_error: OnError = _setting(
        "strict",
        "At a bad row: strict stops, skip goes on and writes rejected.jsonl.",
        choices=("strict", "skip"),
    )
    negatives: int = _setting(5, "Negatives a question.", kind=int, low=1, metavar="N")
    source: str = _setting(
        "candidates",
        "Rank against random negatives, or mine the corpus for the hardest ones.",
        choices=("candidates", "corpus"),
    )
    range_min: int = _setting(
        0,
        "First raw rank looked at for negatives of --source corpus. Ranks count the chunks that "
        "are no ground truth, from 0; mine_hard_negatives counts the ground truths too.",
        kind=int, low=0, metavar="N",
    )  # fmt: skip
    range_max: int | None = _setting(
        None,
        "Raw rank to stop before. Default: --negatives ranks, ten times as many with a filter.",
        kind=int, low=1, metavar="N",
    )  # fmt: skip
    absolute_margin: float | None = _setting(
        None,
        "Leave out what scores above the ground truth less this; with several ground truths, "
        "above the lowest of them less this.",
        kind=float, metavar="X",
    )  # fmt: skip
    relative_margin: float | None = _setting(
        None,
        "The same as a share of the ground truth's score, of its size where it is negative.",
        kind=float, low=0, metavar="X",
    )  # fmt: skip
    max_score: float | None = _setting(
        None, "Leave out what scores above this.", kind=float, metavar="X"
    )
    min_score: float | None = _setting(
        None, "Leave out what scores below this.", kind=float, metavar="X"
    )
    sampling: Sampling = _setting(
        "top",
        "Of what is left take the top, or a draw that --seed and the question's id decide.",
        choices=("top", "random"),
    )
    memory_budget: str | None = _setting(
        None,
        "Memory that a search of the corpus may take beside the vectors, such as 512MB or 4GB; "
        "beyond it vectors go to disk. Default: a quarter of the machine's.",
        metavar="SIZE",
    )
    max_decompressed: str | None = _setting(
        None,
        "The most that a .gz or .zst file may hold when it is decompressed, such as 512MB or 4GB. "
        "Default: half of the machine's memory.",
        metavar="SIZE",
    )
    data: str | None = _setting(
        None, "Constructed samples, such as hard_negatives.jsonl.", metavar="FILE"
    )
    model: str | None = _setting(
        None,
        "Model: a folder, a run folder, or a reference .pt with --backbone.",
        metavar="DIR|FILE.pt",
    )
    backbone: str | None = _setting(
        None,
        "Encoder: a Hugging Face folder; hub:org/name, or org/name where no folder org is here. "
        "Default: all-MiniLM-L6-v2.",
        metavar="DIR|ID",
    )
    embedding_dim: int = _setting(
        64, "Width of the embeddings.", kind=int, low=1, high=4096, metavar="N"
    )
    max_length: int = _setting(
        128, "Most tokens of a text; the rest is cut.", kind=int, low=4, metavar="N"
    )
    fit: bool = _setting(
        True, "Fit the new heads to the encoder's own geometry, or leave them random.", kind=bool
    )
    near_duplicate: float = _setting(
        0.8,
        "Texts are near-duplicates when this share of their character 5-grams is common to both.",
        kind=float, low=0.01, high=1, metavar="X",
    )  # fmt: skip
    cross_encoder: str | None = _setting(
        None,
        "Score each candidate with this cross-encoder too: a sequence classifier with one output.",
        metavar="DIR|ID",
    )
    cross_encoder_margin: float = _setting(
        0.0,
        "A negative is probably false when the cross-encoder scores it above the lowest ground "
        "truth less this, in logits.",
        kind=float, metavar="X",
    )  # fmt: skip
    drop_false_negatives: bool = _setting(
        False,
        "Leave out of hard_negatives.jsonl, and of what losses with listed negatives train on, the "
        "negatives that are a ground truth or nearly one, that contain the answer, or that "
        "--cross-encoder scores above the ground truth.",
        kind=bool,
    )
    topk: int = _setting(
        3, "A question is hard when its ground truth ranks below this.", kind=int, low=1,
        metavar="K",
    )  # fmt: skip
    similarity: str = _setting(
        "auto",
        "Compare by entities where both sides have them (auto, entity) or by sentence only.",
        choices=("auto", "entity", "sentence"),
    )
    corpus: str = _setting(
        "auto",
        "Evaluate against every chunk too, not only the candidates; auto: where there is a corpus. "
        "Above 5,000 chunks epochs are chosen among a part of them, which is said.",
        choices=("auto", "always", "never"),
    )
    precision: str = _setting(
        "auto", "Of matrix products; auto is bf16 where the device multiplies it.",
        choices=("auto", "fp32", "bf16", "fp16"),
    )  # fmt: skip
    compile: bool = _setting(
        False,
        "Have torch compile the encoder for embedding: a minute or more at the first batch, which "
        "pays on a GPU and for many texts.",
        kind=bool,
    )
    embedding_cache: str = _setting(
        "auto",
        "Where vectors are kept, to be embedded once: auto is the user's cache folder.",
        metavar="auto|off|DIR",
    )
    epochs: int = _setting(5, "Passes over the questions.", kind=int, low=1, metavar="N")
    batch_size: int = _setting(8, "Questions a step.", kind=int, low=1, metavar="N")
    learning_rate: float = _setting(1e-5, "Of AdamW.", kind=float, low=0, high=1e30, metavar="X")
    weight_decay: float = _setting(0.01, "Of AdamW.", kind=float, low=0, metavar="X")
    margin: float = _setting(
        0.1,
        "By how much the better context must win, in cosine; of --loss margin and triplet.",
        kind=float, low=0, metavar="X",
    )  # fmt: skip
    pairs: Pairs = _setting(
        "all",
        "Pairs in --loss margin: all i < j, or graded: only those whose relevance differs.",
        choices=("all", "graded"),
    )
    loss: str = _setting(
        "margin",
        "margin ranking; in-batch, with the other questions' ground truths as negatives and no "
        "others; infonce, with all of the batch's candidates; triplet, the hardest of each list; "
        "margin-mse, with stage 1 as the teacher; or listnet.",
        choices=tuple(LOSSES),
    )
    temperature: float = _setting(
        0.05, "That similarities are divided by in in-batch, infonce and listnet.", kind=float,
        low=1e-3, high=1e3, metavar="X",
    )  # fmt: skip
    accumulate: int = _setting(
        1, "Steps whose gradients make one update of --batch-size times as many questions.",
        kind=int, low=1, metavar="N",
    )  # fmt: skip
    micro_batch: int | None = _setting(
        None,
        "Gradient caching: embed at most so many tokens at a time. Memory no longer grows with "
        "--batch-size, the gradient is the same, a step takes a third longer.",
        kind=int, low=1, metavar="TOKENS",
    )  # fmt: skip
    warmup: float = _setting(
        0.0, "Share of the updates over which the learning rate rises from 0.", kind=float, low=0,
        high=1, metavar="X",
    )  # fmt: skip
    schedule: Schedule = _setting(
        "constant",
        "Of the learning rate after the warm-up: constant, or falling to 0.",
        choices=("constant", "linear", "cosine"),
    )
    max_grad_norm: float | None = _setting(
        None, "Scale longer gradients down to this norm.", kind=float, low=1e-30, metavar="X"
    )
    freeze: Freeze = _setting(
        "none",
        "What is not trained: the token embeddings, or all but the heads.",
        choices=("none", "embeddings", "backbone"),
    )
    lora: int | None = _setting(
        None,
        "Train low-rank updates of the encoder's matrices instead of the matrices; they are "
        "merged into every model that is written. Needs pip install stage2[lora].",
        kind=int, low=1, metavar="RANK",
    )  # fmt: skip
    patience: int | None = _setting(
        None, "Stop after so many epochs without a better dev metric.", kind=int, low=1,
        metavar="N",
    )  # fmt: skip
    resume: str = _setting(
        "auto",
        "auto goes on with a training that was interrupted in --output-dir; never starts over; or "
        "a saved state to go on with.",
        metavar="auto|never|FILE",
    )
    save_every: int | None = _setting(
        None, "Save the state of training every N updates too, not only every epoch.", kind=int,
        low=1, metavar="N",
    )  # fmt: skip
    keep_checkpoints: int | None = _setting(
        None, "Keep the last N epoch_N.pt, and the best. Default: all.", kind=int, low=1,
        metavar="N",
    )  # fmt: skip
    report_to: str = _setting(
        "none",
        "Follow the training in TensorBoard too. Needs pip install stage2[tensorboard].",
        choices=("none", "tensorboard"),
    )
    train_on: TrainOn = _setting(
        "hard",
        "Of the questions that training may see: hard, and --replay easy ones beside them; or all.",
        choices=("hard", "all"),
    )
    replay: float = _setting(
        0.0,
        "Easy questions to train on for each hard one, drawn by --seed, so that what was right "
        "stays right.",
        kind=float, low=0, metavar="X",
    )  # fmt: skip
    dev_data: str | None = _setting(
        None,
        "Constructed samples that choose among the epochs. Default: a part of --data.",
        metavar="FILE",
    )
    split: str = _setting(
        "chunk",
        "chunk: hold out dev and test questions that share no chunk, nor a near-duplicate of one, "
        "with the training questions; "
        "none: train and measure on all, as the reference does.",
        choices=("chunk", "none"),
    )
    dev_share: float = _setting(
        0.2, "Share of questions that choose among the epochs.", kind=float, low=0.01, high=0.9,
        metavar="X",
    )  # fmt: skip
    test_share: float = _setting(
        0.3, "Share of questions that only measure.", kind=float, low=0, high=0.9, metavar="X"
    )
    folds: int | None = _setting(
        None,
        "Cross-validate: train once for each of so many folds, so that every question is scored by "
        "a model that did not see it; 0: do not. Default: 5 for fewer than 200 questions.",
        kind=int, low=0, metavar="K",
    )  # fmt: skip
    method: str = _setting(
        "interpolate",
        "Combine weights: interpolate two models, or a soup, the mean of several; or scores: their "
        "weighted sum, or reciprocal ranks.",
        choices=("interpolate", "soup", "sum", "reciprocal-rank"),
    )
    alpha: float | None = _setting(
        None,
        "Weight of the second model. Default: the best on the dev questions.",
        kind=float, low=0, high=1, metavar="X",
    )  # fmt: skip
    fail_if_regressed: bool = _setting(
        False,
        "Exit with 3 where the verdict is worse: not where a mean is lower by what may be chance.",
        kind=bool,
    )
    language: str = _setting("en", "Of the report.", choices=("en", "zh"))
    overwrite: bool = _setting(
        False, "Write into a folder that holds another run's files.", kind=bool
    )

    # No setting itself: those that the user named by flags; the others are of a file, or defaults.
    given: frozenset[str] = field(default=frozenset(), repr=False, compare=False)

    def __post_init__(self) -> None:
        for item in SETTINGS.values():
            _check(item, getattr(self, item.name))
        if self.budget == 0:
            raise BadInputError("--memory-budget is 0; expected some memory, such as 512MB")
        if self.decompressed == 0:
            raise BadInputError("--max-decompressed is 0; expected a size such as 4GB")

    @property
    def budget(self) -> int | None:
        """`memory_budget` in bytes."""
        if self.memory_budget is None:
            return None
        return size_of("--memory-budget", self.memory_budget)

    @property
    def decompressed(self) -> int | None:
        """`max_decompressed` in bytes."""
        if self.max_decompressed is None:
            return None
        return size_of("--max-decompressed", self.max_decompressed)


SETTINGS: Mapping[str, Field[Any]] = {
    item.name: item for item in fields(Settings) if item.name != "given"
}


def default(name: str) -> Any:
    """A setting's default."""
    value = SETTINGS[name].default
    if value is MISSING:
        raise KeyError(name)
    return value


def size_of(flag: str, text: str) -> int:
    """Read a size such as 512MB or 4GB: bytes, K, M, G and T being powers of 1,024.

    Raises:
        BadInputError: it is no size; the message names the flag.
    """
    found = re.fullmatch(r"(\d+)\s*([KMGT]?)B?", text.strip().upper())
    if found is None:
        raise BadInputError(f"{flag} is {text!r}; expected a size such as 512MB or 4GB")
    return int(found[1]) << 10 * " KMGT".index(found[2] or " ")


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read settings; keys may be written with `-` or `_`.

    Raises:
        BadInputError: the file is no regular one, or not TOML, or holds a key that is no setting,
            one setting twice, or a value of another type or out of range.
    """
    try:
        text = check_regular(path).read_text(encoding="utf-8-sig")
        values = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInputError(f"{path}: not TOML: {error}") from error
    settings: dict[str, Any] = {}
    spelt: dict[str, str] = {}
    for key, value in values.items():
        name, place = key.replace("-", "_"), f"{path}{_line_of(key, text)}"
        if name not in SETTINGS:
            raise BadInputError(f"{place}: {key!r} is no setting; {nearest(name, SETTINGS)}")
        if name in spelt:
            raise BadInputError(
                f"{place}: {spelt[name]!r} and {key!r} are one setting, given twice; expected it "
                "once"
            )
        spelt[name] = key
        try:
            _check(SETTINGS[name], value)
        except BadInputError as error:
            raise BadInputError(f"{place}: {error}") from error
        settings[name] = value
    return settings


def nearest(name: str, known: Iterable[str]) -> str:
    """What to say was expected in place of a name that is none: the most alike, or all."""
    names = list(known)
    # With `-` and `_` alike, and whatever the case.
    alike = difflib.get_close_matches(name.replace("-", "_").lower(), names, 3)
    if alike:
        return f"did you mean {' or '.join(alike)}?"
    return f"expected some of {', '.join(names)}"


def _line_of(key: str, text: str) -> str:
    """Where a key of the top level stands, as `:LINE`; empty where it is written otherwise."""
    written = re.compile(rf"""\s*(["']?){re.escape(key)}\1\s*[=.]""")
    for number, line in enumerate(text.split("\n"), 1):
        if written.match(line):
            return f":{number}"
    return ""


def _check(item: Field[Any], value: Any) -> None:
    """Hold a value against the type, the choices and the range of its setting."""
    if value is None and item.default is None:
        return
    meta = item.metadata
    kind, low, high = meta["kind"], meta["low"], meta["high"]
    flag = f"--{item.name.replace('_', '-')}"
    if kind is int and high is None:
        # More than any machine holds, and within what the core counts with.
        high = 2**31 - 1
    accepted = (int, float) if kind is float else (kind,)
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise BadInputError(f"{flag} is {value!r}; expected {_KINDS[kind]}")
    if meta["choices"] and value not in meta["choices"]:
        raise BadInputError(f"{flag} is {value!r}; expected {' or '.join(meta['choices'])}")
    if kind in (int, float) and not (
        math.isfinite(value) and (low is None or value >= low) and (high is None or value <= high)
    ):
        bounds = [f"{low:g} or more"] if low is not None else []
        # The bound that every whole number has is told to whom it concerns.
        if high is not None and (meta["high"] is not None or value > high):
            bounds.append(f"at most {high}")
        wanted = _KINDS[kind] if math.isfinite(value) else "a finite number"
        raise BadInputError(f"{flag} is {value}; expected {wanted}, {', '.join(bounds)}")


_KINDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
