"""An executed lesson as a page."""

import os
from html import escape

import nbformat
import pytest
from PIL import Image
from written import Page, encoded, executed, shows, text

from gancourse.batch import pages


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
    html = pages.lesson_page(executed(text("# Title", "", tex)), "name", tmp_path)
    found = [tag for tag, _ in Page(html).found]
    assert "math" in found
    assert "\\" not in html.partition("<main>")[2]


def test_an_equation_that_cannot_be_translated_is_shown_as_written():
    assert pages.mathml(r"\left( x <", "inline") == r"<code>\left( x &lt;</code>"


def test_a_lessons_page_fetches_and_runs_nothing(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "picture.png")
    cells = [
        text("# Title", "", "![a picture](picture.png)"),
        shows({"application/vnd.jupyter.widget-view+json": {}, "text/html": "<b>still</b>"}),
        shows({"application/javascript": "alert(1)", "text/plain": "plain"}),
    ]
    notebook = executed(*cells)
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    html = pages.lesson_page(notebook, "name", tmp_path)
    found = Page(html).found
    assert not {"script", "link", "iframe"} & {tag for tag, _ in found}
    sources = [attrs["src"] for _, attrs in found if "src" in attrs]
    assert len(sources) == 1
    assert sources[0].startswith("data:image/png;base64,")
    assert "<b>still</b>" in html
    assert "plain" in html


def pasted(source, **attachments):
    """Return a Markdown cell with pictures that were pasted into it."""
    pictures = {name: {"image/png": encoded(Image.new("L", (1, 1)))} for name in attachments}
    return nbformat.v4.new_markdown_cell(source, attachments={**pictures})


def test_a_pasted_picture_is_shown(tmp_path):
    cell = pasted("![a](attachment:a) ![b](<attachment:b c>)", a=1, **{"b c": 1})
    html = pages.lesson_page(executed(cell), "name", tmp_path)
    sources = [attrs["src"] for tag, attrs in Page(html).found if tag == "img"]
    assert len(sources) == 2
    assert all(source.startswith("data:image/png;base64,") for source in sources)


def test_a_pasted_picture_that_is_missing_is_named(tmp_path):
    html = pages.lesson_page(executed(pasted("![a < b](attachment:c)")), "name", tmp_path)
    assert "missing picture: a &lt; b" in html


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="makes a named pipe")
def test_only_a_file_of_the_lessons_folder_becomes_part_of_a_page(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "MAX_PICTURE", 10)
    folder = tmp_path / "lesson"
    (folder / "folder").mkdir(parents=True)
    os.mkfifo(folder / "pipe")
    (folder / "large.png").write_bytes(b"x" * 11)
    (tmp_path / "outside.png").write_bytes(b"x")
    names = ["folder", "pipe", "large.png", "../outside.png", "a" * 5_000]
    source = "\n\n".join(f"![a]({name})" for name in names)
    html = pages.lesson_page(executed(text(source)), "name", folder)
    assert [attrs["src"] for tag, attrs in Page(html).found if tag == "img"] == names


def test_long_texts_and_equations_are_shown_as_written(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "MAX_TEXT", 20)
    monkeypatch.setattr(pages, "MAX_TEX", 5)
    html = pages.lesson_page(executed(text("$x + 1 < y$"), text("# A " + "x" * 20)), "a", tmp_path)
    assert "<code>x + 1 &lt; y</code>" in html
    assert "<pre># A xxxx" in html


def test_the_page_has_colours_for_light_and_dark():
    light, dark = pages.STYLE.split("@media (prefers-color-scheme: dark)")
    names = {line.split(":")[0] for line in light.split() if line.startswith("--")}
    assert {"--paper:", "--ink:"} <= {f"{name}:" for name in names}
    assert all(f"{name}:" in dark.partition("* {")[0] for name in names)
    assert "url(" not in pages.STYLE
    assert "@import" not in pages.STYLE


def test_a_template_in_the_current_folder_is_not_used(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("basic", "classic", "base"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html.j2").write_text("{{ 6 * 7 }} from elsewhere")
        (tmp_path / name / "conf.json").write_text('{"base_template": "nowhere"}')
    html = pages.lesson_page(executed(text("# Title", "", "words")), "name", tmp_path)
    assert "words" in html and "from elsewhere" not in html


def test_a_link_that_leads_out_of_the_lessons_folder_is_not_embedded(tmp_path):
    folder = tmp_path / "lessons"
    folder.mkdir()
    Image.new("RGB", (2, 2)).save(tmp_path / "private.png")
    Image.new("RGB", (2, 2)).save(folder / "own.png")
    (folder / "link.png").symlink_to(tmp_path / "private.png")
    (folder / "inner.png").symlink_to("own.png")
    for name, embedded in (("link.png", False), ("inner.png", True), ("../private.png", False)):
        html = pages.lesson_page(executed(text(f"# A\n\n![x]({name})")), "name", folder)
        assert ("data:image" in html.partition("<body>")[2]) is embedded, name


def test_the_policy_of_a_page_forbids_scripts_and_what_is_not_in_it():
    policies = [
        attrs["content"]
        for tag, attrs in Page(pages.page("a", "b")).found
        if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    (policy,) = (dict(part.split(" ", 1) for part in p.split("; ")) for p in policies)
    assert policy["default-src"] == "'none'" and policy["img-src"] == "data:"
    assert "script-src" not in policy


@pytest.mark.parametrize("odd", ["[", "![", "[^a]", "<!--"])
def test_a_text_of_brackets_alone_is_shown_as_it_is(odd, tmp_path):
    html = pages.lesson_page(executed(text("# A"), text(odd * 300_000)), "name", tmp_path)
    assert "<pre>" in html


@pytest.mark.parametrize(
    "source", ["<b>x</b> ```\n# y", "<script>alert(1)</script>", "a $x$ [y](z)"]
)
def test_a_raw_cell_is_shown_as_text(source, tmp_path):
    html = pages.lesson_page(
        executed(text("# A"), nbformat.v4.new_raw_cell(source)), "name", tmp_path
    )
    assert f"<pre><code>{escape(source, quote=False)}\n</code></pre>" in html.replace("&quot;", '"')


def test_a_raw_cell_of_tags_alone_takes_no_longer_than_its_length(tmp_path):
    html = pages.lesson_page(
        executed(text("# A"), nbformat.v4.new_raw_cell("<a " * 300_000)), "x", tmp_path
    )
    assert "&lt;a &lt;a" in html


def test_an_address_that_no_file_can_have_is_no_reason_to_have_no_page(tmp_path):
    html = pages.lesson_page(
        executed(text("# A\n\n<img src='a\0b.png'>\n\n![x](a%00b.png)\n\nwords")), "name", tmp_path
    )
    assert "words" in html
