"""A gazetteer of 100,000 names over 100 MB of text."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from benches import inputs
from benches.harness import Bench, Claim, Finding, Peer, expect
from stage2._core import Gazetteer

NAMES = 100_000
TEXTS = 450_000
# The peers would take too long for all texts.
PEER_TEXTS = 9_000
# The letters of the texts beyond ASCII, which flashtext must be told of.
LETTERS = "éöß"

Spans = list[list[tuple[int, int]]]
Ints = npt.NDArray[np.int64]
Arrays = tuple[Ints, Ints, Ints]


def measure(bench: Bench) -> Iterator[Finding]:
    count = bench.size(TEXTS)
    some = min(count, PEER_TEXTS)
    texts, names = corpus(count, bench.size(NAMES))
    path = bench.folder / "names.txt"
    path.write_text("\n".join(names), encoding="utf-8")
    gazetteer = Gazetteer.load(path, unicode_form="none")

    def same(found: Arrays, theirs: Spans) -> None:
        expect(spans_of(found, some) == theirs, "spans differ")
        expect(any(theirs), "no name is in a text")

    megabytes = sum(map(len, texts)) // 10**6
    job = f"{len(names):,} names in {megabytes} MB of text"
    spacy, split, flashtext = (
        f"{name}, {some:,} texts"
        for name in ("spaCy PhraseMatcher", "PhraseMatcher on split words", "flashtext")
    )
    part, scale = texts[:some], count / some
    yield from bench.race(
        job,
        lambda: gazetteer.find(texts),
        [
            Peer(spacy, partial(by_spacy(names, split=False), part), same, scale),
            Peer(split, partial(by_spacy(names, split=True), part), same, scale),
            Peer(flashtext, partial(by_flashtext(names), part), same, scale),
        ],
        [
            Claim(job, (spacy,), 10),
            Claim(job, (split,), None),
            Claim(job, (flashtext,), 5),
        ],
    )


def spans_of(found: Arrays, count: int) -> Spans:
    """Return the spans of the first texts as lists, as the peers give them."""
    spans, offsets, _ = found
    bounds = offsets[: count + 1].tolist()
    pairs = list(map(tuple, spans[: bounds[-1]].tolist()))
    return [pairs[start:end] for start, end in itertools.pairwise(bounds)]


def corpus(count: int, names: int) -> tuple[list[str], list[str]]:
    """Make texts of plain words with single spaces, and names of two to four words.

    Half of the names are parts of the texts' source, the other half are words drawn from it.
    """
    clean = str.maketrans("", "", '"\n')
    texts = [text.translate(clean) for text in inputs.texts(count, seed=7)]
    random = np.random.default_rng(0)
    found: dict[str, None] = {}
    source = inputs.texts(4 * names, seed=8)
    while len(found) < names:
        words = next(source).translate(clean).split()
        at, length = int(random.integers(0, 20)), int(random.integers(2, 5))
        chosen = words[at : at + length]
        if len(found) % 2:
            chosen = [words[i] for i in random.permutation(len(words))[:length]]
        found[" ".join(chosen)] = None
    return texts, list(found)


def by_spacy(names: Sequence[str], split: bool) -> Callable[[Sequence[str]], Spans]:
    """Use the PhraseMatcher as in its documentation, with the tokenizer of no language.

    Or the words are split at spaces, which is possible only with texts like these.
    """
    import spacy
    from spacy.matcher import PhraseMatcher
    from spacy.tokens import Doc

    pipeline = spacy.blank("xx")
    vocab = pipeline.vocab

    def read(text: str) -> Doc:
        return Doc(vocab, words=text.split(" ")) if split else pipeline.make_doc(text)

    matcher = PhraseMatcher(vocab)
    matcher.add("name", [read(name) for name in names])

    def find(texts: Sequence[str]) -> Spans:
        all_spans = []
        for text in texts:
            doc = read(text)
            spans, at = [], 0
            matches = [(start, -end) for _, start, end in matcher(doc)]
            for start, end in sorted(matches):
                if start >= at:
                    at = -end
                    span = doc[start:at]
                    spans.append((span.start_char, span.end_char))
            all_spans.append(spans)
        return all_spans

    return find


def by_flashtext(names: Sequence[str]) -> Callable[[Sequence[str]], Spans]:
    """Use flashtext as in its documentation, with the letters of the texts."""
    from flashtext import KeywordProcessor

    processor = KeywordProcessor(case_sensitive=True)
    for letter in LETTERS:
        processor.add_non_word_boundary(letter)
    processor.add_keywords_from_list(list(names))

    def find(texts: Sequence[str]) -> Spans:
        return [
            [(start, end) for _, start, end in processor.extract_keywords(text, span_info=True)]
            for text in texts
        ]

    return find
