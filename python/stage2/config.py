"""Every setting once, in groups; each room takes its own.

A setting's name, type, default and help stand here and nowhere else. Flags, `stage2.toml` and
`settings.toml` are views of the groups' union.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from inspect import get_annotations
from typing import Any, Literal

from stage2.utils.errors import BadInputError
from stage2.utils.setting import Group, numbers_of, setting, size_of
from stage2.variants import LOSSES, TRACKERS, losses_with

OnError = Literal["strict", "skip"]
Pairs = Literal["all", "graded"]
Sampling = Literal["top", "random"]
Schedule = Literal["constant", "linear", "cosine"]
Freeze = Literal["none", "embeddings", "backbone"]
TrainOn = Literal["hard", "all"]


@dataclass(frozen=True)
class RunConfig(Group):
    """The folder, the seed and the device of a command."""

    output_dir: str = setting("stage2-run", "Folder that results go to.", metavar="DIR")
    seed: int = setting(
        0, "Seed of everything random.", kind=int, low=0, high=2**63 - 1, metavar="N", row=14
    )
    device: str = setting(
        "auto", "Where the model runs: auto, cpu, cuda, cuda:N or mps.", metavar="NAME"
    )


@dataclass(frozen=True)
class DataConfig(Group):
    """The files that a data set is read from."""

    qa: str | None = setting(None, "Questions and their chunk ids: JSON or JSONL.", metavar="FILE")
    chunks: str | None = setting(None, "The corpus: JSONL or a JSON array.", metavar="FILE")
    entities: str | None = setting(None, "Entity annotations: JSONL.", metavar="FILE")
    on_error: OnError = setting(
        "strict",
        "At a bad row: strict stops, skip goes on and writes rejected.jsonl.",
        choices=("strict", "skip"),
    )
    max_decompressed: str | None = setting(
        None,
        "The most that a .gz or .zst file may hold when it is decompressed, such as 512MB or 4GB. "
        "Default: half of the machine's memory.",
        metavar="SIZE",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.decompressed == 0:
            raise BadInputError("--max-decompressed is 0; expected a size such as 4GB")

    @property
    def decompressed(self) -> int | None:
        """`max_decompressed` in bytes."""
        if self.max_decompressed is None:
            return None
        return size_of("--max-decompressed", self.max_decompressed)


@dataclass(frozen=True)
class CandidatesConfig(Group):
    """The candidates of a question beside its ground truths."""

    negatives: int = setting(5, "Negatives a question.", kind=int, low=1, metavar="N")
    source: str = setting(
        "candidates",
        "Rank against random negatives, or mine the corpus for the hardest ones.",
        choices=("candidates", "corpus"),
    )


@dataclass(frozen=True)
class MiningRules(Group):
    """These rules choose the hard negatives among the chunks near a question."""

    range_min: int = setting(
        0,
        "The first rank that --source corpus looks at for negatives. Ranks start at 0 and count "
        "only chunks that are no ground truth; mine_hard_negatives counts ground truths too.",
        kind=int, low=0, metavar="N",
    )  # fmt: skip
    range_max: int | None = setting(
        None,
        "The rank to stop before. Default: --negatives ranks, ten times as many with a filter.",
        kind=int, low=1, metavar="N",
    )  # fmt: skip
    absolute_margin: float | None = setting(
        None,
        "Leave out chunks that score above the ground truth less this number. Of several ground "
        "truths, the one with the lowest score counts.",
        kind=float, metavar="X",
    )  # fmt: skip
    relative_margin: float | None = setting(
        None,
        "The same margin as a share of the ground truth's score.",
        kind=float, low=0, metavar="X",
    )  # fmt: skip
    max_score: float | None = setting(
        None, "Leave out chunks that score above this.", kind=float, metavar="X"
    )
    min_score: float | None = setting(
        None, "Leave out chunks that score below this.", kind=float, metavar="X"
    )
    sampling: Sampling = setting(
        "top",
        "From the chunks that are left take the top ones, or draw some by --seed and the "
        "question's id.",
        choices=("top", "random"),
    )


@dataclass(frozen=True)
class SearchConfig(Group):
    """The search of a whole corpus."""

    memory_budget: str | None = setting(
        None,
        "Memory that a search of the corpus may take beside the vectors, such as 512MB or 4GB; "
        "beyond it vectors go to disk. Default: a quarter of the machine's.",
        metavar="SIZE",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.budget == 0:
            raise BadInputError("--memory-budget is 0; expected some memory, such as 512MB")

    @property
    def budget(self) -> int | None:
        """`memory_budget` in bytes."""
        if self.memory_budget is None:
            return None
        return size_of("--memory-budget", self.memory_budget)


@dataclass(frozen=True)
class SamplesConfig(Group):
    """Samples that are constructed already."""

    data: str | None = setting(
        None, "Constructed samples, such as hard_negatives.jsonl.", metavar="FILE"
    )


@dataclass(frozen=True)
class ModelConfig(Group):
    """The model to start from, or how to make one."""

    model: str | None = setting(
        None,
        "Model: a folder, a run folder, or a reference .pt with --backbone.",
        metavar="DIR|FILE.pt",
    )
    backbone: str | None = setting(
        None,
        "Encoder: a Hugging Face folder; hub:org/name, or org/name where no folder org is here. "
        "Default: all-MiniLM-L6-v2.",
        metavar="DIR|ID",
    )
    embedding_dim: int = setting(
        64, "Width of the embeddings.", kind=int, low=1, high=4096, metavar="N"
    )
    max_length: int = setting(
        128, "Most tokens of a text; the rest is cut.", kind=int, low=4, metavar="N"
    )
    fit: bool = setting(
        True, "Fit the new heads to the encoder's own geometry, or leave them random.", kind=bool
    )


@dataclass(frozen=True)
class FalseNegativesConfig(Group):
    """These settings find negatives that are probably false, and may leave them out."""

    near_duplicate: float = setting(
        0.8,
        "Texts are near-duplicates when this share of their character 5-grams is common to both.",
        kind=float, low=0.01, high=1, metavar="X",
    )  # fmt: skip
    cross_encoder: str | None = setting(
        None,
        "Score each candidate with this cross-encoder too: a sequence classifier with one output.",
        metavar="DIR|ID",
    )
    cross_encoder_margin: float = setting(
        0.0,
        "A negative is probably false when the cross-encoder scores it above the lowest ground "
        "truth less this, in logits.",
        kind=float, metavar="X",
    )  # fmt: skip
    drop_false_negatives: bool = setting(
        False,
        "Leave out of hard_negatives.jsonl, and of what losses with listed negatives train on, the "
        "negatives that are a ground truth or nearly one, that contain the answer, or that "
        "--cross-encoder scores above the ground truth.",
        kind=bool,
    )


@dataclass(frozen=True)
class RankingConfig(Group):
    """How questions are ranked, and which of them are hard."""

    topk: int = setting(
        3, "A question is hard when its ground truth ranks below this.", kind=int, low=1,
        metavar="K",
    )  # fmt: skip
    similarity: str = setting(
        "auto",
        "Compare by entities where both sides have them (auto, entity) or by sentence only.",
        choices=("auto", "entity", "sentence"),
        row=9,
    )
    corpus: str = setting(
        "auto",
        "Evaluate against every chunk too, not only the candidates; auto: where there is a corpus. "
        "Above 5,000 chunks epochs are chosen among a part of them, which is said.",
        choices=("auto", "always", "never"),
    )


@dataclass(frozen=True)
class EncodingConfig(Group):
    """How texts are embedded."""

    precision: str = setting(
        "auto", "Precision of matrix products; auto is bf16 where the device multiplies it.",
        choices=("auto", "fp32", "bf16", "fp16"), row=10,
    )  # fmt: skip
    compile: bool = setting(
        False,
        "Have torch compile the encoder for embedding: a minute or more at the first batch, which "
        "pays on a GPU and for many texts.",
        kind=bool,
    )
    embedding_cache: str = setting(
        "auto",
        "Where vectors are kept, to be embedded once: auto is the user's cache folder.",
        metavar="auto|off|DIR",
    )


@dataclass(frozen=True)
class OutputConfig(Group):
    """How the outcome is told, and what becomes of an earlier one."""

    fail_if_regressed: bool = setting(
        False,
        "Exit with 3 where the verdict is worse: not where a mean is lower by what may be chance.",
        kind=bool,
    )
    recall_at: str = setting(
        "10,100",
        "Each k of Recall@k, which comparison.json and the report have over the whole corpus.",
        metavar="K,K",
    )
    language: str = setting("en", "Language of the report.", choices=("en", "zh"))
    overwrite: bool = setting(
        False, "Write into a folder that holds another run's files.", kind=bool
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        numbers_of("--recall-at", self.recall_at)

    @property
    def recall_depths(self) -> tuple[int, ...]:
        """`recall_at` as numbers."""
        return numbers_of("--recall-at", self.recall_at)


@dataclass(frozen=True)
class MiningConfig(
    RunConfig, CandidatesConfig, MiningRules, SearchConfig, RankingConfig, EncodingConfig
):
    """All that mining a corpus needs."""


@dataclass(frozen=True)
class TrainingConfig(RunConfig, SearchConfig, RankingConfig, EncodingConfig, OutputConfig):
    """How a model is trained, and on which questions."""

    epochs: int = setting(5, "Passes over the questions.", kind=int, low=1, metavar="N", row=3)
    batch_size: int = setting(8, "Questions a step.", kind=int, low=1, metavar="N", row=4)
    learning_rate: float = setting(
        1e-5, "Learning rate of AdamW.", kind=float, low=0, high=1e30, metavar="X", row=5
    )
    weight_decay: float = setting(
        0.01, "Weight decay of AdamW.", kind=float, low=0, metavar="X", row=6
    )
    margin: float = setting(
        0.1,
        f"By how much the better context must win, in cosine; of --loss {losses_with('margin')}.",
        kind=float, low=0, metavar="X", row=7,
    )  # fmt: skip
    pairs: Pairs = setting(
        "all",
        "Pairs in --loss margin: all i < j, or graded: only those whose relevance differs.",
        choices=("all", "graded"),
        row=8,
    )
    loss: str = setting(
        "margin",
        f"What is learnt: {'; '.join(f'{name}, {loss.text}' for name, loss in LOSSES.items())}.",
        choices=tuple(LOSSES),
        row=1,
    )
    temperature: float = setting(
        0.05,
        f"What similarities are divided by; of --loss {losses_with('temperature')}.",
        kind=float, low=1e-3, high=1e3, metavar="X",
    )  # fmt: skip
    accumulate: int = setting(
        1, "Steps whose gradients make one update of --batch-size times as many questions.",
        kind=int, low=1, metavar="N",
    )  # fmt: skip
    micro_batch: int | None = setting(
        None,
        "Gradient caching: embed at most so many tokens at a time. Memory no longer grows with "
        "--batch-size, the gradient is the same, a step takes a third longer.",
        kind=int, low=1, metavar="TOKENS",
    )  # fmt: skip
    warmup: float = setting(
        0.0, "Share of the updates over which the learning rate rises from 0.", kind=float, low=0,
        high=1, metavar="X",
    )  # fmt: skip
    schedule: Schedule = setting(
        "constant",
        "The learning rate after the warm-up stays constant, or falls to 0.",
        choices=("constant", "linear", "cosine"),
    )
    max_grad_norm: float | None = setting(
        None, "Scale longer gradients down to this norm.", kind=float, low=1e-30, metavar="X"
    )
    freeze: Freeze = setting(
        "none",
        "What is not trained: the token embeddings, or all but the heads.",
        choices=("none", "embeddings", "backbone"),
    )
    lora: int | None = setting(
        None,
        "Train low-rank updates of the encoder's matrices instead of the matrices; they are "
        "merged into every model that is written. Needs pip install stage2[lora].",
        kind=int, low=1, metavar="RANK",
    )  # fmt: skip
    patience: int | None = setting(
        None, "Stop after so many epochs without a better dev metric.", kind=int, low=1,
        metavar="N",
    )  # fmt: skip
    resume: str = setting(
        "auto",
        "auto goes on with a training that was interrupted in --output-dir; never starts over; or "
        "a saved state to go on with.",
        metavar="auto|never|FILE",
    )
    save_every: int | None = setting(
        None, "Save the state of training every N updates too, not only every epoch.", kind=int,
        low=1, metavar="N",
    )  # fmt: skip
    keep_checkpoints: int | None = setting(
        None, "Keep the last N epoch_N.pt, and the best. Default: all.", kind=int, low=1,
        metavar="N",
    )  # fmt: skip
    report_to: str = setting(
        "none",
        "Follow the training in TensorBoard too. Needs pip install stage2[tensorboard].",
        choices=("none", *TRACKERS),
    )
    train_on: TrainOn = setting(
        "hard",
        "hard: train on the hard questions, with --replay easy ones beside them. all: train on "
        "every question of the training side.",
        choices=("hard", "all"),
        row=2,
    )
    replay: float = setting(
        0.0,
        "Easy questions to train on for each hard one, drawn by --seed, so that what was right "
        "stays right.",
        kind=float, low=0, metavar="X",
    )  # fmt: skip


@dataclass(frozen=True)
class SplitConfig(RunConfig):
    """These settings hold questions out, and say which of them choose among the epochs."""

    dev_data: str | None = setting(
        None,
        "Constructed samples that choose among the epochs. Default: a part of --data.",
        metavar="FILE",
    )
    split: str = setting(
        "chunk",
        "chunk: hold out dev and test questions that share no chunk, nor a near-duplicate of one, "
        "with the training questions; "
        "none: train and measure on all, as the reference does.",
        choices=("chunk", "none"),
        row=11,
    )
    dev_share: float = setting(
        0.2, "Share of questions that choose among the epochs.", kind=float, low=0.01, high=0.9,
        metavar="X", row=12,
    )  # fmt: skip
    test_share: float = setting(
        0.3, "Share of questions that only measure.", kind=float, low=0, high=0.9, metavar="X",
        row=13,
    )  # fmt: skip
    folds: int | None = setting(
        None,
        "Cross-validate: train once for each of so many folds, so that every question is scored by "
        "a model that did not see it; 0: do not. Default: 5 for fewer than 200 questions.",
        kind=int, low=0, metavar="K",
    )  # fmt: skip


@dataclass(frozen=True)
class MergeConfig(Group):
    """How models are combined."""

    method: str = setting(
        "interpolate",
        "Combine weights: interpolate two models, or a soup, the mean of several; or scores: their "
        "weighted sum, or reciprocal ranks.",
        choices=("interpolate", "soup", "sum", "reciprocal-rank"),
    )
    alpha: float | None = setting(
        None,
        "Weight of the second model. Default: the best on the dev questions.",
        kind=float, low=0, high=1, metavar="X",
    )  # fmt: skip


# In the order in which settings are written.
GROUPS: tuple[type[Group], ...] = (
    RunConfig,
    DataConfig,
    CandidatesConfig,
    MiningRules,
    SearchConfig,
    SamplesConfig,
    ModelConfig,
    FalseNegativesConfig,
    RankingConfig,
    EncodingConfig,
    TrainingConfig,
    SplitConfig,
    MergeConfig,
    OutputConfig,
)

# The names of a group's own settings, without those of the groups that it takes in.
OWN: Mapping[type[Group], tuple[str, ...]] = {
    group: tuple(get_annotations(group)) for group in GROUPS
}


@dataclass(frozen=True)
class Settings(
    DataConfig,
    SamplesConfig,
    ModelConfig,
    FalseNegativesConfig,
    MiningConfig,
    TrainingConfig,
    SplitConfig,
    MergeConfig,
):
    """Everything that a command can be told. Names are those of the flags, `-` written as `_`."""

    # No setting itself: those that the user named by flags; the others are of a file, or defaults.
    given: frozenset[str] = field(default=frozenset(), repr=False, compare=False)


_FIELDS = {item.name: item for item in fields(Settings)}
SETTINGS: Mapping[str, Field[Any]] = {
    name: _FIELDS[name] for names in OWN.values() for name in names
}


def default(name: str) -> Any:
    """A setting's default."""
    value = SETTINGS[name].default
    if value is MISSING:
        raise KeyError(name)
    return value
