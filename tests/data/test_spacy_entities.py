"""The entities of a spaCy pipeline, and the pipelines that are not loaded."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
import spacy

from stage2.data.spacy_entities import find_entities, load_pipeline
from stage2.utils.errors import BadInputError


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a blank pipeline with a list of names."""
    made = spacy.blank("en")
    made.add_pipe("entity_ruler").add_patterns(
        [{"label": "PERSON", "pattern": "Edmond Dantès"}, {"label": "GPE", "pattern": "Rome"}]
    )
    folder = tmp_path_factory.mktemp("spacy") / "ruler"
    made.to_disk(folder)
    return folder


def test_offsets_are_code_points(pipeline: Path) -> None:
    texts = ["😀 Edmond Dantès in Rome", "", "nobody"]
    done: list[tuple[int, int]] = []
    found = find_entities(
        texts, load_pipeline(str(pipeline)), lambda at, total, _=0, /: done.append((at, total))
    )
    assert found.spans.tolist() == [[2, 15], [19, 23]]
    assert found.offsets.tolist() == [0, 2, 2, 2]
    assert list(found.names) == ["Edmond Dantès", "Rome"]
    assert list(found.labels) == ["PERSON", "GPE"]
    assert done == [(1, 3), (2, 3), (3, 3)]
    assert found.known is None


def changed(pipeline: Path, tmp_path: Path, old: str, new: str) -> Path:
    """Copy a pipeline with another configuration."""
    folder = tmp_path / "changed"
    folder.mkdir()
    config = (pipeline / "config.cfg").read_text(encoding="utf-8")
    assert old in config
    (folder / "config.cfg").write_text(config.replace(old, new), encoding="utf-8")
    for name in ("meta.json", "tokenizer"):
        (folder / name).write_bytes((pipeline / name).read_bytes())
    return folder


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('factory = "entity_ruler"', 'factory = "my_ruler"', "components.entity_ruler.factory"),
        ('factory = "entity_ruler"', 'factory = "transformer"', "names what is not of spaCy"),
        ("before_creation = null", 'before_creation = {"@callbacks":"mine"}', "before_creation"),
        ('"spacy.Tokenizer.v1"', '"my.Tokenizer.v1"', "nlp.tokenizer.@tokenizers = my.Tokenizer"),
        ('pipeline = ["entity_ruler"]', "pipeline = []", "no component that finds entities"),
        ("[nlp]", "[nlp", "is no configuration of spaCy"),
    ],
)
def test_what_is_not_of_spacy_itself_is_not_loaded(
    pipeline: Path, tmp_path: Path, old: str, new: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spacy, "load", lambda _: pytest.fail("it was loaded"))
    with pytest.raises(BadInputError, match=said):
        load_pipeline(str(changed(pipeline, tmp_path, old, new)))


def test_a_package_is_found_and_not_imported(
    pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "my_names"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('code of the package was run')")
    pipeline.rename(package / "my_names-1.0")
    try:
        monkeypatch.syspath_prepend(str(tmp_path))
        importlib.invalidate_caches()
        assert load_pipeline("my_names").pipe_names == ["entity_ruler"]
        assert "my_names" not in sys.modules
    finally:
        (package / "my_names-1.0").rename(pipeline)


@pytest.mark.parametrize("name", ["no_such_package", "no/such/folder", ".", "json", ""])
def test_what_is_not_there_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInputError, match=r"no such pipeline.*Nothing is downloaded"):
        load_pipeline(name)


def test_a_damaged_pipeline_is_refused(pipeline: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="cannot be loaded"):
        load_pipeline(str(changed(pipeline, tmp_path, "[nlp]", "[nlp]")))


def test_without_spacy_it_says_how_to_install_it(
    pipeline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(BadInputError, match=r"pip install 'stage2\[spacy\]'"):
        load_pipeline(str(pipeline))


def test_a_text_that_is_too_long_is_refused(
    pipeline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load_pipeline(str(pipeline))
    monkeypatch.setattr(loaded, "max_length", 3)
    with pytest.raises(BadInputError, match="a text has 4 characters; spaCy takes at most 3"):
        find_entities(["abcd"], loaded, lambda *_: None)
