"""A small lesson that keeps every rule, on which the tools are tested."""

import nbformat
import pytest

from tools import sync

PARAMETERS = 'preset = "laptop"\nseed = 0\ndevice = "auto"\ndata = "digits"\nout_dir = ""'
SETUP = "lesson = setup(preset=preset, seed=seed, device=device, data=data, out_dir=out_dir)"


def good_lesson():
    cells = [
        nbformat.v4.new_markdown_cell("# A lesson", id="title"),
        nbformat.v4.new_code_cell(PARAMETERS, id="parameters", metadata={"tags": ["parameters"]}),
    ]
    for part in range(24):
        prose = f"## Part {part}\n\n" + "word " * 99 + "end."
        code = "\n".join([SETUP] * (part == 0) + [f"x{line} = {line}" for line in range(12)])
        cells.append(nbformat.v4.new_markdown_cell(prose, id=f"prose-{part}"))
        cells.append(nbformat.v4.new_code_cell(code, id=f"code-{part}"))
    book = nbformat.v4.new_notebook(cells=cells, metadata={"gancourse": {"preset": "laptop"}})
    book.nbformat_minor = 5
    code = [cell for cell in cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, start=1):
        cell.execution_count = count
        cell.outputs = [nbformat.v4.new_output("stream", text=f"{count}\n")]
    return book


@pytest.fixture
def lesson_file(tmp_path):
    """Return a function that writes a notebook into the test's folder."""

    def write(book, name="01_lesson.ipynb"):
        path = tmp_path / name
        sync.write(path, book)
        return path

    return write


@pytest.fixture
def book():
    return good_lesson()


@pytest.fixture
def dotted(tmp_path, monkeypatch):
    """Make sync read a package with one module, ``pkg.mod``; return the module's path."""
    module = tmp_path / "pkg" / "mod.py"
    module.parent.mkdir()
    module.write_text(
        '"""A module."""\n\n\nimport functools\n\n\n@functools.cache\ndef one(x):\n'
        "    # why\n    return x\n\n\nclass Two:\n    size = 2\n\n    def three(self):\n"
        "        return 3\n\n\nFOUR = 4\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(sync, "ROOT", tmp_path)
    return module
