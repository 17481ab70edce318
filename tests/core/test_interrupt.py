"""Ctrl-C while the core works: the call ends early and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

# Begins one call, and has the signal sent when it is under way. Python raises when the call ends,
# so that alone does not tell that it ended early: a thread that is not told to stop has begun the
# same call before, and must not be through with it.
PROGRAM = """
import json, os, signal, sys, threading
import numpy as np
import stage2
from stage2 import _core

folder = sys.argv[1]
rng = np.random.default_rng(0)

def interrupted(work):
    begun, through = threading.Event(), threading.Event()

    def same():
        begun.set()
        work(folder + "/other")
        through.set()

    threading.Thread(target=same, daemon=True).start()
    begun.wait()
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        work(folder)
        print("it returned", flush=True)
    except KeyboardInterrupt:
        through.wait(0.1)
        print("it was waited for" if through.is_set() else "interrupted", flush=True)
    os._exit(0)
"""

# Without a signal each call would take some seconds, or never end.
WORK = {
    "topk": """
        q = rng.standard_normal((50_000, 64), np.float32)
        interrupted(lambda _: _core.topk(q, q, 100))
    """,
    "similarities": """
        q = np.ones((8, 1024), np.float32)
        rows, offsets = np.zeros(16_000_000, np.int64), np.arange(9) * 2_000_000
        interrupted(lambda _: _core.similarities(q, q, rows, offsets))
    """,
    "construct": """
        write(folder, questions=20_000, chunks=20_000)
        data = stage2.Dataset.load(folder + "/qa", folder + "/chunks")
        interrupted(lambda _: data.construct(10_000))
    """,
    "write_jsonl": """
        write(folder, questions=2_000, chunks=3_000)
        samples = stage2.Dataset.load(folder + "/qa", folder + "/chunks").construct(2_000)
        rows = np.zeros(200_000, np.int64)
        os.mkdir(folder + "/other")
        interrupted(lambda where: samples.write_jsonl(where + "/out.jsonl", rows))
    """,
    "sample_negatives": """
        ids, none = ["q"] * 5_000, np.zeros(0, np.int64)
        offsets = np.zeros(5_001, np.int64)
        interrupted(lambda _: _core.sample_negatives(ids, 30_000, 40_000, none, offsets))
    """,
    "match_annotations": """
        # There are thousands of copies of one letter, and all are compared with all.
        texts = [f"{i:05} " + "the same long letter " * 100 + f"{i:05}" for i in range(24_000)]
        others = [text + "." for text in texts]
        interrupted(lambda _: stage2.match_annotations(texts, others))
    """,
    "spans_for": """
        interrupted(lambda _: annotations().spans_for([LONG] * 20_000))
    """,
    "matched": """
        interrupted(lambda _: annotations().matched([LONG] * 20_000))
    """,
    "find": """
        with open(folder + "/names.txt", "w") as file:
            file.write("anderem\\nein Satz")
        gazetteer = _core.Gazetteer.load(folder + "/names.txt")
        interrupted(lambda _: gazetteer.find([LONG] * 20_000))
    """,
    "same_text": """
        interrupted(lambda _: _core.same_text([LONG] * 20_000))
    """,
    "near_duplicates": """
        texts = [f"{i} " + "some words of a long text, again. " * 3_000 for i in range(1_000)]
        interrupted(lambda _: _core.near_duplicates(texts, 0.5))
    """,
    "Dataset.load": """
        # All rows have the same question, so each gets the ground truths of all rows.
        write(folder, questions=11_000, chunks=11_000, question="q", chunk="{i}")
        interrupted(lambda _: stage2.Dataset.load(folder + "/qa", folder + "/chunks"))
    """,
    "rank": """
        scores = rng.standard_normal(16_000_000, np.float32)
        interrupted(lambda _: _core.rank(scores, np.array([0, len(scores)]), 1_000_000))
    """,
    "Ranking.from_counts": """
        above = rng.permutation(16_000_000)
        ends = np.array([0, len(above)])
        interrupted(lambda _: _core.Ranking.from_counts(above, np.ones_like(above), ends, ends[1:]))
    """,
    "order": """
        scores = rng.standard_normal(16_000_000, np.float32)
        interrupted(lambda _: _core.order(scores, np.array([0, len(scores)])))
    """,
    "kendall_tau": """
        scores = rng.standard_normal(16_000_000, np.float32)
        interrupted(lambda _: _core.kendall_tau(scores, np.array([0, len(scores)])))
    """,
    "a pipe that nobody writes to": """
        os.mkfifo(folder + "/pipe")
        interrupted(lambda _: _core.load_chunks(folder + "/pipe"))
    """,
    "a file without end": """
        interrupted(lambda _: _core.load_chunks("/dev/zero", max_decompressed=2**40))
    """,
}

WRITE = """
LONG = "Ünter anderem steht hier ein Satz. " * 3_000

def write(folder, questions, chunks, question="q{i}", chunk="1"):
    row = '{{"question": "' + question + '", "chunk_id": ' + chunk + "}}\\n"
    with open(folder + "/chunks", "w") as file:
        file.writelines(f'{{"id": {i}, "text": "t{i}"}}\\n' for i in range(chunks))
    with open(folder + "/qa", "w") as file:
        file.writelines(row.format(i=i) for i in range(questions))

def annotations():
    with open(folder + "/entities", "w") as file:
        json.dump({"text": LONG, "targets": []}, file)
    return _core.Annotations.load(folder + "/entities")
"""


def run(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM + WRITE + program, str(folder)]
    # Each call has one thread, so that its time does not depend on the number of processors.
    env = {**os.environ, "RAYON_NUM_THREADS": "1"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=100, check=False, env=env
    )


@pytest.mark.parametrize("work", WORK)
def test_ctrl_c_ends_the_work(tmp_path: Path, work: str):
    done = run(textwrap.dedent(WORK[work]), tmp_path)
    assert done.stdout == "interrupted\n", done.stderr
    assert done.returncode == 0
    inputs = {"qa", "chunks", "entities", "names.txt", "pipe", "other"}
    assert {path.name for path in tmp_path.iterdir()} <= inputs


def test_what_a_handler_raises_is_raised_and_the_core_goes_on(tmp_path: Path):
    """A user's own signal handler decides. Work in other threads goes on."""
    program = """
    class Mine(Exception): pass

    def handler(number, frame):
        # This is a call during a call.
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


@pytest.mark.skipif(sys.platform != "linux", reason="signals to one thread as Linux sends them")
def test_a_signal_that_changes_nothing_does_not_end_a_pipe(tmp_path: Path):
    """Each thread that waits for the pipe continues to wait."""
    program = """
    import ctypes
    signal.signal(signal.SIGUSR1, lambda number, frame: None)
    os.mkfifo(folder + "/pipe")

    def disturb():
        # The number of tgkill depends on the processor. pthread_kill does not need it.
        tgkill = {"x86_64": 234, "aarch64": 131}[os.uname().machine]
        syscall = ctypes.CDLL(None).syscall
        for _ in range(20):
            for thread in os.listdir("/proc/self/task"):
                syscall(tgkill, os.getpid(), int(thread), signal.SIGUSR1)
            quiet.wait(0.01)
        with open(folder + "/pipe", "w") as file:
            file.write('{"id": 1, "text": "good"}')

    quiet = threading.Event()
    threading.Timer(0.1, disturb).start()
    print(list(_core.load_chunks(folder + "/pipe")[0]))
    """
    done = run(textwrap.dedent(program), tmp_path)
    assert done.stdout == "['good']\n", done.stderr
