"""A transformer whose states are a weighted mean over its layers: WeightedLayerPooling."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

_LAYERS, _TOKENS = "all_layer_embeddings", "token_embeddings"


class LayerMean(nn.Module):
    """A transformer and the library's module that takes the mean, in the place of a transformer.

    Attributes:
        model: the transformer, whose configuration asks for the states of all layers. It has all
            attributes that this module lacks.
        mean: the library's module.
    """

    def __init__(self, model: nn.Module, mean: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.mean = mean

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of this module, or else of the transformer."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("model"), name)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over a state that was copied or that another process sent.

        transformers records the states of layers only of classes of which this process has made a
        model. So one is made, without memory for its weights.
        """
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        with torch.device("meta"):
            type(self.model)(self.model.config)

    def forward(
        self, input_ids: Tensor, position_ids: Tensor | None = None, **more: Any
    ) -> SimpleNamespace:
        """Return the means as `last_hidden_state`, float (B, T, D)."""
        if position_ids is not None:
            more["position_ids"] = position_ids
        found = self.model(input_ids=input_ids, **more)
        return SimpleNamespace(last_hidden_state=self.mean({_LAYERS: found.hidden_states})[_TOKENS])
