"""`stage2 prepare` constructs samples. It needs no model, so it does not wait for torch."""

from __future__ import annotations

from stage2.cli import console
from stage2.cli.inputs import Inputs, check_corpus, gather, write_rejected
from stage2.cli.run_folder import RunFolder, in_run_folder
from stage2.config import Settings
from stage2.data.sample.build import write_sample
from stage2.utils import files


@in_run_folder()
def prepare(settings: Settings, run: RunFolder) -> None:
    """Construct samples and write them."""
    inputs = gather(settings, memory_map=True)
    check_corpus(inputs, settings, "prepare")
    run.begin(settings, {"prepare": inputs.hashes})
    write_constructed(settings, run, inputs)


def write_constructed(settings: Settings, run: RunFolder, inputs: Inputs) -> None:
    """Write the constructed samples, and the rejected rows if rows were skipped."""
    if inputs.source == "sample":
        write_sample(run / files.SAMPLE)
    run.note_hash(files.CONSTRUCTED, inputs.samples.write_jsonl(run / files.CONSTRUCTED))
    write_rejected(run, inputs.loaded)
    run.done(settings, "prepare", inputs.hashes, data=inputs.facts())
    console.keep(samples=len(inputs.samples))
    console.say(f"samples: {len(inputs.samples)} in {run / files.CONSTRUCTED}")
