"""`stage2 export` writes a model in the format of another tool."""

from __future__ import annotations

from stage2.cli import console
from stage2.cli.stage1 import load_given
from stage2.config import Settings
from stage2.models.export import export as write
from stage2.models.model_path import model_in
from stage2.utils.errors import BadInputError


def export(settings: Settings, to: str) -> None:
    """Load the model, write it, and have the other tool read it back."""
    if settings.model is None:
        raise BadInputError("nothing to export: give --model DIR")
    if "output_dir" not in settings.given:
        raise BadInputError("where to? Give --output-dir DIR, a folder that is not there yet")
    model = load_given(settings, settings.model)
    write(model, to, settings.output_dir)
    console.say(
        f"{model_in(settings.model)} as {to}: {settings.output_dir}, which gives the same vectors"
    )
