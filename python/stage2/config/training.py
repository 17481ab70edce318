"""The settings of training and of how results are reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stage2.config.mining import MiningConfig
from stage2.utils.setting import Group, names_of, numbers_of, setting
from stage2.variants import DATA_TEACHER, LOSSES, TRACKERS, losses_that, losses_with

Pairs = Literal["all", "graded"]
Schedule = Literal["constant", "linear", "cosine"]
Freeze = Literal["none", "embeddings", "backbone"]
TrainOn = Literal["hard", "all"]
Batches = Literal["random", "similar"]
Train = Literal["both", "query"]


@dataclass(frozen=True)
class OutputConfig(Group):
    """The settings that say how results are reported, and whether they replace earlier ones."""

    fail_if_regressed: bool = setting(
        False,
        "Exit with 3 where the verdict is worse: not where a mean is lower by what may be chance.",
        kind=bool,
    )
    guard: str | None = setting(
        None,
        "Data on which the model must not become worse, in any format of --data; several with "
        "commas between them. `builtin`: 60 English questions of general knowledge. A candidate "
        "that becomes worse there is not shipped.",
        metavar="PATH,...",
    )
    guard_margin: float = setting(
        0.01,
        "The loss of MRR on --guard that still counts as not worse.",
        kind=float, low=1e-6, high=0.999, metavar="X",
    )  # fmt: skip
    recall_at: str = setting(
        "10,100",
        "Each k of Recall@k, which comparison.json and the report have over the whole corpus.",
        metavar="K,K",
    )
    bm25: bool = setting(
        True,
        "Show beside the model, over the whole corpus, what a search by words finds without one.",
        kind=bool,
    )
    untouched_backbone: bool = setting(
        True,
        "Show beside a ProbabilisticGBERTV4, over the whole corpus, what the encoder that it was "
        "made from finds with its own pooling. The verdict is against the better of the two.",
        kind=bool,
    )
    language: str = setting("en", "Language of the report.", choices=("en", "zh"))
    overwrite: bool = setting(
        False,
        "Write into a folder that holds another run's files, or over a file that is there.",
        kind=bool,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        numbers_of("--recall-at", self.recall_at)

    @property
    def recall_depths(self) -> tuple[int, ...]:
        """`recall_at` as numbers."""
        return numbers_of("--recall-at", self.recall_at)


@dataclass(frozen=True)
class TrainingConfig(MiningConfig, OutputConfig):
    """The settings that say how a model is trained, and on which questions."""

    epochs: int = setting(5, "Passes over the questions.", kind=int, low=1, metavar="N", row=3)
    rounds: int = setting(
        1,
        "Divide the epochs into N rounds, and mine the negatives again at the start of each with "
        "the model so far.",
        kind=int, low=1, metavar="N",
    )  # fmt: skip
    batch_size: int = setting(8, "Questions a step.", kind=int, low=1, metavar="N", row=4)
    learning_rate: float = setting(
        1e-5, "Learning rate of AdamW.", kind=float, low=0, high=1e30, metavar="X", row=5
    )
    weight_decay: float = setting(
        0.01, "Weight decay of AdamW.", kind=float, low=0, metavar="X", row=6
    )
    margin: float = setting(
        0.1,
        "By how much the better context must win, in the unit of the model's similarity; of --loss "
        f"{losses_with('margin')}.",
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
        choices=LOSSES,
        row=1,
    )
    temperature: float = setting(
        0.05,
        f"What similarities are divided by; of --loss {losses_with('temperature')}.",
        kind=float, low=1e-3, high=1e3, metavar="X",
    )  # fmt: skip
    teacher: str | None = setting(
        None,
        f"Of --loss {losses_that(lambda loss: loss.teacher is not None)}: whose scores are learnt: "
        "those of a cross-encoder, a reranker with a chat template among them, of an embedding "
        "model of any width, or with the word "
        f"{DATA_TEACHER} the scores in --data. Default: the model before training.",
        metavar=f"DIR|ID|{DATA_TEACHER}",
    )
    teacher_scale: float | None = setting(
        None,
        "What the scores of --teacher are multiplied by before they are learnt. Default: what "
        "gives them the spread within lists that the scores of the model before training have, or "
        f"twice that in --loss {losses_that(lambda loss: loss.spread == 2)}.",
        kind=float, low=1e-6, high=1e6, metavar="X",
    )  # fmt: skip
    batches: Batches = setting(
        "random",
        "The questions of a batch: random; or similar, groups of questions that the model before "
        "training has near each other, whose ground truths are hard negatives of one another.",
        choices=("random", "similar"),
    )
    guide_margin: float | None = setting(
        None,
        "Of --loss in-batch and infonce: the ground truth of another question is no negative where "
        "the model before training scores it above the question's own less this margin, for it may "
        "be an answer too. Default: all are negatives.",
        kind=float, low=-2, high=2, metavar="X",
    )  # fmt: skip
    matryoshka: str | None = setting(
        None,
        "Train the first dimensions of a vector as vectors of their own too, such as 384,128,64: "
        "the loss is the mean over these widths.",
        metavar="D,D",
    )
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
    gradient_checkpointing: bool = setting(
        False,
        "Keep the activations of one group of texts at a time, and compute those of the others "
        "again: the gradient is the same, a step takes a third longer. --micro-batch does so with "
        "groups of its own size.",
        kind=bool,
    )
    interpolation: float = setting(
        1.0,
        "How much of the way from the weights before training to the trained ones is evaluated and "
        "kept. A part of it often keeps the gain and unlearns less; 1 is all.",
        kind=float, low=0.01, high=1, metavar="X",
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
    train: Train = setting(
        "both",
        "both: one encoder of questions and documents is trained. query: an encoder of questions "
        "alone, while documents keep the untouched one and their vectors, so that an index need "
        "not be built anew.",
        choices=("both", "query"),
    )
    patience: int | None = setting(
        None,
        "Stop after so many evaluations without a better dev metric: one an epoch, and those of "
        "--eval-every.",
        kind=int, low=1, metavar="N",
    )  # fmt: skip
    eval_every: int | None = setting(
        None,
        "Rank the dev questions every N updates too, not only at the end of each epoch; these "
        "models can be chosen as well.",
        kind=int, low=1, metavar="N",
    )  # fmt: skip
    refit: bool = setting(
        False,
        "Once dev questions have chosen, train again from the start on them and the training side "
        "together, up to the chosen epoch or part of one, and ship that.",
        kind=bool,
    )
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
        None,
        "Keep the models of the last N evaluations, and the best. Default: all.",
        kind=int, low=1, metavar="N",
    )  # fmt: skip
    report_to: str = setting(
        "none",
        f"Follow the training in {', '.join(TRACKERS)}, or in several with commas between them. "
        "Needs pip install stage2[NAME]. none: in none.",
        metavar="NAME,...",
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

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.widths, self.trackers

    @property
    def trackers(self) -> tuple[str, ...]:
        """`report_to` as names of trackers; empty for `none`."""
        if self.report_to == "none":
            return ()
        return names_of("--report-to", self.report_to, TRACKERS)

    @property
    def widths(self) -> tuple[int, ...]:
        """`matryoshka` as numbers; empty if it is not set."""
        return () if self.matryoshka is None else numbers_of("--matryoshka", self.matryoshka)
