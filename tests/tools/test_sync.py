"""Tagged cells get the package's source, exactly; nothing else of the notebook changes."""

import json

import nbformat
import pytest

from gancourse.errors import CourseError
from tools import sync

ONE = "@functools.cache\ndef one(x):\n    # why\n    return x"
TWO = "class Two:\n    size = 2\n\n    def three(self):\n        return 3"


def test_source_is_exact_with_decorators_and_comments(dotted):
    assert sync.source_of("pkg.mod.one") == ONE
    assert sync.source_of("pkg.mod.Two") == TWO


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("pkg.mod.oen", "pkg.mod.oen.*one"),
        ("pkg.mod.FOUR", "pkg.mod.FOUR.*one, Two"),
        ("pkg.rod.one", "pkg.rod.one.*module pkg.rod"),
    ],
)
def test_unknown_object_is_named_with_similar_ones(dotted, name, hint):
    with pytest.raises(CourseError, match=hint):
        sync.source_of(name)


def live_cell(source, *names):
    tags = [f"sync:{name}" for name in names]
    cell = nbformat.v4.new_code_cell(source, id="live", metadata={"tags": tags})
    cell.update(execution_count=99, outputs=[nbformat.v4.new_output("stream", text="old\n")])
    return cell


def test_drifted_cell_gets_the_source_and_loses_its_outputs(dotted, book, lesson_file, capsys):
    book.cells.append(live_cell("def one(x): return 2 * x", "pkg.mod.one"))
    path = lesson_file(book)
    assert sync.main([str(path)]) == 0
    assert "01_lesson.ipynb cell 51: pkg.mod.one" in capsys.readouterr().out
    *others, cell = sync.read(path).cells
    assert (cell.source, cell.outputs, cell.execution_count) == (ONE, [], None)
    assert others == book.cells[:-1]


def test_a_cell_that_differs_in_words_alone_keeps_its_outputs(dotted, book, lesson_file):
    book.cells.append(live_cell(ONE.replace("# why", "# an older reason"), "pkg.mod.one"))
    path = lesson_file(book)
    assert sync.main([str(path)]) == 0
    cell = sync.read(path).cells[-1]
    assert cell.source == ONE and cell.execution_count == 99 and cell.outputs


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ('def f(x):\n    """New."""\n    return x  # why', True),
        ("def f(x):\n    return x", False),  # a cell that shows help(f) prints less
        ('def f(y):\n    """Old."""\n    return y', False),
        ('def f(x):\n    """Old."""\n    return "Old."', False),
        ("def f(x:", False),
    ],
)
def test_words_are_comments_and_the_text_of_docstrings(other, same):
    assert sync.same_code('def f(x):\n    """Old."""\n    return x', other) is same


def test_several_objects_stand_two_blank_lines_apart(dotted, book, lesson_file):
    book.cells.append(live_cell("", "pkg.mod.Two", "pkg.mod.one"))
    path = lesson_file(book)
    sync.main([str(path)])
    assert sync.read(path).cells[-1].source == f"{TWO}\n\n\n{ONE}"


def test_cell_in_step_is_left_alone_byte_by_byte(dotted, book, lesson_file):
    book.cells.append(live_cell(ONE, "pkg.mod.one"))
    path = lesson_file(book)
    before = path.read_bytes()
    assert sync.main([str(path)]) == 0
    assert path.read_bytes() == before
    assert sync.read(path).cells[-1].execution_count == 99


def test_check_shows_the_difference_fails_and_writes_nothing(dotted, book, lesson_file, capsys):
    book.cells.append(live_cell(ONE.replace("return x", "return y"), "pkg.mod.one"))
    path = lesson_file(book)
    before = path.read_bytes()
    assert sync.main([str(path), "--check"]) == 1
    assert path.read_bytes() == before
    printed = capsys.readouterr().out
    assert "-    return y" in printed
    assert "+    return x" in printed
    assert "make sync" in printed


def test_check_passes_when_all_is_in_step(dotted, book, lesson_file, capsys):
    book.cells.append(live_cell(ONE, "pkg.mod.one"))
    assert sync.main([str(lesson_file(book)), "--check"]) == 0
    assert capsys.readouterr().out == ""


def test_wrong_tag_names_the_cell(dotted, book, lesson_file):
    book.cells.append(live_cell("", "pkg.mod.won"))
    path = lesson_file(book)
    with pytest.raises(SystemExit, match=r"01_lesson\.ipynb cell 51: .*pkg\.mod\.won"):
        sync.main([str(path)])


def test_file_is_written_as_jupyterlab_writes_it(book, lesson_file):
    book.cells[0].source = "# Générateur"
    text = lesson_file(book).read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n"
    assert "Générateur" in text


def test_notebooks_are_found_by_number_and_by_file(tmp_path, monkeypatch):
    for name in ("01_a.ipynb", "02_b.ipynb", "notes.ipynb"):
        (tmp_path / name).touch()
    monkeypatch.setattr(sync, "NOTEBOOKS", tmp_path)
    first, second = tmp_path / "01_a.ipynb", tmp_path / "02_b.ipynb"
    assert sync.find() == sync.find(["all"]) == [first, second]
    assert sync.find(["2", "01"]) == [second, first]
    assert sync.find([str(first)]) == [first]
    with pytest.raises(CourseError, match=r"'3'.*1, 2, all"):
        sync.find(["3"])
