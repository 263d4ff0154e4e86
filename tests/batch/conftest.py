"""Notebooks that are small enough to be run in a test."""

import nbformat
import pytest

from gancourse.batch import lessons as lesson_files

PARAMETERS = """\
preset = "laptop"  # GANCOURSE_PRESET=smoke takes its place
seed = 0
rate = 0.5
fast = False
device = "auto"
data = "digits"
out_dir = ""
"""


def write_notebook(folder, name, *cells):
    """Write a notebook of a title, the parameters and some code cells."""
    tagged = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    cells = [nbformat.v4.new_code_cell(source) for source in cells]
    title = nbformat.v4.new_markdown_cell(f"# Lesson *{name}*")
    path = folder / f"{name}.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[title, tagged, *cells]), path)
    return path


@pytest.fixture(scope="session")
def write():
    """The function that writes a notebook: ``write(folder, name, *cells)``."""
    return write_notebook


@pytest.fixture
def lessons(tmp_path, monkeypatch):
    """A course of two lessons."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(lesson_files, "folder", lambda: folder)
    names = ("01_vanilla_gan", "02_dcgan")
    return [write_notebook(folder, name, "1") for name in names]
