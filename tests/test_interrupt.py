"""Ctrl-C while the core works: what was begun ends, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

# Begins the work, and has the signal sent when it is under way; what ends otherwise says so.
PROGRAM = """
import os, signal, sys, threading
import numpy as np
import stage2
from stage2 import _core

folder = sys.argv[1]
rng = np.random.default_rng(0)

def interrupted(work):
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        work()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    else:
        print("it ended by itself", flush=True)
"""

# Each would take half a minute or more.
WORK = {
    "topk": """
        q = rng.standard_normal((60_000, 64), np.float32)
        interrupted(lambda: [_core.topk(q, q, 100) for _ in range(9)])
    """,
    "similarities": """
        q = np.ones((8, 256), np.float32)
        rows, offsets = np.zeros(80_000_000, np.int64), np.arange(9) * 10_000_000
        interrupted(lambda: [_core.similarities(q, q, rows, offsets) for _ in range(20)])
    """,
    "construct": """
        write(folder, questions=20_000, chunks=20_000)
        data = stage2.Dataset.load(folder + "/qa", folder + "/chunks")
        interrupted(lambda: [data.construct(10_000) for _ in range(50)])
    """,
    "write_jsonl": """
        write(folder, questions=2_000, chunks=3_000)
        samples = stage2.Dataset.load(folder + "/qa", folder + "/chunks").construct(2_000)
        rows = np.zeros(1_000_000, np.int64)
        interrupted(lambda: samples.write_jsonl(folder + "/out.jsonl", rows))
    """,
    "sample_negatives": """
        ids, none = ["q"] * 1000, np.zeros(0, np.int64)
        offsets = np.zeros(1001, np.int64)
        work = lambda: _core.sample_negatives(ids, 30_000, 40_000, none, offsets)
        interrupted(lambda: [work() for _ in range(200)])
    """,
    "match_annotations": """
        # One form letter a thousand times: each is compared with each.
        texts = [f"{i:05} " + "the same long letter " * 200 + f"{i:05}" for i in range(6_000)]
        others = [text + "." for text in texts]
        interrupted(lambda: [stage2.match_annotations(texts, others) for _ in range(50)])
    """,
    "order": """
        scores = rng.standard_normal(8_000_000, np.float32)
        interrupted(lambda: [_core.order(scores, np.array([0, len(scores)])) for _ in range(99)])
    """,
    "kendall_tau": """
        scores = rng.standard_normal(8_000_000, np.float32)
        ends = np.array([0, len(scores)])
        interrupted(lambda: [_core.kendall_tau(scores, ends) for _ in range(99)])
    """,
    "a pipe that nobody writes to": """
        os.mkfifo(folder + "/pipe")
        interrupted(lambda: _core.load_chunks(folder + "/pipe"))
    """,
    "a file without end": """
        interrupted(lambda: _core.load_chunks("/dev/zero", max_decompressed=2**40))
    """,
}

WRITE = """
def write(folder, questions, chunks):
    with open(folder + "/chunks", "w") as file:
        file.writelines(f'{{"id": {i}, "text": "t{i}"}}\\n' for i in range(chunks))
    with open(folder + "/qa", "w") as file:
        file.writelines(f'{{"question": "q{i}", "chunk_id": 1}}\\n' for i in range(questions))
"""


def run(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM + WRITE + program, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize("work", WORK)
def test_ctrl_c_ends_the_work(tmp_path: Path, work: str):
    done = run(textwrap.dedent(WORK[work]), tmp_path)
    assert done.stdout == "interrupted\n", done.stderr
    assert done.returncode == 0
    assert {path.name for path in tmp_path.iterdir()} <= {"qa", "chunks", "pipe"}


def test_what_a_handler_raises_is_raised_and_the_core_goes_on(tmp_path: Path):
    """A handler of one's own decides; work in other threads is not told to stop."""
    program = """
    class Mine(Exception): pass

    def handler(number, frame):
        # A call within a call.
        assert _core.order(np.ones(9, np.float32), np.array([0, 9])).tolist() == list(range(9))
        raise Mine

    signal.signal(signal.SIGINT, handler)
    c = rng.standard_normal((20_000, 64), np.float32)
    q = c[:300]
    expected = _core.topk(q, c, 100)
    found = []
    other = threading.Thread(target=lambda: found.extend(_core.topk(q, c, 100) for _ in range(20)))
    other.start()
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        while True:
            _core.topk(q, c, 100)
    except Mine:
        print("mine")
    other.join()
    for pair in (*found, _core.topk(q, c, 100)):
        assert all((a == b).all() for a, b in zip(pair, expected))
    print(len(found))
    """
    done = run(textwrap.dedent(program), tmp_path)
    assert done.stdout == "mine\n20\n", done.stderr


def test_a_command_that_is_stopped_leaves_no_half_file(tmp_path: Path):
    chunks, qa = tmp_path / "chunks.jsonl", tmp_path / "qa.jsonl"
    rows = [json.dumps({"id": i, "text": f"text {i}"}) for i in range(40_000)]
    chunks.write_text("\n".join(rows))
    qa.write_text("\n".join(f'{{"question": "q{i}?", "chunk_id": {i}}}' for i in range(10_000)))
    words = ["prepare", "--qa", qa, "--chunks", chunks, "--negatives", 4000]
    out = tmp_path / "out"
    command = [sys.executable, "-m", "stage2", *map(str, words), "--output-dir", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while process.poll() is None and not list(out.glob(".constructed_data.jsonl.*.tmp")):
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=100)
    assert process.returncode == 1
    assert said.startswith("stopped")
    assert not [path for path in out.iterdir() if path.suffix == ".tmp"]
    assert not (out / "constructed_data.jsonl").exists()
