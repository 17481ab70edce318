"""The report as one static HTML page, which loads nothing from a network."""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from stage2.config import SETTINGS
from stage2.config_file import read_toml
from stage2.presets import RUN_DEFAULTS
from stage2.report import numbers
from stage2.report.before_after import ACCURACIES, baseline_names, baselines_of, recalls, span
from stage2.report.excerpt import LINE, NAME, ROWS, cut
from stage2.report.figures.ranks import drawn
from stage2.report.figures.svg import View
from stage2.report.guard import columns, guards_of, rows, texts
from stage2.report.page_words import PAGE_WORDS
from stage2.report.pictures import pictures
from stage2.report.question_ranks import (
    CASES,
    KINDS,
    cases,
    ranks,
    read_candidates,
    score_pairs,
)
from stage2.report.run import Record, Run
from stage2.report.words import Words
from stage2.report.words import words as say
from stage2.utils import files
from stage2.utils.errors import one_line

_HERE = Path(__file__).parent
_METRICS = {**ACCURACIES, "mrr": "MRR", "ndcg10": "nDCG@10"}


@dataclass(frozen=True)
class PageData:
    """What the page shows in addition to `Run`.

    Attributes:
        rows: a row for every question.
        cases: the cases of each kind, with their contexts; long texts are cut.
        scores: the scores of ground truths and hardest negatives; see `score_pairs`.
        audit: the content of `audit.json`, or None.
        settings: the content of `settings.toml`; empty if there is no such file.
    """

    rows: list[Record]
    cases: dict[str, list[Record]]
    scores: dict[str, list[tuple[float, float]]]
    audit: Any
    settings: dict[str, Any]


def read_page_data(run: Run, language: str) -> PageData:
    """Read the data of the page, before anything is written.

    Raises:
        BadInputError: a file of the folder is damaged.
    """
    rows, candidates = ranks(run), read_candidates(run)
    return PageData(
        rows=rows,
        cases=cases(run, rows, candidates, PAGE_WORDS[language]["left_out"]),
        scores=score_pairs([row for row in rows if row["held_out"]] or rows, candidates),
        audit=_optional(run.folder / files.AUDIT),
        settings=_settings(run),
    )


def write_page(run: Run, data: PageData, language: str) -> Path:
    """Write `report.html` and `report.json` into a run folder; return the page's path."""
    path = run.folder / files.PAGE
    facts = {
        "verdict": run.comparison.get("verdict"),
        "shipped": run.shipped or None,
        "guards": guards_of(run.comparison),
        "sets": run.comparison.get("sets", []),
        "training_log": run.log,
        "questions": data.rows,
        "run": run.record,
    }
    files.write_json(run.folder / files.REPORT_JSON, facts)
    files.write_text(path, render_page(run, data, language))
    return path


def _shown_rows(rows: list[Record], found: dict[str, list[Record]], left_out: str) -> list[Record]:
    """Return the rows of the table with long texts cut, each with the address of its entry.

    The entry of a case is the case, with its contexts; that of another question is its row.
    """
    places = {
        case["row"]: f"{kind}-{number}"
        for kind, group in found.items()
        for number, case in enumerate(group, 1)
    }
    return [
        row
        | {
            "id": cut(row["id"], NAME, left_out),
            "question": cut(row["question"], LINE, left_out),
            "href": f"#{places.get(number, f'question-{number}')}",
            "row": number,
        }
        for number, row in enumerate(rows[:ROWS])
    ]


def view_of(run: Run, data: PageData, language: str) -> View:
    """Return what the figures are made from."""
    words = PAGE_WORDS[language]
    return View(
        run=run,
        rows=_shown_rows(data.rows, data.cases, words["left_out"]),
        count=len(data.rows),
        scores=data.scores,
        held_out=any(row["held_out"] for row in data.rows),
        words=words,
        say=say(language),
    )


def environment() -> Environment:
    """Return what fills in templates, with all values escaped."""
    return Environment(
        loader=PackageLoader("stage2", "report/templates"),
        autoescape=True,
        undefined=StrictUndefined,
    )


def page_style() -> str:
    """Return the style of the page, as CSS."""
    return template("page.css")


def render_page(run: Run, data: PageData, language: str) -> str:
    """Write the HTML of the page. All texts are escaped, and only the page's own script may run."""
    words = PAGE_WORDS[language]
    view = view_of(run, data, language)
    templates = environment()
    templates.filters["rank"] = lambda rank: "–" if rank is None else f"{rank:g}"
    style, script = page_style(), template("page.js")
    return templates.get_template("page.html").render(
        w=words,
        language="zh-CN" if language == "zh" else "en",
        text=language,
        style=Markup(style),
        script=Markup(script),
        style_hash=content_hash(style),
        script_hash=content_hash(script),
        verdict=run.comparison.get("verdict"),
        tables=[_table(part, say(language)) for part in run.comparison.get("sets", [])],
        notes=[say(language)(f"note_{name}") for name in baseline_names(run.comparison)],
        guard_columns=columns(say(language)),
        guards=list(
            zip(rows(run.comparison, say(language)), texts(run.comparison, language), strict=True)
        ),
        figures=pictures(view),
        # Where no script runs, a point without a case leads into a table of what is drawn.
        drawn=drawn(view),
        columns=("id", "question", "set", "before", "after", "change"),
        shipped=run.shipped,
        data=script_json({"rows": view.rows, "words": words}),
        count=len(data.rows),
        shown=len(view.rows),
        kinds=KINDS,
        cases=data.cases,
        decimal=numbers.decimal,
        cap=CASES,
        audit=data.audit,
        command=one_line(command_line(run)),
        facts=[
            (name, cut(one_line(value), LINE, words["left_out"]))
            for name, value in _facts(run, data.settings)
        ],
    )


def template(name: str) -> str:
    """Return the text of a template as it is."""
    return (_HERE / "templates" / name).read_text("utf-8")


# The defaults of these depend on the data and the model, so that they are always stated.
_BY_DATA = {"source", "relative_margin", "learning_rate"}


def command_line(run: Run) -> str:
    """Return the command that makes this folder again, or "" if `stage2 run` did not make it."""
    settings = _settings(run)
    if not settings or not {"train", "evaluate"} <= run.record.get("stages", {}).keys():
        return ""
    words = ["stage2", "run"]
    for name, value in settings.items():
        flag = name.replace("_", "-")
        usual = value == RUN_DEFAULTS.get(name, SETTINGS[name].default)
        if name == "overwrite" or (usual and (value is None or name not in _BY_DATA)):
            continue
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", str(value)]
    return shlex.join(words)


def _table(part: Record, say: Words) -> Record:
    """Return a set's heading, its baselines and its rows.

    A row has a metric, its chance, the baselines, before and after, with intervals if known.
    """
    statistics, baselines = part.get("statistics", {}), baselines_of(part)
    rows = []
    for key, name in (_METRICS | recalls(part)).items():
        change = statistics.get(key, {})
        show = numbers.percent if key.startswith("top") else numbers.decimal
        rows.append({
            "name": name,
            "chance": show(part["before"]["chance"][key]),
            "baselines": [
                (show(found[key]), span(part, key, baseline))
                for baseline, found in baselines.items()
            ],
            "before": show(part["before"][key]),
            "after": show(part["after"][key]),
            "ranges": [span(part, key, side) for side in ("before", "after")],
            "difference": _difference(change),
            "better": part["after"][key] > part["before"][key],
        })  # fmt: skip
    heading = say(
        "set_heading",
        count=part["num_queries"],
        set=say(f"set_{part['name']}"),
        source=say(f"among_{part['source']}"),
    )
    names = [say(f"baseline_{name}") for name in baselines]
    left_out = part.get("left_out")
    return {
        "heading": heading,
        "held_out": part["held_out"],
        "left_out": say("unseen_value", **left_out) if left_out else "",
        "baselines": names,
        "rows": rows,
    }


def _difference(change: Record) -> str:
    if "low" not in change:
        return ""
    low, high = (numbers.difference(0.0, change[end]) for end in ("low", "high"))
    return f"{numbers.difference(0.0, change['difference'])} [{low}, {high}]"


def _facts(run: Run, settings: dict[str, Any]) -> list[tuple[str, str]]:
    keys = ("stage2_version", "python", "torch", "transformers", "cpu", "device", "precision",
            "seed", "started")  # fmt: skip
    found = [(key, str(run.record[key])) for key in keys if key in run.record]
    for name, file in run.data.get("files", {}).items():
        found.append((f"{name} SHA-256", str(file["sha256"])))
    return found + [(name, str(value)) for name, value in settings.items()]


def _settings(run: Run) -> dict[str, Any]:
    path = run.folder / files.SETTINGS
    return read_toml(str(path)) if path.is_file() else {}


def script_json(value: Any) -> Markup:
    """Write JSON that cannot end the HTML element that it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def content_hash(text: str) -> str:
    """Return the SHA-256 by which a content security policy names a style or a script."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _optional(path: Path) -> Any:
    return files.read_json(path) if path.is_file() else None
