"""Conditions under which a setting counts, those of what ranks and of what a loss learns from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from stage2.call import Call, were_mined
from stage2.variants import BM25, DATA_TEACHER, LOSSES, Loss


@dataclass(frozen=True)
class Condition:
    """A condition under which a setting counts.

    Attributes:
        holds: a function that returns whether a call meets the condition.
        text: the condition in words, for messages, or a function that returns them for a call.
    """

    holds: Callable[[Call], bool]
    text: str | Callable[[Call], str]

    def words(self, call: Call) -> str:
        """Return the words that stand after "it works" in a message."""
        return self.text if isinstance(self.text, str) else self.text(call)


def chosen(name: str, *values: str) -> Condition:
    """Make the condition that a setting has one of these values."""
    *others, last = values
    listed = f"{', '.join(others)} or {last}" if others else last
    flag = f"--{name.replace('_', '-')}"
    return Condition(lambda call: getattr(call.settings, name) in values, f"with {flag} {listed}")


def given(name: str, kind: str) -> Condition:
    """Make the condition that a setting is given; `kind` is how its value is shown."""
    flag = f"--{name.replace('_', '-')} {kind}"
    return Condition(lambda call: getattr(call.settings, name) is not None, f"with {flag}")


def absent(name: str) -> Condition:
    """Make the condition that a setting is not given."""
    flag = f"--{name.replace('_', '-')}"
    return Condition(lambda call: getattr(call.settings, name) is None, f"without {flag}")


# Without --rounds `train` takes the negatives that its data have.
MINES_CORPUS = Condition(
    lambda call: (
        call.settings.source == "corpus" or (call.command == "train" and call.settings.rounds > 1)
    ),
    lambda call: "with --rounds 2 or more" if call.command == "train" else "with --source corpus",
)
HAS_MODEL = Condition(
    lambda call: call.has_model,
    "with a model that stage2 reads itself, not with vectors, a run or an endpoint",
)
EMBEDS = Condition(
    lambda call: call.embeds, "with a model or with --endpoint, not with vectors or a run"
)
COMPARES = Condition(
    lambda call: call.has_model or call.has_vectors,
    "with a model, vectors or an endpoint, not with a run alone",
)
SEARCHES = Condition(
    lambda call: (
        call.settings.source == "corpus"
        or (call.command != "mine" and call.settings.corpus != "never")
    ),
    lambda call: (
        "with --source corpus"
        if call.command == "mine"
        else "with --source corpus, or without --corpus never"
    ),
)
RANKS_CORPUS = Condition(
    lambda call: call.settings.source == "corpus" or call.settings.corpus != "never",
    "with --source corpus, or without --corpus never",
)
HAS_COLUMNS = Condition(
    lambda call: call.data_format is not None and call.data_format.columns,
    "with a --data FILE that has columns, such as CSV, TSV, Parquet or Arrow",
)
CORPUS = Condition(
    lambda call: call.has_corpus or were_mined(call.settings.data),
    "with --qa and --chunks, or a --data DIR, which have a corpus to rank",
)
# Annotations of --chunks are of the texts alone, so that is what `annotate` makes them of.
TITLED = Condition(
    lambda call: (
        call.settings.entities is None
        and call.settings.qa is not None
        and call.command != "annotate"
        if call.settings.data is None
        else call.has_corpus
    ),
    "with a --data DIR, whose corpus has titles, or with --qa and --chunks without entities",
)
DEALS_SIDES = Condition(
    lambda call: not call.given_sides,
    "without sides that are given, by --split-file or by files of --data that are named after them",
)
DEALS_DEV = Condition(
    lambda call: not {"train", "dev"} <= call.given_sides,
    "without a dev side that is given, by --split-file or by a file of --data that is named so",
)
NOT_MINED = Condition(
    lambda call: call.settings.source == "candidates" or call.settings.corpus != "never",
    "with --source candidates: what is mined from the corpus is measured on it",
)
READS_AS_TOLD = Condition(
    lambda call: not call.makes_stage1 and not call.reads_weights,
    "with --model DIR of a sentence-transformers or Hugging Face model",
)
MERGES_WEIGHTS = Condition(
    lambda call: call.command != "merge" or call.settings.method in ("interpolate", "soup"),
    "with --method interpolate or soup, whose result is one model",
)


def taken_by_the_loss(name: str) -> Condition:
    """Make the condition that the loss takes a setting as a parameter."""
    return with_loss(lambda kind: name in kind.settings)


def with_loss(fits: Callable[[Loss], bool]) -> Condition:
    """Make the condition that the loss is one of those that fit, losses of one's own among them."""
    named = chosen("loss", *(loss for loss, kind in LOSSES.items() if fits(kind)))
    return replace(named, holds=lambda call: fits(LOSSES[call.settings.loss]))


HAS_TEACHER = given("teacher", f"DIR|ID|{DATA_TEACHER}")
# Another teacher than the model before training is learnt from as it is.
UNTOUCHED = Condition(
    lambda call: call.settings.teacher is None or LOSSES[call.settings.loss].teacher is None,
    "without --teacher, whose scores are learnt as they are",
)

HAS_SECOND = given("second_source", f"{BM25}|FILE")
# In its rounds `train` mines the corpus of its data.
_MINES_AGAIN = Condition(
    lambda call: call.settings.source == "corpus" or call.command == "train",
    "with --source corpus",
)
# Findings about negatives that were mined before training say nothing of later ones.
_KEEPS_FALSE = Condition(
    lambda call: not call.settings.drop_false_negatives,
    "without --drop-false-negatives, which looks at the negatives before training alone",
)
# A teacher scores the negatives that were there before training, and no others.
ROUNDS = (
    with_loss(lambda kind: kind.negatives != "batch" and kind.teacher is None),
    _MINES_AGAIN,
    CORPUS,
    _KEEPS_FALSE,
)
