"""Sentences with counts, which `cli/` prints to the console."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stage2.data.annotated import Counts, matched, total
from stage2.utils.schema import WORTH_A_WARNING

if TYPE_CHECKING:  # this module imports torch, which takes seconds
    from stage2.encoding.truncation import Account


_EXPECTED = (
    "expected annotations of these very texts: one belongs to a text that is equal but for white "
    "space, or that contains it or is contained in it and is nearly as long"
)


def annotated(counts: Counts) -> str:
    """Say how many texts of each kind have an annotation."""
    parts = [f"{matched(count):,} of {count['texts']:,} {kind}" for kind, count in counts.items()]
    contained = total(counts, "contained")
    return f"entity annotations: {' and '.join(parts)} have one" + (
        f" ({contained:,} because one text contains the other)" if contained else ""
    )


def no_pair_has_entities(counts: Counts) -> str | None:
    """Say why no pair of texts can be compared by entities; return None if some pairs can."""
    if not any(matched(count) for count in counts.values()):
        composed = total(counts, "if_composed")
        return f"the annotations match none of {total(counts, 'texts'):,} texts; " + (
            would_match_composed(composed) if composed else _EXPECTED
        )
    for kind, count in counts.items():
        if not count["with_entity"]:
            return (
                f"the annotations give none of {count['texts']:,} {kind} an entity; expected "
                "entities in questions and in chunks, which are compared by them"
            )
    return None


def would_match_composed(number: int, more: str = "") -> str:
    """Say how many texts have an annotation in another Unicode form.

    Args:
        number: the number of these texts.
        more: `"more "` if other texts have an annotation in their own form, else "".
    """
    return (
        f"{number:,} {more}would match after Unicode NFC normalisation: expected texts and "
        "annotations in one form; normalise both files alike"
    )


def seen_by_model(role: str, account: Account, model: str = "") -> str:
    """Say how much of the texts of one role a model sees.

    Args:
        role: `questions` or `chunks`.
        account: the counts of tokens.
        model: the name of the model if there are several, else "".
    """
    count = f"{account.counted:,}"
    if account.counted < account.texts:
        count = f"{account.counted:,} looked at, of {account.texts:,}"
    after = f", each after {account.prompt!r}" if account.prompt else ""
    return (
        f"{role} ({count}){after}: {account.cut:,} are cut at {account.max_length} tokens"
        f"{_of(model)}, {account.lost_share:.1%} of all tokens are lost; "
        f"{account.unknown_share:.1%} are unknown"
    )


def unseen_by_model(role: str, account: Account, model: str = "") -> Iterator[str]:
    """Yield warnings if a model does not see much of the texts. See `seen_by_model`."""
    if account.lost_share > WORTH_A_WARNING:
        yield (
            f"{account.lost_share:.0%} of the {role}' tokens lie past the limit of "
            f"{account.max_length}{_of(model)}, and the model does not see them. Cut the texts "
            "into shorter ones, or make a model with a larger --max-length"
        )
    if account.unknown_share > WORTH_A_WARNING:
        yield (
            f"{account.unknown_share:.0%} of the {role}' tokens are unknown to the "
            f"vocabulary{_of(model)}: the model cannot tell them apart. Take an encoder of the "
            "texts' language"
        )


def _of(model: str) -> str:
    return f" of {model}" if model else ""
