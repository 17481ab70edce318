"""`stage2 init` makes a stage-1 model from an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stage2._core import Loaded
from stage2.cli import console
from stage2.cli.dry_run import Workload
from stage2.cli.inputs import write_rejected
from stage2.cli.run_folder import RunFolder, in_run_folder
from stage2.cli.stage1 import (
    check_machine,
    chunks_to_fit,
    new_model,
)
from stage2.cli.workload import Pace, fitting
from stage2.config import Settings
from stage2.encoding.encoder import Encoder
from stage2.encoding.tokens import LazyTokens, tokenize
from stage2.models.hub import default_backbone
from stage2.utils import files


@in_run_folder()
def init(settings: Settings, run: RunFolder) -> None:
    """Make a stage-1 model and write its folder."""
    # Heads are fitted in float32 everywhere, so that one seed gives one model.
    settings = replace(settings, precision="fp32")
    check_machine(settings)
    hashes = {"backbone": settings.backbone or default_backbone()}
    chunks: Sequence[str] = ()
    read: list[Loaded] = []
    if settings.fit:
        chunks, loaded, hashes["chunks"] = chunks_to_fit(settings)
        read.append(loaded)
    model = new_model(settings, chunks)
    run.begin(settings, {"init": hashes}, work=lambda: _load(settings, model, chunks))
    write_rejected(run, read)
    model.save(run / files.STAGE1_MODEL)
    run.done(settings, "init", hashes)
    console.keep(model=files.written(run / files.STAGE1_MODEL))
    console.say(f"stage-1 model: {run / files.STAGE1_MODEL}")


def _load(settings: Settings, model: Encoder, chunks: Sequence[str]) -> Workload:
    """Count what the command computes, for a dry run."""
    if not settings.fit:
        return Workload()
    tokens = LazyTokens(chunks, [()] * len(chunks), lambda part: tokenize(model, *part))
    pace = Pace.measure(model, tokens, settings.precision)
    return Workload({"chunks": len(chunks)}, fitting(pace, settings))
