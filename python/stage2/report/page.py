"""The page people look at: one static file, which asks nothing of a network."""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from stage2 import files
from stage2.config import SETTINGS, read_toml
from stage2.report import numbers
from stage2.report.cases import CASES, KINDS, cases, ranks
from stage2.report.page_text import PAGE_WORDS
from stage2.report.run import Record, Run

_HERE = Path(__file__).parent
_METRICS = {"top1": "Success@1", "top3": "Success@3", "top5": "Success@5", "mrr": "MRR",
            "ndcg10": "nDCG@10"}  # fmt: skip


def write_page(run: Run, language: str) -> Path:
    """Write `report.html` and `report.json` into a run folder; return the page's path."""
    path = run.folder / files.PAGE
    rows = ranks(run)
    facts = {
        "verdict": run.comparison.get("verdict"),
        "shipped": run.shipped or None,
        "sets": run.comparison.get("sets", []),
        "training_log": run.log,
        "questions": rows,
        "run": run.record,
    }
    files.write_json(run.folder / files.REPORT_JSON, facts)
    files.write_text(path, render_page(run, rows, language))
    return path


def render_page(run: Run, rows: list[Record], language: str) -> str:
    """Write the page's HTML: everything foreign is escaped, and only our own script may run."""
    words = PAGE_WORDS[language]
    environment = Environment(
        loader=PackageLoader("stage2", "report"), autoescape=True, undefined=StrictUndefined
    )
    style, script = ((_HERE / "templates" / name).read_text("utf-8") for name in
                     ("page.css", "page.js"))  # fmt: skip
    return environment.get_template("page.html").render(
        w=words,
        language="zh-CN" if language == "zh" else "en",
        text=language,
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
        verdict=run.comparison.get("verdict"),
        tables=[_table(part) for part in run.comparison.get("sets", [])],
        charts=_charts(run, words),
        shipped=run.shipped,
        data=_json({"rows": rows, "words": words}),
        count=len(rows),
        kinds=KINDS,
        cases=cases(run, rows),
        cap=CASES,
        audit=_optional(run.folder / files.AUDIT),
        command=command_line(run),
        facts=_facts(run),
    )


def command_line(run: Run) -> str:
    """The command that makes this folder again; empty where it was not made by `stage2 run`."""
    path = run.folder / files.SETTINGS
    if not path.is_file() or not {"train", "evaluate"} <= run.record.get("stages", {}).keys():
        return ""
    words = ["stage2", "run"]
    for name, value in read_toml(str(path)).items():
        flag = name.replace("_", "-")
        if name == "overwrite" or value == SETTINGS[name].default:
            continue
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", str(value)]
    return shlex.join(words)


def _table(part: Record) -> Record:
    """Rows of metric, chance, before and after, with intervals where they are known."""
    statistics = part.get("statistics", {})
    rows = []
    for key, name in _METRICS.items():
        success = statistics.get("success", {}).get(key.removeprefix("top"), {})
        change = statistics.get(key, {})
        show = numbers.percent if key.startswith("top") else numbers.decimal
        rows.append({
            "name": name,
            "chance": show(part["before"]["chance"][key]),
            "before": show(part["before"][key]),
            "after": show(part["after"][key]),
            "ranges": [_range(success[side]) for side in ("before", "after") if side in success],
            "difference": _difference(change),
            "better": part["after"][key] > part["before"][key],
        })  # fmt: skip
    keys = ("name", "source", "num_queries", "held_out")
    return {key: part[key] for key in keys} | {"rows": rows}


def _range(side: Record) -> str:
    return f"{100 * side['low']:.0f}–{100 * side['high']:.0f}%"


def _difference(change: Record) -> str:
    if "low" not in change:
        return ""
    low, high = (numbers.difference(0.0, change[end]) for end in ("low", "high"))
    return f"{numbers.difference(0.0, change['difference'])} [{low}, {high}]"


def _charts(run: Run, words: dict[str, str]) -> list[Record]:
    loss = [(row["epoch"], row["loss"]) for row in run.epochs]
    dev = [(row["epoch"], row["dev"]["mrr"]) for row in run.log if row.get("dev")]
    return [
        {"name": words[name], "class": name, **_curve(points)}
        for name, points in (("loss", loss), ("dev", dev))
        if len(points) > 1
    ]


def _curve(points: list[tuple[int, float]]) -> Record:
    """Points in a picture of 480 by 200, of which the lower left is (0, 0) in the data.

    Drawn here: a picture by matplotlib has inline styles, which the page's policy forbids.
    """
    last, top = max(x for x, _ in points), max(y for _, y in points) or 1.0
    places = [(round(44 + 420 * x / last, 1), round(168 - 150 * y / top, 1), x, y)
              for x, y in points]  # fmt: skip
    return {"points": places, "top": f"{top:.3f}", "last": last}


def _facts(run: Run) -> list[tuple[str, str]]:
    keys = ("stage2_version", "python", "torch", "transformers", "cpu", "device", "precision",
            "seed", "started")  # fmt: skip
    found = [(key, str(run.record[key])) for key in keys if key in run.record]
    for name, file in run.data.get("files", {}).items():
        found.append((f"{name} SHA-256", str(file["sha256"])))
    path = run.folder / files.SETTINGS
    settings = read_toml(str(path)) if path.is_file() else {}
    return found + [(name, str(value)) for name, value in settings.items()]


def _json(value: Any) -> Markup:
    """JSON that cannot end the element it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _optional(path: Path) -> Any:
    return files.read_json(path) if path.is_file() else None
