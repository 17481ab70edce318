"""The loss curve."""

from __future__ import annotations

from xml.etree import ElementTree

from stage2.report.render import write_report
from stage2.utils import files
from tests.report.folders import Make, in_rounds


def test_charts_are_what_they_are_called(make: Make) -> None:
    folder = make()
    report = write_report(folder).read_text("utf-8")
    png, svg = (folder / name for name in files.CHARTS)
    assert png.read_bytes().startswith(b"\x89PNG")
    assert ElementTree.parse(svg).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert "<dc:date>" not in svg.read_text("utf-8")
    assert f"]({png.name})" in report
    assert f"]({svg.name})" in report


def test_a_line_in_both_parts_stands_where_a_round_begins(make: Make) -> None:
    dashed = []
    for folder in (make(), in_rounds(make("rounds"))):
        write_report(folder)
        dashed.append((folder / files.CHARTS[1]).read_text("utf-8").count("stroke-dasharray"))
    assert dashed == [0, 2]
