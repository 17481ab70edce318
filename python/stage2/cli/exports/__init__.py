"""The writers of what `stage2 export` takes from a run folder.

A module here reads what a run found and writes it into an empty folder. `WRITERS` has them by what
they write, as `variants.EXPORTS` names it.
"""

from __future__ import annotations

from stage2.cli.exports import mined_set, rankings, results, vectors

WRITERS = {
    "mined set": mined_set.write,
    "rankings": rankings.write,
    "vectors": vectors.write,
    "results": results.write,
}
