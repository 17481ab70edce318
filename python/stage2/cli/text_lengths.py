"""The messages about how much of the texts a model sees. They come once in each stage."""

from __future__ import annotations

from typing import Any

from stage2.cli import console
from stage2.data.dataset import Samples
from stage2.encoding.encoder import Encoder, LazyModel
from stage2.encoding.truncation import accounts, facts
from stage2.report import messages


def tell_text_lengths(
    model: Encoder | LazyModel, samples: Samples, name: str = ""
) -> dict[str, Any]:
    """Count how much of the texts the model sees, say it, and warn if much is lost.

    Args:
        model: the model that reads the texts.
        samples: the questions and their contexts.
        name: the name of the model, if there are several.

    Returns:
        The counts for `run.json`.
    """
    found = accounts(model, samples)
    for role, account in found.items():
        console.say(messages.seen_by_model(role, account, name))
        for warning in messages.unseen_by_model(role, account, name):
            console.warn(warning)
    return facts(found)
