"""Refreshing writes the outputs of one run into a notebook, and changes nothing else."""

import os

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from papermill.exceptions import PapermillExecutionError

from gancourse.doctor.speed import Speed
from gancourse.errors import CourseError
from tools import refresh, sync

CELLS = [
    new_markdown_cell("# Title", id="title"),
    new_code_cell(
        'preset = "laptop"\nseed = 0', id="parameters", metadata={"tags": ["parameters"]}
    ),
    new_code_cell(
        "import os\nprint(preset, seed, os.listdir(), os.environ.get('GANCOURSE_PRESET'))",
        id="prints",
    ),
    new_code_cell("for _ in range(3):\n    print(1, flush=True)", id="flushes"),
    new_code_cell("2 + 2", id="result"),
]


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory):
    """A notebook before and after one refresh in the smoke preset."""
    path = tmp_path_factory.mktemp("notebooks") / "01_tiny.ipynb"
    before = nbformat.v4.new_notebook(
        cells=CELLS,
        metadata={
            "gancourse": {"seconds": {"paper": 9000.0}},
            "kernelspec": {"name": "of-someone-else", "display_name": "?", "language": "python"},
        },
    )
    sync.write(path, before)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANCOURSE_PRESET", "paper")
        seconds = refresh.refresh(path, "smoke", seed=3)
        assert os.environ["GANCOURSE_PRESET"] == "paper"
    return before, sync.read(path), seconds, sorted(path.parent.iterdir())


def test_sources_and_cell_metadata_are_untouched(refreshed):
    before, after, *_ = refreshed
    kept = ("id", "cell_type", "source", "metadata")
    assert [{k: cell[k] for k in kept} for cell in after.cells] == [
        {k: cell[k] for k in kept} for cell in before.cells
    ]


def test_outputs_are_of_the_injected_parameters_in_an_empty_folder(refreshed):
    assert refreshed[1].cells[2].outputs[0].text == "smoke 3 [] None\n"


def test_cells_are_counted_as_if_nothing_had_been_injected(refreshed):
    code = [cell for cell in refreshed[1].cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4]
    assert code[-1].outputs[0].execution_count == 4


def test_printing_in_pieces_is_one_output(refreshed):
    assert [output.text for output in refreshed[1].cells[3].outputs] == ["1\n1\n1\n"]


def test_what_the_run_was_is_recorded_and_other_times_are_kept(refreshed):
    _, after, seconds, _ = refreshed
    record = after.metadata.gancourse
    assert (record.preset, record.seed) == ("smoke", 3)
    assert record.seconds == {"paper": 9000.0, "smoke": seconds}
    assert {"torch", "device", "cpu_count", "date"} < set(record)


def test_nothing_of_papermill_is_left(refreshed):
    _, after, _, files = refreshed
    assert "papermill" not in nbformat.v4.writes(after)
    assert after.metadata.kernelspec.name == "of-someone-else"
    assert [file.name for file in files] == ["01_tiny.ipynb"]


@pytest.fixture
def run_as(monkeypatch):
    """Return a function that replaces the slow run in a kernel by another function.

    The speed of the machine is not measured either.
    """
    monkeypatch.setattr(refresh, "measure_speed", lambda device: Speed(10.0, None))
    return lambda function: monkeypatch.setattr(refresh, "execute", function)


def executed_copy(path, **parameters):
    book = sync.read(path)
    book.cells.insert(2, new_code_cell("", metadata={"tags": ["injected-parameters"]}))
    book.cells[3].outputs = [new_output("stream", text=f"{parameters}\n")]
    return book


@pytest.fixture
def path(lesson_file):
    return lesson_file(nbformat.v4.new_notebook(cells=CELLS))


def test_time_alone_leaves_the_outputs(path, run_as, capsys):
    run_as(executed_copy)
    assert refresh.main([str(path), "--seed", "1"]) == 0
    first = sync.read(path)
    assert "'preset': 'laptop'" in first.cells[2].outputs[0].text
    assert refresh.main([str(path), "--time", "smoke", "--seed", "2"]) == 0
    second = sync.read(path)
    assert second.cells == first.cells
    for figure in ("seconds", "speed"):
        assert second.metadata.gancourse.pop(figure).keys() == {"laptop", "smoke"}
        assert first.metadata.gancourse.pop(figure).keys() == {"laptop"}
    assert second.metadata == first.metadata
    assert "01_lesson.ipynb: smoke, " in capsys.readouterr().out


def test_injected_cell_that_was_saved_before_is_removed(path, run_as):
    book = sync.read(path)
    book.cells.insert(2, new_code_cell("x = 1", metadata={"tags": ["injected-parameters"]}))
    sync.write(path, book)
    run_as(lambda path, **parameters: sync.read(path))
    refresh.refresh(path)
    assert [cell.id for cell in sync.read(path).cells] == [cell.id for cell in CELLS]


def test_failed_cell_leaves_the_notebook_as_it_was(path, run_as, capsys):
    def fail(path, **parameters):
        raise PapermillExecutionError(3, 3, "1 / 0", "ZeroDivisionError", "by zero", [])

    run_as(fail)
    before = path.read_bytes()
    assert refresh.main([str(path)]) == 1
    assert path.read_bytes() == before
    printed = capsys.readouterr().out
    assert "01_lesson.ipynb" in printed and "In [3]" in printed


def test_notebook_that_was_edited_meanwhile_is_not_overwritten(path, run_as):
    def edited(path, **parameters):
        executed = executed_copy(path)
        path.write_text(path.read_text(encoding="utf-8").replace("Title", "New title"), "utf-8")
        return executed

    run_as(edited)
    with pytest.raises(CourseError, match=r"01_lesson\.ipynb.*changed"):
        refresh.refresh(path)
    assert sync.read(path).cells[0].source == "# New title"


def test_unknown_preset_is_refused_before_anything_runs(path):
    with pytest.raises(SystemExit, match=r"'small'.*smoke, laptop, paper"):
        refresh.main([str(path), "--preset", "small"])
