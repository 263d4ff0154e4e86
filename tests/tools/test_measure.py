"""What ships is measured by the lesson's own cells, and goes on where it was stopped."""

import dataclasses
import json

import pytest
import torch

from gancourse import lesson
from gancourse.errors import CourseError
from tools import measure


@pytest.fixture(autouse=True)
def unchanged_afterwards(monkeypatch):
    """The lesson's first cell sets up the whole process."""
    threads = torch.get_num_threads()
    monkeypatch.setattr(lesson, "_current", None)
    monkeypatch.setattr(lesson.plotting, "use_style", lambda: None)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = True


def test_it_measures_what_is_missing_and_keeps_what_is_there(tmp_path, capsys):
    out = tmp_path / "grid.json"
    options = ["grid", "--steps", "1", "--seeds", "1", "--out", str(out)]
    measure.main(options)
    grid = json.loads(out.read_text())
    assert grid["steps"] == 1
    assert len({(run["design"], run["loss"]) for run in grid["runs"]}) == 12

    kept = grid["runs"][:11]
    kept[0]["fid"] = -1.0
    out.write_text(json.dumps(grid | {"runs": kept}))
    measure.main(options)
    again = json.loads(out.read_text())["runs"]
    assert again[:11] == kept
    assert again[11] == grid["runs"][11]

    with pytest.raises(CourseError, match="runs of 1 updates"):
        measure.main(["grid", "--steps", "2", "--out", str(out)])


def test_the_rivals_of_lesson_8_are_measured_by_judge_and_renderer(tmp_path, monkeypatch):
    first = dataclasses.replace(
        measure.STUDIES["crowds"], settings=lambda names: measure.crowds(names)[:2]
    )
    monkeypatch.setitem(measure.STUDIES, "crowds", first)
    out = tmp_path / "crowds.json"
    measure.main(["crowds", "--steps", "1", "--seeds", "1", "--out", str(out)])
    runs = json.loads(out.read_text())["runs"]
    assert [(run["people"], run["kind"]) for run in runs] == [(20, "single"), (20, "joint")]
    # After one step G draws noise: far from the true drawing, everywhere.
    assert all(run["inside"] > 1 and run["outside"] > 0.05 for run in runs)
    assert all(0 < run[key] <= 1 for run in runs for key in ("asked", "others"))


@pytest.mark.parametrize("name", measure.STUDIES)
def test_what_ships_is_of_the_steps_that_the_study_asks_for_with_every_seed(name):
    study, found = measure.STUDIES[name], lesson.measured(name)
    assert found["steps"] == study.steps
    measures = {"fid", "before", "asked", "others", "inside", "outside"}
    keys = [tuple((k, v) for k, v in run.items() if k not in measures) for run in found["runs"]]
    assert len(set(keys)) == len(keys)
    for seed in range(study.seeds):
        assert sum(("seed", seed) in key for key in keys) == {"grid": 12, "crowds": 6}[name]
