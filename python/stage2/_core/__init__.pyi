"""The core: everything that is bytes, ids, offsets and ranks.

Text crosses this border only when it is asked for; all else crosses as numpy arrays. Lists of
varying length are CSR: one flat array, and `offsets` of length n + 1, list i being
`flat[offsets[i]:offsets[i + 1]]`.

Every function that reads or writes a file raises FileNotFoundError, IsADirectoryError or another
OSError where the system refuses, and InputError where the file's contents are wrong. Every
function raises ValueError for arguments that make no sense, TypeError for those of another type,
an array's dtype and number of dimensions among it, and MemoryError where there is no room for what
was asked for. An array may lie in memory in any way; a masked one is refused.

Heavy work runs on all cores (`RAYON_NUM_THREADS` limits them) and without the interpreter's lock;
results do not depend on how many. What the main thread calls ends within a fraction of a second of
Ctrl-C, files that it was writing removed; its calls have threads of their own, and those of all
other threads share some. A process that was forked makes its own.
"""

from stage2._core._annotations import Annotations, match_annotations
from stage2._core._dataset import Dataset
from stage2._core._loaded import InputError, Loaded, Rejected, TextColumn, load_chunks
from stage2._core._ranking import Ranking, kendall_tau, order, rank
from stage2._core._samples import Samples, sample_negatives
from stage2._core._search import select_negatives, similarities, topk
from stage2._core._texts import near_duplicates, same_text, shingles, text_key

__all__ = [
    "Annotations",
    "Dataset",
    "InputError",
    "Loaded",
    "Ranking",
    "Rejected",
    "Samples",
    "TextColumn",
    "__version__",
    "kendall_tau",
    "load_chunks",
    "match_annotations",
    "near_duplicates",
    "order",
    "rank",
    "same_text",
    "sample_negatives",
    "select_negatives",
    "shingles",
    "similarities",
    "text_key",
    "topk",
]

__version__: str
