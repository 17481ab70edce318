"""Tell how much of the texts a model sees, once a stage."""

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
    """Count how much the model sees of the texts, say it, and warn where much is lost.

    Args:
        model: that the texts are for.
        samples: the questions, and the chunks that they meet.
        name: of the model, where there are several.

    Returns:
        The counts as `run.json` has them.
    """
    found = accounts(model, samples)
    for role, account in found.items():
        console.say(messages.seen_by_model(role, account, name))
        for warning in messages.unseen_by_model(role, account, name):
            console.warn(warning)
    return facts(found)
