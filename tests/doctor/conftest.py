"""A course of one lesson, and a machine whose speed is known."""

import nbformat
import pytest

from gancourse import doctor
from gancourse.batch import lessons
from gancourse.doctor.speed import Speed


@pytest.fixture
def quick(monkeypatch):
    """Spare the measurement of the machine's speed, and the import of each package."""
    monkeypatch.setattr(doctor, "measure_speed", lambda device: Speed(10.0, 1.0))
    monkeypatch.setattr(doctor.machine, "import_error", lambda name: None)


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A folder that takes the place of the folder of lessons."""
    folder = tmp_path / "lessons"
    folder.mkdir()
    monkeypatch.setattr(lessons, "folder", lambda: folder)
    return folder


@pytest.fixture
def recorded(course):
    """A course of one lesson, whose smoke preset took 20 s on a machine of speed 30."""
    notebook = nbformat.v4.new_notebook()
    notebook.metadata["gancourse"] = {
        "seconds": {"smoke": 20, "laptop": 300},
        "speed": {"smoke": 30},
    }
    nbformat.write(notebook, course / "01_tiny.ipynb")
    return course
