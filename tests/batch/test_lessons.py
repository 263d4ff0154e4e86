"""Finding lessons and reading what a notebook says about itself."""

import json
import subprocess
import sys

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from gancourse.batch import lessons as lesson_files
from gancourse.batch.lessons import CLAIM, Claim, claims, find, fingerprint, outcome, read, title
from gancourse.errors import CourseError


@pytest.mark.parametrize("name", ["01", "1", "vanilla_gan", "01_vanilla_gan"])
def test_a_lesson_is_found_by_number_or_name(lessons, name):
    assert find([name]) == lessons[:1]


def test_all_means_each_lesson_once(lessons):
    assert find(["02", "all"]) == lessons[::-1]


def test_a_notebook_of_ones_own_is_found_by_its_path(lessons, tmp_path, write):
    own = write(tmp_path, "own", "1")
    assert find([str(own)]) == [own]


@pytest.mark.parametrize("name", ["03", "vanila_gan", "nowhere.ipynb"])
def test_an_unknown_lesson_is_refused(lessons, name):
    with pytest.raises(CourseError, match=name):
        find([name])


def test_the_refusal_lists_the_known_lessons(lessons):
    with pytest.raises(CourseError) as refused:
        find(["03"])
    assert all(name in str(refused.value) for name in ("01_vanilla_gan", "02_dcgan", "all"))


def test_two_notebooks_of_one_name_are_refused(lessons, tmp_path, write):
    copy = write(tmp_path, lessons[0].stem, "1")
    with pytest.raises(CourseError, match=copy.stem):
        find(["01", str(copy)])


def test_names_that_only_some_file_systems_tell_apart_are_refused(tmp_path, write):
    for folder, name in (("a", "Mine"), ("b", "mine")):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, name, "1")
    with pytest.raises(CourseError, match="mine"):
        find([str(tmp_path / "a/Mine.ipynb"), str(tmp_path / "b/mine.ipynb")])


@pytest.mark.parametrize(
    "content",
    [
        b"not JSON",
        b"",
        b"[]",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"nbformat": "4"}',
        b'{"nbformat": 4}',
        b'{"nbformat": 99, "nbformat_minor": 0, "metadata": {}, "cells": []}',
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code"}]}',
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [7]}',
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": [], "cells": []}',
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {"a": "\\ud800"}, "cells": []}',
    ],
)
def test_a_file_that_is_no_notebook_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "text.ipynb").write_bytes(content)
    with pytest.raises(CourseError, match=r"text\.ipynb is not a (valid )?notebook") as refused:
        read(tmp_path / "text.ipynb")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 600


def test_a_notebook_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(lesson_files, "MAX_NOTEBOOK", 10)
    (tmp_path / "large.ipynb").write_text("{}" * 10, encoding="utf-8")
    with pytest.raises(CourseError, match="Clear its outputs"):
        read(tmp_path / "large.ipynb")


@pytest.mark.parametrize(
    "metadata", [{"gancourse": "x"}, {"papermill": 3}, {"kernelspec": []}, {"language_info": 1}]
)
def test_metadata_of_a_wrong_shape_are_dropped(tmp_path, metadata):
    cell = {"cell_type": "code", "source": "1", "outputs": [], "execution_count": None}
    cell |= {"metadata": {"tags": None}}
    book = {"nbformat": 4, "nbformat_minor": 2, "metadata": metadata, "cells": [cell]}
    (tmp_path / "odd.ipynb").write_text(json.dumps(book), encoding="utf-8-sig")
    found = read(tmp_path / "odd.ipynb")
    assert not metadata.keys() & found.metadata.keys()
    assert found.cells[0].metadata == {}


def test_a_notebook_of_an_old_format_is_read(tmp_path):
    cell = {"cell_type": "code", "input": "1", "outputs": [], "language": "python"}
    book = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}}
    book["worksheets"] = [{"cells": [{**cell, "collapsed": False, "metadata": {}}], "metadata": {}}]
    (tmp_path / "old.ipynb").write_text(json.dumps(book), encoding="utf-8")
    assert read(tmp_path / "old.ipynb").cells[0].source == "1"


def test_the_title_is_the_first_heading():
    cells = [new_code_cell("# no"), new_markdown_cell("text\n## A *title* \n# later")]
    assert title(new_notebook(cells=cells), "name") == "A title"
    assert title(new_notebook(), "name") == "name"


def shows(bundle):
    return new_code_cell("claim()", outputs=[new_output("display_data", data={CLAIM: bundle})])


def test_claims_of_a_wrong_shape_are_named_and_the_others_are_read():
    good = {"text": "a", "holds": True, "value": float("inf")}
    odd = [{"text": 123, "holds": True}, {"text": "a", "holds": 1}, [], "x", {"holds": None}]
    found, problems = claims(new_notebook(cells=[shows(good), *map(shows, odd)]))
    assert found == [Claim("a", True, "inf")]
    assert [problem.partition(":")[0].partition(",")[0] for problem in problems] == [
        f"a claim of cell {number}" for number in range(2, 7)
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"status": "<script>"},
        {"cells": [1]},
        {"seconds": "1"},
        {"parameters": []},
        {"error": None},
    ],
)
def test_a_record_of_a_run_of_a_wrong_shape_is_none(change):
    run = {"status": "done", "error": "", "cells": [1, 1], "seconds": 1.5, "preset": "smoke"}
    run["parameters"] = {}
    good, odd = (
        new_notebook(metadata={"gancourse": {"run": record}}) for record in (run, run | change)
    )
    assert outcome(good).cells == (1, 1)
    assert outcome(odd) is None


def test_the_fingerprint_changes_with_whatever_a_reader_can_change():
    def book(source="1", tags=(), text="2", **attachments):
        output = new_output("execute_result", {"text/plain": text}, execution_count=3)
        code = new_code_cell(source, metadata={"tags": [*tags]}, outputs=[output])
        return new_notebook(cells=[code, new_markdown_cell("text", **attachments)])

    assert fingerprint(book()) == fingerprint(book())  # the ids of the cells differ
    changed = [book("1 "), book(tags=["a"]), book(text="3"), book(attachments={"a": {}})]
    changed.append(new_notebook(cells=book().cells[:1]))
    assert len({fingerprint(other) for other in [book(), *changed]}) == 6


def test_a_request_is_checked_without_importing_pytorch(tmp_path):
    code = (
        "import sys; from gancourse.batch import execute, lessons;"
        "given = {'seed': '1', 'preset': 'smoke'};"
        f"execute.prepare(lessons.find(['01']), given, {str(tmp_path)!r});"
        "print({'torch', 'papermill', 'nbconvert'} & {*sys.modules})"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "set()", result.stderr


@pytest.mark.parametrize("copy", ["_mine", "-Copy1", " (1)", " copy"])
def test_of_notebooks_with_one_number_the_shortest_name_is_the_lesson(lessons, write, copy):
    write(lessons[0].parent, f"01_vanilla_gan{copy}", "1")
    assert find(["01"]) == lessons[:1] and find(["all"]) == lessons


def test_outputs_of_a_text_and_data_of_a_stream_are_dropped(tmp_path):
    book = new_notebook(cells=[new_markdown_cell("a"), new_code_cell("b")])
    book = json.loads(json.dumps(book))
    book["cells"][0]["outputs"] = None
    stream = {"output_type": "stream", "name": "stdout", "text": "x", "data": 3}
    book["cells"][1]["outputs"] = [stream]
    (tmp_path / "odd.ipynb").write_text(json.dumps(book))
    words, code = read(tmp_path / "odd.ipynb").cells
    assert "outputs" not in words and "data" not in code.outputs[0]
