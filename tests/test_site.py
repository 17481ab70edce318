"""The site: what its pages show works, its links are right, it loads nothing from elsewhere."""

from __future__ import annotations

import json
import logging
import re
import shlex
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import numpy as np
import pytest
from click.testing import CliRunner
from mkdocs.commands.build import build
from mkdocs.config import load_config
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

from stage2.cli.main import program
from tests.small import WORDS, write_answered_by_order, write_jsonl

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))

# Flags of other programs, which are no flags of stage2.
ELSEWHERE = {
    "--standalone": "torchrun", "--nproc-per-node": "torchrun", "--nnodes": "torchrun",
    "--node-rank": "torchrun", "--master-addr": "torchrun", "--master-port": "torchrun",
    "--max-restarts": "torchrun",
    "--local-dir": "hf", "--repo-type": "hf",
    "--nodes": "SLURM", "--ntasks-per-node": "SLURM", "--gpus-per-node": "SLURM",
    "--cpus-per-task": "SLURM", "--signal": "SLURM",
    "--only": "benches.init_cost", "--write": "benches.relabel", "--part": "benches.recipes",
}  # fmt: skip

# The pages whose commands and snippets run here, in one folder for each list, where a command that
# several pages show runs once. Others have tests of their own: see `elsewhere` below.
RUN = [
    ["tutorial.md"],
    ["chinese-data.md"],
    [
        "your-data.md", "how-to/resuming.md", "which-numbers-to-believe.md",
        "from-sentence-transformers.md", "from-flagembedding.md", "how-to/false-negatives.md",
        "how-to/several-gpus.md", "how-to/big-corpora.md", "how-to/search-a-recipe.md",
        "arithmetic.md", "check.md", "how-to/not-worse-elsewhere.md", "how-to/repair-labels.md",
        "how-to/teachers.md", "how-to/train.md", "how-to/speed.md", "how-to/hard-negatives.md",
    ],
]  # fmt: skip


def text_of(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def steps(page: str) -> list[tuple[str, str]]:
    """Return the commands and snippets of a page in their order, each with its language."""
    found = re.findall(r"```(console|python)\n(.*?)```", text_of(page), flags=re.DOTALL)
    return [
        (language, part)
        for language, block in found
        for part in (block.splitlines() if language == "console" else [block])
    ]


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory, backbone: Path, cross_encoder: Path) -> Path:
    """Make the files that the pages name.

    There are 200 questions, for fewer are cross-validated unless it is said.
    """
    folder = tmp_path_factory.mktemp("material")
    body = Transformer(str(backbone))
    SentenceTransformer(modules=[body, Pooling(32, "mean")]).save(str(folder / "encoder"))
    SentenceTransformer(modules=[body, Pooling(32, "cls")]).save(str(folder / "large-encoder"))
    shutil.copytree(cross_encoder, folder / "cross-encoder")
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(WORDS, 12)) for _ in range(220)]
    asked = [" ".join(text.split()[:3]) + f" {i}?" for i, text in enumerate(texts[:200])]
    write_answered_by_order(folder / "my-data", asked, texts)
    others = [" ".join(text.split()[3:6]) + f" {i}?" for i, text in enumerate(texts[:200])]
    write_answered_by_order(folder / "other-data", others, texts)
    few = range(24)
    write_jsonl(
        folder / "chunks.jsonl", [{"chunk_id": f"d{i}", "text": texts[i]} for i in range(60)]
    )
    rows = [{"question": asked[i], "chunk_id": f"d{i}"} for i in few]
    (folder / "qa.json").write_text(json.dumps(rows))
    flag = [{"query": asked[i], "pos": [texts[i]], "neg": texts[100 + i : 104 + i]} for i in few]
    write_jsonl(folder / "flag.jsonl", flag)
    scores = {"pos_scores": [2.5], "neg_scores": [-1, 0, 0.5, 1]}
    write_jsonl(folder / "scored.jsonl", [row | scores for row in flag])
    paragraphs = [
        {"context": f"北京{text}", "qas": [{"id": f"z{i}", "question": f"北京{question}"}]}
        for i, (text, question) in enumerate(zip(texts, asked, strict=False))
    ]
    squad = {"data": [{"paragraphs": paragraphs}]}
    (folder / "xquad.zh.json").write_text(json.dumps(squad), "utf-8")
    (folder / "names.txt").write_text("北京\n", "utf-8")
    return folder


@pytest.mark.parametrize("pages", RUN, ids=lambda pages: pages[0])
def test_what_a_page_shows_runs(
    pages: list[str], material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(material, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    # The default model takes minutes on the whole sample.
    monkeypatch.setattr("stage2.models.hub.default_backbone", lambda: str(tmp_path / "encoder"))
    monkeypatch.setattr("stage2.data.sample.build.NUM_CHUNKS", 200)
    monkeypatch.setattr("stage2.data.sample.build.NUM_ANNOTATIONS", 300)
    ran: set[str] = set()
    for page in pages:
        for language, step in steps(page):
            if step in ran:
                continue
            if language == "python":
                exec(compile(step, page, "exec"), {})
            else:
                name, *words = shlex.split(step.removeprefix("$ "))
                assert name == "stage2"
                result = CliRunner().invoke(program, words)
                assert result.exit_code == 0, f"{page}: {step}\n{result.output}"
            ran.add(step)
    assert len(ran) >= 3


def test_every_page_with_something_to_run_is_run() -> None:
    elsewhere = {"command-line.md", "distributed.md", "exports.md", "formats.md",
                 "how-to/one-step-at-a-time.md", "python.md", "release-gate.md",
                 "tutorial.zh-CN.md"}  # fmt: skip
    ours = {page for pages in RUN for page in pages}
    assert {page for page in PAGES if steps(page)} == ours | elsewhere


def test_both_tutorials_show_the_same() -> None:
    def shown(page: str) -> list[str]:
        commands = [step.replace(" --language zh", "") for _, step in steps(page)]
        return commands + re.findall(r"```text\n(.*?)```", text_of(page), flags=re.DOTALL)

    assert shown("tutorial.md") == shown("tutorial.zh-CN.md")


def test_the_tutorial_shows_the_table_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    (table,) = re.findall(r"```text\n(.*?)```", text_of("tutorial.md"), flags=re.DOTALL)
    assert all(line in readme for line in table.splitlines())


def options(command: click.Command) -> Iterator[str]:
    """Yield the flags of a command and of those below it."""
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts)
    if isinstance(command, click.Group):
        for below in command.commands.values():
            yield from options(below)


# The log has flags that were tried and left.
@pytest.mark.parametrize("page", [page for page in PAGES if page != "log.md"])
def test_every_flag_of_a_page_is_one(page: str) -> None:
    known = {*options(program), "--help", *ELSEWHERE}
    named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text_of(page)))
    assert named <= known, sorted(named - known)


def test_a_flag_of_a_command_is_that_command_s() -> None:
    """`stage2 mine … --flag` names a flag that `mine` has."""
    seen = 0
    for page in PAGES:
        for name, line in re.findall(r"\bstage2 ([a-z]+)( [^\n`|;]*)", text_of(page)):
            command = program.commands.get(name)
            if command is None or isinstance(command, click.Group):
                continue
            named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", line)) - ELSEWHERE.keys()
            assert named <= {*options(command), "--help"}, f"{page}: stage2 {name}{line}"
            seen += bool(named)
    assert seen > 20


class Loaded(HTMLParser):
    """The addresses that a page loads and links to, and the anchors that it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and "href" in given:
            self.loads.append(given["href"])
        if "src" in given:
            self.loads.append(given["src"])
        self.loads += [part.split()[0] for part in given.get("srcset", "").split(",") if part]
        self.loads += re.findall(r"url\(['\"]?([^'\")]+)", given.get("style", ""))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Loaded]:
    """Build the site, warnings being errors, and read every page of it."""
    folder = tmp_path_factory.mktemp("site")
    heard: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("mkdocs").addHandler(handler)
    with pytest.MonkeyPatch.context() as patch:
        # A notice of the theme's makers about its next version.
        patch.setenv("NO_MKDOCS_2_WARNING", "1")
        patch.chdir(ROOT)
        config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True)
        config.plugins.on_startup(command="build", dirty=False)
        build(config)
    logging.getLogger("mkdocs").removeHandler(handler)
    assert not heard
    return {path: Loaded(path) for path in folder.rglob("*.html")}


def test_every_page_is_on_the_site(site: dict[Path, Loaded]) -> None:
    built = {path.name for path in site}
    assert {Path(page).with_suffix(".html").name for page in PAGES} <= built
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert all(f": {page}\n" in menu for page in PAGES)


def test_a_page_loads_nothing_from_another_host(site: dict[Path, Loaded]) -> None:
    for path, page in site.items():
        assert page.loads
        for link in page.loads:
            parts = urlsplit(link)
            assert not parts.netloc, f"{path.name}: {link}"
            assert parts.scheme in ("", "data"), f"{path.name}: {link}"
    (folder,) = {path.parent for path in site if path.name == "404.html"}
    for style in folder.rglob("*.css"):
        assert not re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", style.read_text("utf-8"))


def test_links_lead_to_a_page_and_a_heading(site: dict[Path, Loaded]) -> None:
    seen = 0
    for path, page in site.items():
        # The page for what is missing has links from the root of the host.
        if path.name == "404.html":
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), f"{path.name}: {link}"
            if parts.fragment and target in site:
                assert unquote(parts.fragment) in site[target].anchors, f"{path.name}: {link}"
            seen += 1
    assert seen > 500


def test_the_references_name_everything(site: dict[Path, Loaded]) -> None:
    import stage2

    pages = {path.name: path.read_text(encoding="utf-8") for path in site}
    for name in program.commands:
        assert f"stage2 {name}" in pages["commands.html"]
    (reference,) = (page for path, page in site.items() if path.match("reference/python.html"))
    assert {f"stage2.{name}" for name in stage2.__all__} <= reference.anchors
