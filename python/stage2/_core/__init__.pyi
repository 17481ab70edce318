"""The core, in Rust: all work on bytes, ids, offsets and ranks.

Texts cross the border to Python only when they are asked for. Everything else crosses as numpy
arrays. Lists of different lengths are in CSR form: one flat array, and `offsets` of length n + 1.
List i is `flat[offsets[i]:offsets[i + 1]]`.

Every function that reads or writes a file raises FileNotFoundError, IsADirectoryError or another
OSError if the system refuses, and InputError if the contents of the file are wrong. Every function
raises ValueError for wrong values; TypeError for wrong types, which include the dtype and the
number of dimensions of an array; and MemoryError if there is not enough memory. Arrays may have any
memory layout. Masked arrays are refused.

Heavy work uses all cores (`RAYON_NUM_THREADS` limits them) and releases the interpreter's lock.
Results do not depend on the number of threads. A call of the main thread ends within a fraction of
a second after Ctrl-C, and removes the file that it was writing. Calls of the main thread have their
own threads; calls of all other threads share some. A forked process starts new threads.
"""

# These modules exist only for type checkers. Programs import from `stage2._core`.
from stage2._core._annotations import Annotations, match_annotations
from stage2._core._arrow import Table, table
from stage2._core._dataset import Dataset, load_qrels
from stage2._core._distinct import DistinctTexts, numbered
from stage2._core._gazetteer import Gazetteer, write_annotations
from stage2._core._loaded import (
    InputError,
    Lines,
    Loaded,
    Rejected,
    TextColumn,
    load_chunks,
    read_bytes,
)
from stage2._core._parquet import ParquetFile
from stage2._core._ranking import Ranking, kendall_tau, order, rank
from stage2._core._samples import Samples, sample_negatives
from stage2._core._search import cross_similarities, select_negatives, similarities, topk
from stage2._core._texts import near_duplicates, same_text, shingles, text_key

__all__ = [
    "Annotations",
    "Dataset",
    "DistinctTexts",
    "Gazetteer",
    "InputError",
    "Lines",
    "Loaded",
    "ParquetFile",
    "Ranking",
    "Rejected",
    "Samples",
    "Table",
    "TextColumn",
    "__version__",
    "cross_similarities",
    "kendall_tau",
    "load_chunks",
    "load_qrels",
    "match_annotations",
    "near_duplicates",
    "numbered",
    "order",
    "rank",
    "read_bytes",
    "same_text",
    "sample_negatives",
    "select_negatives",
    "shingles",
    "similarities",
    "table",
    "text_key",
    "topk",
    "write_annotations",
]

__version__: str
