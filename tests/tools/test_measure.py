"""What ships is measured by the lesson's own cells, and goes on where it was stopped."""

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
