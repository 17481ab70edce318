"""The common base of encoders over a transformer: its hidden states, without padding."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from stage2.encoding.encoder import Encoder
from stage2.encoding.kernels import unpadded
from stage2.encoding.tokens import Batch


class TransformerEncoder(Encoder):
    """An encoder whose `backbone` is a transformer of the package transformers."""

    def token_states(self, batch: Batch) -> tuple[Tensor, unpadded.Layout | None]:
        """The backbone's last hidden states.

        Returns:
            float (tokens of all texts, D) and the layout that says where each token stands, where
            texts are put end to end; else float (B, T, D) and None.
        """
        ids, mask = batch.input_ids, batch.attention_mask
        if self.backbone.config._attn_implementation != unpadded.NAME:
            return self.hidden(ids, mask), None
        layout = unpadded.Layout.of(mask)
        first = self.first_position or 0
        return unpadded.hidden_states(self.backbone, ids, layout, first), layout

    def hidden(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The backbone's last hidden states, float (B, T, D); the mask alone says what is padding.

        Args:
            input_ids: int64 (B, T).
            attention_mask: int64 (B, T), 1 on tokens, then 0 on padding.
        """
        found: Tensor = unpadded.padded_hidden_states(
            self.backbone, input_ids, attention_mask, self.first_padded_position
        )
        return found

    @cached_property
    def first_padded_position(self) -> int | None:
        """The position of a text's first token, if the backbone must be told it; see `unpadded`."""
        return unpadded.first_padded_position(self.backbone)

    @cached_property
    def first_position(self) -> int | None:
        """The position of a text's first token, if the backbone can do without padding."""
        return unpadded.first_position(self.backbone)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        found: torch.device = next(self.backbone.parameters()).device
        return found


def without_checkpointing(backbone: torch.nn.Module) -> None:
    """Have a backbone keep its activations: what it computes again would have another dropout."""
    for module in backbone.modules():
        # The attribute has kept its name over versions, the method that sets it has not.
        if getattr(module, "gradient_checkpointing", False):
            module.gradient_checkpointing = False  # type: ignore[assignment]


def add_up(values: Tensor, row: Tensor, like: Tensor) -> Tensor:
    """Sums of the values, float (E, d), of each row, int64 (E,), in the shape of `like`, (B, d).

    On a CPU and on a GPU in the order of the values: a GPU's `index_add` has none, and so
    another sum each time.
    """
    zeros = torch.zeros_like(like)
    if values.device.type == "cuda":
        return zeros.index_put((row,), values, accumulate=True)
    return zeros.index_add(0, row, values)
