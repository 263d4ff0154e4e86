"""How long a reader waits is measured in a lesson's own cells, by a kernel of its own."""

from functools import partial

import nbformat
import pytest

from gancourse import bench
from gancourse.bench.machine import Origin
from gancourse.errors import CourseError
from tools import waits

SHOWN = "from gancourse.widgets import ParallelLines\ntool = ParallelLines()\ntool"


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    """A notebook that shows one explorer, after a cell that shows none."""
    code = [nbformat.v4.new_code_cell(source) for source in ("x = 1\nx", SHOWN, "tool.theta.value")]
    path = tmp_path_factory.mktemp("lessons") / "01_lesson.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=code), path)
    return path


def test_each_explorer_is_shown_and_each_control_is_moved_and_put_back(
    lesson, tmp_path, monkeypatch
):
    monkeypatch.setattr(waits, "of_import", partial(waits.of_import, pairs=1))
    out = tmp_path / "waits.json"
    waits.main([str(lesson), "--out", str(out)])
    found = bench.read(out, waits.Waits)
    (row,) = found.rows
    assert (row.lesson, row.widget) == ("01_lesson", "ParallelLines")
    assert row.moves.keys() == {"θ", "redraw"} and min(row.moves.values()) > 0
    assert 0 < row.first and row.first > row.moves["redraw"] / 1e3


def test_a_cell_that_fails_is_named(lesson, tmp_path):
    book = nbformat.read(lesson, as_version=4)
    book.cells[0].source = "1 / 0"
    path = tmp_path / "02_lesson.ipynb"
    nbformat.write(book, path)
    with pytest.raises(CourseError, match=r"02_lesson.*, cell 0 failed: ZeroDivisionError"):
        waits.of_lesson(path)


def test_what_was_measured_of_other_lessons_stays(lesson, tmp_path, monkeypatch):
    out = tmp_path / "waits.json"
    origin = Origin(date="2026-01-01", commit="", device="A", kind="cpu", python="3", torch="2")
    rows = [
        waits.Wait(lesson=name, widget="Canvas", first=1.0, moves={"redraw": 2.0})
        for name in ("01_lesson", "02_lesson")
    ]
    bench.write(out, waits.Waits(origin=origin, imports=0.1, rows=rows))
    new = waits.Wait(lesson="01_lesson", widget="Dial", first=3.0, moves={"redraw": 4.0})
    monkeypatch.setattr(waits, "of_lesson", lambda path: [new])
    monkeypatch.setattr(waits, "of_import", lambda: 0.2)
    waits.main([str(lesson), "--out", str(out)])
    assert bench.read(out, waits.Waits).rows == [new, rows[1]]
