"""Each rule of a lesson: a good lesson has no finding, and one that breaks the rule has one."""

import nbformat
import pytest

from tools import lint

SETUP = "setup(preset=preset, seed=seed, device=device, data=data, out_dir=out_dir)"
TITLE, PARAMETERS, PROSE, CODE = 0, 1, 2, 3  # where they stand in the good lesson


@pytest.fixture
def found(lesson_file):
    """Return a function that returns a notebook's findings as text."""
    return lambda book: [str(finding) for finding in lint.lint(lesson_file(book))]


def test_good_lesson_has_no_findings(book, found):
    assert found(book) == []


def test_a_lesson_may_choose_its_precision_in_the_call_of_setup(book, found):
    call = SETUP.replace("out_dir)", 'out_dir, precision="auto")')
    book.cells[CODE].source = book.cells[CODE].source.replace(SETUP, call)
    assert call in book.cells[CODE].source
    assert found(book) == []


def test_finding_names_notebook_cell_fault_and_remedy(book, found):
    book.cells[CODE].source += "\ny = 1 "
    (finding,) = found(book)
    assert finding.startswith("01_lesson.ipynb cell 4: ")
    assert "white space" in finding and "'y = 1'" in finding and "Delete" in finding


@pytest.mark.parametrize(
    ("lines", "source"),
    [
        (0, ""),
        (0, "# a comment\n\n    # another\n"),
        (0, '"""A module.\n\nWith two paragraphs.\n"""\n'),
        (1, "x = 1  # why\n\n\n"),
        (
            3,
            'def f(x):\n    """Return x.\n\n    Why.\n    """\n    # y\n    x += x\n    return x',
        ),
        (2, 'class A:\n    "A class."\n\n    size = 1'),
        (1, "class A: 'A class.'"),
        (3, "f(\n    1,\n)"),
        (3, 'x = """a\n# text\n"""'),
        (2, "%time\nx = 1"),
        (1, "!ls"),
    ],
)
def test_code_lines_are_neither_blank_nor_comments_nor_docstrings(lines, source):
    assert lint.code_lines(source) == lines


def tiles(side):
    shown = {"image/png": {"width": 200, "tile": side}}
    return nbformat.v4.new_output("display_data", data={"text/plain": "a figure"}, metadata=shown)


def stream(text):
    return nbformat.v4.new_output("stream", text=text)


def picture():
    return nbformat.v4.new_output("display_data", data={"image/png": "iVBORw0KGgo="})


def change(cell, **values):
    def apply(book):
        book.cells[cell].update(values)

    return apply


def tag(cell, *tags):
    return change(cell, metadata={"tags": list(tags)})


def append(make, *args):
    def apply(book):
        book.cells.append(make(*args))

    return apply


def add_outputs(*outputs):
    def apply(book):
        book.cells[CODE].outputs += outputs

    return apply


def metadata(**values):
    def apply(book):
        book.metadata.update(values)

    return apply


def parameters(old, new):
    def apply(book):
        cell = book.cells[PARAMETERS]
        cell.source = cell.source.replace(old, new)

    return apply


def long_cell(lines, *tags):
    source = "\n\n# why\n".join([SETUP] + ["x = 1"] * (lines - 1))
    return change(CODE, source=source, metadata={"tags": list(tags)})


def remove_all(kind):
    def apply(book):
        book.cells = [cell for cell in book.cells if cell.cell_type != kind]

    return apply


def clear_outputs(book):
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs = []


def trebled(book):
    book.cells += [cell.copy() for cell in book.cells[2:]] * 2


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (change(PROSE, id="title"), ("cell 3", "id", "'title'")),
        (tag(CODE, "parameters"), ("2 cells", "parameters")),
        (tag(PARAMETERS), ("0 cells", "parameters")),
        (parameters("seed = 0", "seed = 2 * 3"), ("cell 2", "'seed = 2 * 3'", "plain value")),
        (parameters("seed = 0", "import os"), ("cell 2", "'import os'", "plain value")),
        (parameters("seed", "sede"), ("cell 2", "'sede'", "'seed'")),
        (parameters("laptop", "smoke"), ("cell 2", "'smoke'", "'laptop'")),
        (change(CODE, source="setup(seed=3, data=data)"), ("setup", "(seed=3, data=data)")),
        (change(CODE, source="%time\nx = 1"), ("cell 2", "setup", "()")),
        (remove_all("markdown"), ("25 cells", "45 to 65")),
        (remove_all("markdown"), ("0 words", "2,000 to 3,500")),
        (remove_all("code"), ("0 code lines", "250 to 450")),
        (trebled, ("146 cells", "45 to 65")),
        (trebled, ("872 code lines", "250 to 450")),
        (trebled, ("7,346 words", "2,000 to 3,500")),
        (long_cell(41), ("cell 4", "41 lines", "At most 40", "split")),
        (long_cell(61, "sync:a.b"), ("cell 4", "61 lines", "At most 60")),
        (change(PROSE, source="``` \ncode\n```"), ("cell 3", "white space", "'```'")),
        (change(PROSE, source=""), ("cell 3", "empty", "Delete")),
        (change(PROSE, source="# Title"), ("cell 3", "H1")),
        (change(PROSE, source="### Deep"), ("cell 3", "H3 follows H1", "H2")),
        (change(TITLE, source="text"), ("cell 3", "H1")),
        (change(PROSE, source="![](a.png)"), ("cell 3", "a.png", "alternative text")),
        (change(PROSE, source="[a](gone.md#top)"), ("cell 3", "link", "gone.md")),
        (metadata(gancourse={"preset": "smoke"}), ("outputs", "'smoke'", "tools.refresh 01")),
        (metadata(papermill={}), ("papermill", "tools.refresh 01")),
        (metadata(widgets={"state": "x" * 50_000}), ("50,013 bytes", "widget")),
        (tag(CODE, "injected-parameters"), ("cell 4", "papermill", "tools.refresh 01")),
        (change(CODE, execution_count=None), ("cell 4", "not been executed", "tools.refresh 01")),
        (change(CODE, execution_count=7), ("cell 4", "code cell 2", "number 7")),
        (add_outputs(stream("x" * 3_000_000)), ("bytes", "At most 3,000,000")),
        (add_outputs(tiles(71.5)), ("cell 4", "71.5 pixels", "At least 96")),
        (
            add_outputs(nbformat.v4.new_output("error", ename="KeyError", evalue="1")),
            ("cell 4", "KeyError: 1"),
        ),
        (clear_outputs, ("no outputs", "tools.refresh 01")),
        (change(PROSE, source="see /home/ada/x"), ("source", "/home/ada")),
        (add_outputs(stream("at /work/main/x.py:3")), ("output", "/work/main")),
        (add_outputs(stream("file:///tmp/x")), ("output", "/tmp/x")),
        (add_outputs(stream("C:\\Users\\ada")), ("output", "C:\\Users")),
        (
            add_outputs(
                nbformat.v4.new_output(
                    "display_data", data={"application/json": {"p": "C:\\Users\\ada"}}
                )
            ),
            ("output (application/json)", "C:\\\\Users"),
        ),
    ],
)
def test_fault_is_found(book, found, damage, words):
    damage(book)
    faults = [finding for finding in found(book) if "warning" not in finding]
    assert any(all(word in fault for word in words) for fault in faults), faults


def test_format_must_be_the_current_one(book, lesson_file):
    path = lesson_file(book)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"nbformat_minor": 5', '"nbformat_minor": 4'), encoding="utf-8")
    assert any("4.5" in str(finding) for finding in lint.lint(path))


def test_third_code_cell_in_a_row_is_a_fault(book, found):
    first = book.cells[CODE]
    for count in (2, 3):
        book.cells.insert(CODE, nbformat.from_dict({**first, "id": f"more-{count}"}))
        in_a_row = [finding for finding in found(book) if "in a row" in finding]
        assert len(in_a_row) == (count == 3)
    assert "cell 6: 3 code cells" in in_a_row[0]


def test_size_a_little_outside_is_a_warning(book, found):
    del book.cells[-8:]
    assert any("warning: 42 cells" in finding for finding in found(book))


def test_picture_at_the_end_without_text_is_a_warning(book, found):
    book.cells[-1].outputs = [picture()]
    (finding,) = found(book)
    assert "cell 50: warning: " in finding and "picture" in finding


@pytest.mark.parametrize(
    "innocent",
    [
        change(PROSE, source="## H\n\n```bash\n# a comment\n```\n" + "word " * 99 + "end"),
        change(PROSE, source="## H\n\n" + "word " * 99 + "[a](https://a.org/home/b) /home"),
        long_cell(60, "sync:a.b"),
        add_outputs(stream("https://example.org/home/ada and ~/work/x")),
    ],
)
def test_what_is_allowed_is_not_found(book, found, innocent):
    innocent(book)
    assert found(book) == []


def test_main_prints_the_findings_and_fails_on_faults_only(book, lesson_file, capsys):
    assert lint.main([str(lesson_file(book))]) == 0
    book.cells[-1].outputs = [picture()]
    assert lint.main([str(lesson_file(book))]) == 0
    assert "notebooks: 1, faults: 0, warnings: 1" in capsys.readouterr().out
    book.cells[CODE].source += " "
    assert lint.main([str(lesson_file(book))]) == 1
    assert "cell 4: white space" in capsys.readouterr().out
