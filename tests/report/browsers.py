"""An open page of a report, with its errors and its requests."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import BrowserContext, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


# The contrast of each text with what is behind it, as WCAG 2 defines it, where it is below 4.5.
POOR = """() => {
  const rgba = (text) => [...text.match(/[\\d.]+/g).map(Number), 1].slice(0, 4);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const colour = rgba(getComputedStyle(e).backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const e of document.querySelectorAll("body *:not(script, title)")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
    if (!e.checkVisibility() || e.disabled) continue;
    const style = getComputedStyle(e);
    const own = rgba(e instanceof SVGElement ? style.fill : style.color);
    const [high, low] = [light(own), light(behind(e))].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) poor.push([e.tagName, e.getAttribute("class"), e.textContent, ratio]);
  }
  return poor;
}"""

# These are the controls that have no name for a screen reader to say.
UNNAMED = """() => [...document.querySelectorAll(
  "a, button, input, select, summary, [tabindex='0']")]
  .filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim()
    || (e.labels && e.labels.length && e.labels[0].textContent.trim())
    || document.getElementById(e.getAttribute("aria-labelledby"))?.textContent.trim()))
  .map((e) => e.outerHTML)"""


class Visit:
    def __init__(self, context: BrowserContext, path: Path, anchor: str = "") -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "console",
            lambda said: self.errors.append(said.text) if said.type == "error" else None,
        )
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri() + anchor)
