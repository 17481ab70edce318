"""The base class of encoders with a transformer, whose hidden states are computed here."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from stage2.encoding.encoder import Encoder
from stage2.encoding.kernels import unpadded
from stage2.encoding.tokens import Batch


class TransformerEncoder(Encoder):
    """An encoder whose `backbone` is a model of the package transformers."""

    def token_states(self, batch: Batch) -> tuple[Tensor, unpadded.Layout | None]:
        """Compute the last hidden states of the backbone.

        Returns:
            float (tokens of all texts, D) and the layout of the tokens, if the texts form one row
            without padding; else float (B, T, D) and None.
        """
        ids, mask = batch.input_ids, batch.attention_mask
        if self.backbone.config._attn_implementation != unpadded.NAME:
            return self.hidden(ids, mask), None
        layout = unpadded.Layout.of(mask)
        first = self.first_position or 0
        return unpadded.hidden_states(self.backbone, ids, layout, first), layout

    def hidden(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Compute the last hidden states of padded texts. Only the mask says what is padding.

        Args:
            input_ids: int64 (B, T).
            attention_mask: int64 (B, T), 1 for tokens, then 0 for padding.

        Returns:
            float (B, T, D).
        """
        found: Tensor = unpadded.padded_hidden_states(
            self.backbone, input_ids, attention_mask, self.first_padded_position
        )
        return found

    @cached_property
    def first_padded_position(self) -> int | None:
        """The first token's position if the backbone must be given it, else None."""
        return unpadded.first_padded_position(self.backbone)

    @cached_property
    def first_position(self) -> int | None:
        """The first token's position if the backbone can do without padding, else None."""
        return unpadded.first_position(self.backbone)

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        found: torch.device = next(self.backbone.parameters()).device
        return found


def without_checkpointing(backbone: torch.nn.Module) -> None:
    """Let a backbone keep its activations. Computed again, they would have another dropout."""
    for module in backbone.modules():
        # The attribute has the same name in all versions. The method that sets it does not.
        if getattr(module, "gradient_checkpointing", False):
            module.gradient_checkpointing = False  # type: ignore[assignment]


def add_up(values: Tensor, row: Tensor, like: Tensor) -> Tensor:
    """Add up the values of each row, in the order of the values.

    On a GPU `index_add` has no fixed order, so that the last bits of its sums would change from
    call to call.

    Args:
        values: float (E, d).
        row: int64 (E,), the row of each value, below B.
        like: a tensor with the shape, dtype and device of the result.

    Returns:
        float (B, d).
    """
    zeros = torch.zeros_like(like)
    if values.device.type == "cuda":
        return zeros.index_put((row,), values, accumulate=True)
    return zeros.index_add(0, row, values)
