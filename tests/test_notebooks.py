"""What must hold of every lesson; nbval (see pyproject.toml) executes them besides."""

import ast
import inspect

import pytest
from nbformat.v4 import new_code_cell

from gancourse import exercises
from gancourse.batch import kernel
from gancourse.lesson import CHECK, CLAIM
from tools import lint, sync

NOTEBOOKS = sync.find()
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def outputs(notebook, mime):
    """Return the data of that type in the committed outputs."""
    found = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output.data[mime] for output in found if mime in output.get("data", {})]


def checked(notebook):
    """Return the number of each exercise that the notebook checks, with the cell and the answer."""
    return {
        call.args[0].value: (cell, ast.unparse(call.args[1]))
        for cell, call in lint.calls(notebook, "check")
    }


def test_there_are_notebooks():
    assert NOTEBOOKS, f"no lessons in {sync.NOTEBOOKS}"


@every_notebook
def test_live_cells_are_in_step_with_the_package(path):
    drifted = [f"cell {number}" for number, *_ in sync.drift(sync.read(path), path.name)]
    assert not drifted, f"{path.name}: {', '.join(drifted)} differ from the package: make sync"


@every_notebook
def test_rules_of_a_lesson_are_kept(path):
    faults = [str(finding) for finding in lint.lint(path) if finding.fatal]
    assert not faults, "\n" + "\n".join(faults)


@every_notebook
def test_committed_claims_hold(path):
    claims = outputs(sync.read(path), CLAIM)
    assert claims
    assert [claim["text"] for claim in claims if claim["holds"] is not True] == []


@every_notebook
def test_every_exercise_of_the_lesson_is_asked_checked_and_solved(path):
    notebook = sync.read(path)
    numbers = [ex.number for ex in exercises.lesson(str(int(path.name[:2])))]
    # Two exercises stand before the code that they ask for, whatever their numbers.
    assert sorted(checked(notebook)) == numbers
    solved = [call.args[0].value for _, call in lint.calls(notebook, "solution")]
    assert solved == list(checked(notebook))


@every_notebook
def test_committed_stubs_are_not_yet_answers(path):
    notebook = sync.read(path)
    results = outputs(notebook, CHECK)
    assert [result["number"] for result in results] == list(checked(notebook))
    assert not any(result["written"] or result["passed"] for result in results)


@every_notebook
def test_stub_takes_what_the_solution_takes(path):
    for number, (cell, answer) in checked(sync.read(path)).items():
        solution = exercises.find(number).answer
        stubs = [
            node
            for node in ast.walk(ast.parse(cell.source))
            if isinstance(node, ast.FunctionDef) and node.name == answer
        ]
        if inspect.isfunction(solution):
            (stub,) = stubs
            names = [argument.arg for argument in (*stub.args.args, *stub.args.kwonlyargs)]
            assert names == list(inspect.signature(solution).parameters), number


@every_notebook
def test_a_lesson_with_out_dir_keeps_runs_each_in_a_folder_of_its_own(path):
    names = [ast.unparse(call.args[0]) for _, call in lint.calls(sync.read(path), "lesson.keep")]
    assert names
    assert len(set(names)) == len(names)


def test_a_lesson_that_is_executed_again_with_its_out_dir_goes_on_from_what_it_kept(tmp_path):
    path = sync.NOTEBOOKS / "05_cgan.ipynb"
    notebook = sync.read(path)
    kept = next(n for n, c in enumerate(notebook.cells) if "lesson.keep(" in c.source)
    # The other trainings before it, which it does not need, are left out; what reads it stays.
    notebook.cells = [
        cell
        for number, cell in enumerate(notebook.cells[: kept + 3])
        if number == kept or "train(classless" not in cell.source
    ]
    # What the lesson reads is drawn; this prints it.
    notebook.cells.append(new_code_cell("print(gan.step, history.values, history.records)"))
    given = {"preset": "smoke", "device": "cpu", "out_dir": str(tmp_path / "out")}
    read = []
    for _ in range(2):  # each in a fresh kernel
        executed, error = kernel.execute(notebook, given, cwd=path.parent)
        assert error is None, error
        files = {p.name: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
        printed = executed.cells[-1].outputs[0].text
        read.append((printed, files["checkpoint.safetensors"], files["history.jsonl"]))
    assert read[0] == read[1] and "accuracy" in read[0][0]
