"""Check the notebooks against the rules of a lesson: ``make lint``.

Each finding names the notebook, the cell (counted from 1), the fault and its remedy. Warnings
leave the exit status at 0; other findings don't.
"""

import argparse
import ast
import io
import json
import re
import sys
import tokenize
from collections import Counter
from dataclasses import dataclass

from IPython.core.inputtransformer2 import TransformerManager

from gancourse.batch.lessons import DEFAULT_PRESET, PARAMETERS
from gancourse.errors import CourseError
from gancourse.plotting.tiles import LEAST
from tools import sync

# The ranges outside which there is a warning, and those outside which there is a fault.
SIZES = {
    "cells": ((45, 65), (40, 70)),
    "code lines": ((250, 450), (200, 480)),  # see code_lines()
    "words": ((2_000, 3_500), (1_800, 3_800)),  # of prose: no code, no formulas
}
PRESET = DEFAULT_PRESET  # of the outputs that are committed
MAX_CELL_LINES = 40
MAX_SYNCED_LINES = 60  # in a cell that shows source of the package
MAX_CODE_CELLS_IN_A_ROW = 2
MAX_NOTEBOOK_BYTES = 3_000_000
MAX_WIDGET_BYTES = 50_000

LOCAL_PATH = re.compile(
    r"(?<![\w.~-])/(?:home|work|root|tmp|Users|private|var/folders)/[\w.-]+"
    r"|\b[A-Za-z]:(?:\\{1,2}|/)Users\b"
)
# The tokens that do not make a line one of code.
NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
FENCE = re.compile(r"^(`{3,}|~{3,}).*?^\1", re.MULTILINE | re.DOTALL)
NOT_WORDS = re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$|<[^>]+>|\]\([^)]*\)", re.DOTALL)
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)[^)]*\)")


@dataclass(frozen=True)
class Finding:
    """A fault of a notebook, or a warning (``fatal=False``)."""

    notebook: str
    cell: int | None
    what: str
    remedy: str
    fatal: bool = True

    def __str__(self):
        place = f"{self.notebook} cell {self.cell}" if self.cell else self.notebook
        return f"{place}: {'' if self.fatal else 'warning: '}{self.what}. {self.remedy}."


def main(argv=None):
    """Print the findings for the given notebooks, or for all; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.lint", description=__doc__)
    parser.add_argument("notebooks", nargs="*", help="numbers or files; all if none is given")
    try:
        paths = sync.find(parser.parse_args(argv).notebooks)
    except CourseError as problem:
        sys.exit(str(problem))
    findings = [finding for path in paths for finding in lint(path)]
    print(*findings, sep="\n", end="\n" if findings else "")
    failed = sum(finding.fatal for finding in findings)
    print(f"notebooks: {len(paths)}, faults: {failed}, warnings: {len(findings) - failed}")
    return int(failed > 0)


def lint(path):
    """Return the list of :class:`Finding` for the notebook at ``path``."""
    notebook = sync.read(path)
    findings = []
    for rule in RULES:
        for cell, what, remedy, *fatal in rule(notebook, path):
            findings.append(Finding(path.name, cell, what, remedy, *fatal))
    return sorted(findings, key=lambda finding: finding.cell or 0)


def file_format(notebook, path):
    """Yield the faults of the file format, of cell ids and of sizes in bytes."""
    if (notebook.nbformat, notebook.nbformat_minor) != (4, 5):
        yield None, "the notebook's format is not 4.5", "Save it with JupyterLab 4"
    ids = Counter(cell.get("id") for cell in notebook.cells)
    for number, cell in enumerate(notebook.cells, start=1):
        if ids[cell.get("id")] > 1 or not cell.get("id"):
            yield number, f"the cell id {cell.get('id')!r} is missing or not unique", "Change it"
    size = path.stat().st_size
    if size > MAX_NOTEBOOK_BYTES:
        remedy = f"At most {MAX_NOTEBOOK_BYTES:,}: draw smaller or fewer figures"
        yield None, f"{size:,} bytes", remedy
    widgets = len(json.dumps(notebook.metadata.get("widgets", {})))
    if widgets > MAX_WIDGET_BYTES:
        remedy = f"At most {MAX_WIDGET_BYTES:,}: show a figure in place of the widget's state"
        yield None, f"{widgets:,} bytes of widget state", remedy


def parameters(notebook, path):
    """Yield the faults of the cell after which papermill injects parameters."""
    cells = [n for n, cell in enumerate(notebook.cells, start=1) if "parameters" in _tags(cell)]
    if len(cells) != 1:
        yield None, f"{len(cells)} cells with the tag parameters", "There must be exactly one"
        return
    values = {}
    for node in ast.parse(notebook.cells[cells[0] - 1].source).body:
        try:
            (name,) = node.targets
            values[name.id] = ast.literal_eval(node.value)
        except (AttributeError, ValueError):
            yield cells[0], f"{ast.unparse(node)!r} is not name = plain value", "Move it down"
    if set(values) != set(PARAMETERS):
        yield cells[0], f"parameters {sorted(values)}", f"They must be {sorted(PARAMETERS)}"
    if values.get("preset") != PRESET:
        yield cells[0], f"preset = {values.get('preset')!r}", f"The default is {PRESET!r}"
    given = [ast.unparse(word) for _, call in calls(notebook, "setup") for word in call.keywords]
    if not {f"{name}={name}" for name in PARAMETERS} <= set(given):
        remedy = "Hand every parameter over by its name: setup(preset=preset, ...)"
        yield cells[0], f"setup is called with ({', '.join(given)})", remedy


def sizes(notebook, path):
    """Yield what is too long or too short: the lesson, its cells, series of code cells."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    measured = {
        "cells": len(notebook.cells),
        "code lines": sum(map(code_lines, code)),
        "words": sum(map(_words, prose)),
    }
    for what, value in measured.items():
        (low, high), (lowest, highest) = SIZES[what]
        if not low <= value <= high:
            remedy = f"A lesson has {low:,} to {high:,}"
            yield None, f"{value:,} {what}", remedy, not lowest <= value <= highest
    in_a_row = 0
    for number, cell in enumerate(notebook.cells, start=1):
        in_a_row = in_a_row + 1 if cell.cell_type == "code" else 0
        if in_a_row == MAX_CODE_CELLS_IN_A_ROW + 1:
            yield number, f"{in_a_row} code cells in a row", "Put text between them"
        if not cell.source.strip():
            yield number, "the cell is empty", "Delete it"
        most = MAX_SYNCED_LINES if sync.objects(cell) else MAX_CELL_LINES
        if cell.cell_type == "code" and (lines := code_lines(cell.source)) > most:
            yield number, f"{lines} lines of code", f"At most {most}: split the cell"


def text(notebook, path):
    """Yield the faults of headings, links, pictures and white space."""
    level = 0
    for number, cell in enumerate(notebook.cells, start=1):
        for line in cell.source.splitlines():
            if line != line.rstrip():
                yield number, f"white space at the end of {line.strip()!r}", "Delete it"
        if cell.cell_type != "markdown":
            continue
        prose = FENCE.sub("", cell.source)
        for marks in re.findall(r"^(#+) ", prose, re.MULTILINE):
            if (len(marks) == 1) != (level == 0):
                yield number, "the first heading, and no other, must be an H1", "Change its level"
            elif len(marks) > level + 1:
                yield number, f"H{len(marks)} follows H{level}", f"Make it H{level + 1}"
            level = len(marks)
        for image, alt, target in LINK.findall(prose):
            if image and not alt.strip():
                yield number, f"{target} has no alternative text", "Describe it: ![text](file)"
            file = target.partition("#")[0]
            if file and not re.match(r"\w+:", file) and not (path.parent / file).exists():
                yield number, f"the link names {file}, which does not exist", "Correct or delete it"
    if level == 0:
        yield None, "the notebook has no heading", "Start with a title: # ..."
    for number, (cell, follower) in enumerate(
        zip(notebook.cells, [*notebook.cells[1:], {}], strict=True), start=1
    ):
        if _has_picture(cell) and follower.get("cell_type") != "markdown":
            yield number, "no text follows the picture", "Say what to see in it", False


def pictures(notebook, path):
    """Yield the figures that show small pictures too small; the kernel writes the sides."""
    for number, cell in enumerate(notebook.cells, start=1):
        for output in cell.get("outputs", []):
            for shown in output.get("metadata", {}).values():
                side = shown.get("tile", LEAST) if isinstance(shown, dict) else LEAST
                if side < LEAST:
                    remedy = f"At least {LEAST}: make the figure larger, or draw fewer"
                    yield number, f"pictures of {side:g} pixels a side", remedy


def run(notebook, path):
    """Yield the signs that the outputs are not those of one run of all cells in order."""
    preset = notebook.metadata.get("gancourse", {}).get("preset")
    if preset != PRESET:
        yield None, f"the outputs are of preset {preset!r}, not {PRESET!r}", _refresh(path)
    if "papermill" in notebook.metadata:
        yield None, "papermill's metadata is in the file", _refresh(path)
    code = [(n, cell) for n, cell in enumerate(notebook.cells, 1) if cell.cell_type == "code"]
    for position, (number, cell) in enumerate(code, start=1):
        if "injected-parameters" in _tags(cell) or "papermill" in cell.metadata:
            yield number, "the cell holds papermill's metadata", _refresh(path)
        if cell.execution_count is None:
            yield number, "the cell has not been executed", _refresh(path)
        elif cell.execution_count != position:
            what = f"code cell {position} was executed as number {cell.execution_count}"
            yield number, what, _refresh(path)
        for output in cell.outputs:
            if output.output_type == "error":
                yield number, f"the cell failed: {output.ename}: {output.evalue}", "Mend it"
    if not any(cell.outputs for _, cell in code):
        yield None, "the notebook has no outputs", _refresh(path)


def local_paths(notebook, path):
    """Yield the paths of a particular machine in sources and outputs."""
    for number, cell in enumerate(notebook.cells, start=1):
        for where, content in [("source", cell.source), *_output_texts(cell)]:
            for found in sorted(set(LOCAL_PATH.findall(content))):
                remedy = "Print a relative path, or none"
                yield number, f"the {where} has the local path {found}", remedy


def code_lines(source):
    """Return how many lines of a file or a cell hold code.

    Blank lines, comments and docstrings don't count, so that no cap asks for fewer of them.
    """
    source = python(source)
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    docstrings = {
        (node.body[0].lineno, node.body[0].col_offset)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, documented) and ast.get_docstring(node) is not None
    }
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NO_CODE and token.start not in docstrings:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines)


def python(source):
    """Return the source of a cell with its magics, such as ``%time``, as calls of functions."""
    return TransformerManager().transform_cell(source)


def calls(notebook, name):
    """Yield the cell and the syntax tree of each call of ``name(...)`` in the notebook."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and f"{name}(" in cell.source:
            for node in ast.walk(ast.parse(python(cell.source))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == name:
                    yield cell, node


RULES = (file_format, parameters, sizes, text, pictures, run, local_paths)


def _tags(cell):
    return cell.metadata.get("tags", [])


def _words(source):
    prose = NOT_WORDS.sub(" ", FENCE.sub(" ", source))
    return sum(bool(re.search(r"\w", word)) for word in prose.split())


def _has_picture(cell):
    kinds = [output.get("data", {}) for output in cell.get("outputs", [])]
    return any("image/png" in data or "image/jpeg" in data for data in kinds)


def _output_texts(cell):
    for output in cell.get("outputs", []):
        if "text" in output:
            yield "output", output.text
        for kind, value in output.get("data", {}).items():
            if kind not in ("image/png", "image/jpeg"):
                yield f"output ({kind})", value if isinstance(value, str) else json.dumps(value)


def _refresh(path):
    return f"Run: python -m tools.refresh {path.name.partition('_')[0]}"


if __name__ == "__main__":
    sys.exit(main())
