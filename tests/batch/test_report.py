"""The pages that a batch leaves."""

import base64
import io
from html.parser import HTMLParser

import nbformat
import pytest
from PIL import Image

from gancourse.batch import report
from gancourse.batch.lessons import CLAIM

NOT_CLOSED = {"meta", "img", "br", "hr", "input", "link"}


class Page(HTMLParser):
    """Collects the elements of a page, and fails where they are not nested."""

    def __init__(self, html):
        super().__init__()
        self.open, self.found = [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in NOT_CLOSED:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def executed(*cells, **outcome):
    """Return a notebook as the runner leaves it."""
    run = {"status": "done", "error": "", "preset": "smoke", "parameters": {}} | outcome
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["gancourse"] = {"run": {"cells": [1, 1], "seconds": 2.5, **run}}
    return nbformat.from_dict(notebook)


def shows(data):
    """Return a code cell that displayed ``data``."""
    output = nbformat.v4.new_output("display_data", data=data)
    return nbformat.v4.new_code_cell("show()", outputs=[output])


def claim(text, holds, value):
    bundle = {CLAIM: {"text": text, "holds": holds, "value": value}, "text/plain": text}
    return shows(bundle)


def text(*lines):
    return nbformat.v4.new_markdown_cell("\n".join(lines))


@pytest.mark.parametrize(
    "tex",
    [
        r"$\min_G \max_D V(D, G)$",
        r"$$\mathbb{E}_{x \sim p}[\log D(x)] + \mathbb{E}_z[\log(1 - D(G(z)))]$$",
        "$$\\begin{aligned}\na &= b \\\\\nc &= d\n\\end{aligned}$$",
        "\\begin{align}\na &= b\n\\end{align}",
    ],
)
def test_equations_become_mathml(tex, tmp_path):
    html = report.lesson_page(executed(text("# Title", "", tex)), "name", tmp_path)
    found = [tag for tag, _ in Page(html).found]
    assert "math" in found
    assert "\\" not in html.partition("<main>")[2]


def test_an_equation_that_cannot_be_translated_is_shown_as_written():
    assert report.mathml(r"\left( x <", "inline") == r"<code>\left( x &lt;</code>"


def test_a_lessons_page_fetches_and_runs_nothing(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "picture.png")
    cells = [
        text("# Title", "", "![a picture](picture.png)"),
        shows({"application/vnd.jupyter.widget-view+json": {}, "text/html": "<b>still</b>"}),
        shows({"application/javascript": "alert(1)", "text/plain": "plain"}),
    ]
    notebook = executed(*cells)
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    html = report.lesson_page(notebook, "name", tmp_path)
    found = Page(html).found
    assert not {"script", "link", "iframe"} & {tag for tag, _ in found}
    sources = [attrs["src"] for _, attrs in found if "src" in attrs]
    assert len(sources) == 1
    assert sources[0].startswith("data:image/png;base64,")
    assert "<b>still</b>" in html
    assert "plain" in html


def test_the_index_shows_each_lesson_with_its_claims(tmp_path):
    cells = [text("# One & *only*"), claim("a < b", True, 0.123456), claim("c", False, "7 of 8")]
    nbformat.write(executed(*cells, claim("d", None, 1)), tmp_path / "01_one.ipynb")
    nbformat.write(executed(status="failed", error="x < y"), tmp_path / "02_two.ipynb")
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "not_run.ipynb")
    report.write(tmp_path)
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    found = Page(html).found
    links = [attrs["href"] for tag, attrs in found if tag == "a"]
    assert links == ["01_one.html", "02_two.html"]
    assert "One &amp; only</a>" in html
    assert '<li class="yes"><span class="mark">✓</span><span>a &lt; b</span>' in html
    assert "<output>0.1235</output>" in html
    assert '<li class="no"><span class="mark">✗</span>' in html
    assert '<li class="open"><span class="mark">–</span>' in html
    assert "x &lt; y" in html
    assert "2 lessons · 5 s · 1 of 2 claims hold" in html


def test_the_figures_in_the_index_come_from_all_over_the_lesson():
    def figure(level):
        file = io.BytesIO()
        Image.new("L", (2, 2), level).save(file, "PNG")
        return shows({"image/png": base64.b64encode(file.getvalue()).decode()})

    def first_pixel(element):
        code = element.partition("base64,")[2].partition('"')[0]
        return Image.open(io.BytesIO(base64.b64decode(code))).getpixel((0, 0))[0]

    levels = range(0, 200, 20)
    shown = report.thumbnails(executed(*map(figure, levels)))
    assert len(shown) == report.THUMBNAILS
    assert first_pixel(shown[0]) == levels[0]
    assert first_pixel(shown[-1]) == levels[-1]
    assert report.thumbnails(executed(text("no figure"))) == []


def test_the_page_has_colours_for_light_and_dark():
    light, dark = report.STYLE.split("@media (prefers-color-scheme: dark)")
    names = {line.split(":")[0] for line in light.split() if line.startswith("--")}
    assert {"--paper:", "--ink:"} <= {f"{name}:" for name in names}
    assert all(f"{name}:" in dark.partition("* {")[0] for name in names)
    assert "url(" not in report.STYLE
    assert "@import" not in report.STYLE
