"""The model that is shipped: written, and read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from stage2.cli.run_folder import RunFolder
from stage2.cli.stage1 import load_options
from stage2.config import Settings
from stage2.encoding.encoder import Encoder
from stage2.models.auto import family_of
from stage2.models.fidelity import TOLERANCE, check_fidelity
from stage2.utils import files
from stage2.utils.errors import RunFailedError

# So many questions are embedded by what was written.
_TEXTS = 64
# Half precision changes a vector about 1 long by so much, in encoders of a dozen layers.
_OF_HALF = {torch.float16: 2e-3, torch.bfloat16: 2e-2}


def ship(
    settings: Settings,
    run: RunFolder,
    model: Encoder,
    untouched: Mapping[str, Tensor] | None,
    questions: Sequence[str],
) -> None:
    """Write the model and read it back: what is handed over is what was measured.

    Args:
        settings: of the command.
        run: its folder.
        model: to be shipped.
        untouched: the weights before training, where others are shipped; None where those are.
        questions: that it is compared on.

    Raises:
        RunFailedError: the folder gives other vectors, or has the weights from before training.
    """
    folder = run / files.SHIPPED_MODEL
    model.save(folder)
    options = load_options(settings)
    read = family_of(folder).read_back(folder, options)
    tolerance = _OF_HALF.get(model.saved_dtype, TOLERANCE)
    check_fidelity(model, read, folder, questions[:_TEXTS], tolerance)
    if untouched is not None and _same(model, untouched):
        raise RunFailedError(
            f"{folder}: has the weights from before training, though training changed them: in "
            f"{str(model.saved_dtype).removeprefix('torch.')}, the type that they came in, the "
            "change is rounded away. Give --save-dtype fp32, or a higher --learning-rate"
        )


def _same(model: Encoder, untouched: Mapping[str, Tensor]) -> bool:
    """Tell whether weights are as before in the type that they are written in."""
    dtype = model.saved_dtype
    return all(
        torch.equal(weight.cpu().to(dtype), untouched[name].to(dtype))
        for name, weight in model.state_dict().items()
        if weight.is_floating_point()
    )
