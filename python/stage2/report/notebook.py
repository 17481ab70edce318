"""The verdict and the figures of a run folder, as an element for a notebook."""

from __future__ import annotations

from dataclasses import replace

from markupsafe import Markup

from stage2.report.page import environment, page_style, read_page_data, view_of
from stage2.report.page_words import PAGE_WORDS
from stage2.report.pictures import pictures
from stage2.report.run import Run


def notebook_html(run: Run, language: str = "en") -> str:
    """Write a frame with the page's verdict and figures.

    The frame keeps the page's style apart from the notebook's, and is sandboxed: no script runs in
    it.

    Args:
        run: the contents of the run folder.
        language: `en` or `zh`.

    Raises:
        BadInputError: a file of the folder is damaged.
    """
    view = view_of(run, read_page_data(run, language), language)
    # There are no entries of questions here that a point could lead to.
    view = replace(view, rows=[row | {"href": None} for row in view.rows])
    page = environment().get_template("notebook.html").render(
        w=PAGE_WORDS[language],
        language="zh-CN" if language == "zh" else "en",
        text=language,
        style=Markup(page_style()),
        verdict=run.comparison.get("verdict"),
        figures=pictures(view),
    )  # fmt: skip
    frame = '<iframe sandbox srcdoc="{}" style="width:100%;height:40rem;border:0"></iframe>'
    return str(Markup(frame).format(page))
