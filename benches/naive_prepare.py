"""The work of `stage2 prepare`, written with orjson and numpy. The arguments are QA CHUNKS OUT."""

from __future__ import annotations

import gc
import os
import sys

import numpy as np
import orjson

from benches.draw import draw_and_repair

NEGATIVES = 5


def main(qa: str, chunks: str, out: str) -> None:
    ids: list[str] = []
    texts: list[str] = []
    with open(chunks, "rb") as file:
        for line in file:
            row = orjson.loads(line)
            ids.append(row["chunk_id"])
            texts.append(row["text"])
    index = {chunk_id: i for i, chunk_id in enumerate(ids)}
    with open(qa, "rb") as file:
        questions = [orjson.loads(line) for line in file]

    own = np.array([index[row["chunk_id"]] for row in questions])
    drawn = draw_and_repair(own, NEGATIVES, len(ids)).tolist()
    with open(out, "wb", buffering=1 << 20) as file:
        for row, gold, negatives in zip(questions, own.tolist(), drawn, strict=True):
            sample = {
                "question": row["question"],
                "ground_truth_contexts": [texts[gold]],
                "negative_contexts": [texts[i] for i in negatives],
                "qa_id": row["qa_id"],
                "gt_chunk_id": ids[gold],
                "gt_chunk_ids": [ids[gold]],
                "negative_chunk_ids": [ids[i] for i in negatives],
            }
            file.write(orjson.dumps(sample, option=orjson.OPT_APPEND_NEWLINE))
        file.flush()
        os.fsync(file.fileno())


if __name__ == "__main__":
    gc.disable()  # there are no cycles, and the search for them takes a tenth of the time
    main(*sys.argv[1:])
