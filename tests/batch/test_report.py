"""What a batch leaves beside the notebooks."""

import base64
import io
import json
import os
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from PIL import Image
from written import Page, claim, encoded, executed, leave, shows, text

from gancourse.batch import report
from gancourse.errors import CourseError


def test_the_index_shows_each_lesson_with_its_claims(tmp_path):
    cells = [text("# One & *only*"), claim("a < b", True, 0.123456), claim("c", False, "7 of 8")]
    nbformat.write(executed(*cells, claim("d", None, 1)), tmp_path / "01_one.ipynb")
    nbformat.write(executed(status="failed", error="x < y"), tmp_path / "02_two.ipynb")
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "not_run.ipynb")
    report.collect(tmp_path)
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    found = Page(html).found
    links = [attrs["href"] for tag, attrs in found if tag == "a"]
    assert links == ["./01_one.html", "./02_two.html"]
    assert "One &amp; only</a>" in html
    assert '<li class="yes"><span class="mark">✓</span><span>a &lt; b</span>' in html
    assert "<output>0.1235</output>" in html
    assert '<li class="no"><span class="mark">✗</span>' in html
    assert '<li class="open"><span class="mark">–</span>' in html
    assert "x &lt; y" in html
    assert "2 lessons · 5 s · 1 of 2 claims hold" in html


def test_the_figures_in_the_index_come_from_all_over_the_lesson():
    def figure(level):
        return shows({"image/png": encoded(Image.new("L", (2, 2), level))})

    def first_pixel(element):
        code = element.partition("base64,")[2].partition('"')[0]
        return Image.open(io.BytesIO(base64.b64decode(code))).getpixel((0, 0))[0]

    levels = range(0, 200, 20)
    shown = report.thumbnails(executed(*map(figure, levels)))
    assert len(shown) == report.THUMBNAILS
    assert first_pixel(shown[0]) == levels[0]
    assert first_pixel(shown[-1]) == levels[-1]
    assert report.thumbnails(executed(text("no figure"))) == []


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (base64.b64encode(EPS).decode(), "image/png"),
        (base64.b64encode(EPS).decode(), "image/jpeg"),
        (encoded(Image.new("L", (1, 1)), "GIF"), "image/png"),
        (encoded(Image.new("L", (1, 1)), "PNG"), "image/jpeg"),
        (encoded(Image.new("L", (9, 9)), "PNG")[:60], "image/png"),
        (encoded(Image.new("1", (30_000, 30_000)), "PNG"), "image/png"),
        (encoded(Image.new("1", (10_000, 5_000)), "PNG"), "image/png"),
        ("aGVsbG8=", "image/png"),
        ("", "image/png"),
        ("%%", "image/jpeg"),
    ],
    ids=[
        "EPS",
        "EPS-jpeg",
        "GIF",
        "PNG-jpeg",
        "cut",
        "huge",
        "large",
        "text",
        "empty",
        "no base64",
    ],
)
def test_a_figure_that_is_no_picture_of_its_kind_is_not_opened(data, kind, monkeypatch):
    monkeypatch.setattr("subprocess.run", pytest.fail)
    monkeypatch.setattr("subprocess.check_call", pytest.fail)
    assert report.thumbnails(executed(shows({kind: data}))) == []


@pytest.mark.parametrize(
    "name",
    [
        "javascript:alert(1);x",
        "a\"b'c",
        "a#b?c%20d",
        "a b",
        "a\nb",
        "<b>",
        "é",
        os.fsdecode(b"\xff"),
    ],
)
def test_any_name_of_a_notebook_is_the_name_of_a_file_in_the_links(tmp_path, name):
    leave(executed(text("no heading")), tmp_path / f"{name}.ipynb")
    report.collect(tmp_path)
    found = Page((tmp_path / "index.html").read_text(encoding="utf-8")).found
    (link,) = [attrs["href"] for tag, attrs in found if tag == "a"]
    assert urlsplit(link)._replace(path="") == urlsplit("")
    assert os.fsencode(f"./{name}.html") == os.fsencode(unquote(link, errors="surrogateescape"))
    assert "b" not in [tag for tag, _ in found]


def test_what_a_notebook_says_of_its_run_cannot_become_part_of_the_index(tmp_path):
    bad = "<script>alert(1)</script>"
    leave(executed(text(f"# {bad}"), claim(bad, None, bad), error=bad), tmp_path / "a.ipynb")
    leave(executed(parameters={bad: bad}, preset=bad, notes=[bad]), tmp_path / "b.ipynb")
    leave(executed(status=bad), tmp_path / "c.ipynb")
    report.collect(tmp_path)
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "script" not in [tag for tag, _ in Page(html).found]
    assert html.count("<article") == 2


def test_notebooks_that_no_run_has_left_are_passed_over(tmp_path):
    leave(executed(claim("a", True, 1)), tmp_path / "ours.ipynb")
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "own.ipynb")
    (tmp_path / "text.ipynb").write_text('"gancourse" is here', encoding="utf-8")
    (tmp_path / "list.ipynb").write_text('["gancourse"]', encoding="utf-8")
    (tmp_path / "folder.ipynb").mkdir()
    (tmp_path / "nowhere.ipynb").symlink_to(tmp_path / "missing")
    report.collect(tmp_path)
    assert "1 lesson ·" in (tmp_path / "index.html").read_text(encoding="utf-8")
    (record,) = json.loads((tmp_path / "claims.json").read_text(encoding="utf-8"))
    assert record == {"lesson": "ours", "text": "a", "holds": True, "value": 1}


def test_a_page_that_cannot_be_made_is_told_and_the_index_comes(tmp_path, monkeypatch):
    def fail(*arguments):
        raise ZeroDivisionError("odd <notebook>")

    monkeypatch.setattr(report, "lesson_page", fail)
    book = executed(claim("a", True, 1))
    leave(book, tmp_path / "a.ipynb")
    (problem,) = report.add(tmp_path / "a.ipynb", book, tmp_path)
    assert "ZeroDivisionError: odd <notebook>" in problem
    assert "odd &lt;notebook&gt;" in (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "1 of 1 claims hold" in (tmp_path / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["index.html", "claims.json"])
def test_a_file_of_ones_own_is_not_overwritten(tmp_path, name):
    (tmp_path / name).write_text("{}", encoding="utf-8")
    with pytest.raises(CourseError, match=name):
        report.collect(tmp_path)
    assert (tmp_path / name).read_text(encoding="utf-8") == "{}"


def test_a_lesson_called_index_has_a_page_of_its_own(tmp_path):
    book = executed(text("# Mine"))
    leave(book, tmp_path / "index.ipynb")
    assert report.add(tmp_path / "index.ipynb", book, tmp_path) == []
    links = Page((tmp_path / "index.html").read_text(encoding="utf-8")).found
    assert [attrs["href"] for tag, attrs in links if tag == "a"] == ["./index.ipynb.html"]
    assert "Mine" in (tmp_path / "index.ipynb.html").read_text(encoding="utf-8")
