"""Write source of the package into the tagged cells of the notebooks: ``make sync``.

A code cell with the tag ``sync:gancourse.gans.vanilla.train_step`` holds the source of that
function; a cell with several such tags holds the sources one after the other. ``--check`` writes
nothing and fails if a cell differs from the package.
"""

import argparse
import ast
import difflib
import sys
from pathlib import Path

import nbformat

from gancourse.errors import CourseError
from gancourse.files.writing import write_atomically

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"


def main(argv=None):
    """Update the given notebooks, or all; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.sync", description=__doc__)
    parser.add_argument("notebooks", nargs="*", help="numbers or files; all if none is given")
    parser.add_argument("--check", action="store_true", help="only list the cells that differ")
    options = parser.parse_args(argv)
    drifted = 0
    try:
        for path in find(options.notebooks):
            notebook = read(path)
            for number, cell, source in drift(notebook, path.name):
                drifted += 1
                print(f"{path.name} cell {number}: {', '.join(objects(cell))}")
                if options.check:
                    print(_difference(cell.source, source))
                if not same_code(cell.source, source):
                    cell.update(outputs=[], execution_count=None)
                cell.source = source
            if not options.check:
                write(path, notebook)
    except CourseError as problem:
        sys.exit(str(problem))
    if options.check and drifted:
        print(f"cells that differ: {drifted}. Change the package, not the cell, then: make sync")
    return int(options.check and drifted > 0)


def find(names=()):
    """Return the paths of notebooks, given as files, numbers such as "1", or "all"."""
    paths = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    by_number = {str(int(path.name[:2])): path for path in paths}
    if not names or "all" in names:
        return paths
    found = []
    for name in names:
        path = by_number.get(name.lstrip("0"), Path(name))
        if not path.is_file():
            raise CourseError(f"no notebook {name!r}; there are: {', '.join(by_number)}, all")
        found.append(path)
    return found


def read(path):
    """Return the notebook in a file; ``nbformat.read`` would silently correct some faults."""
    return nbformat.v4.reads(path.read_text(encoding="utf-8"))


def write(path, notebook):
    """Write a notebook in JupyterLab's format, but only if that changes the file."""
    text = nbformat.v4.writes(notebook).rstrip("\n") + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_atomically(path, text.encode())


def objects(cell):
    """Return the dotted names in the cell's ``sync:`` tags."""
    tags = cell.metadata.get("tags", [])
    return [tag.removeprefix("sync:") for tag in tags if tag.startswith("sync:")]


def drift(notebook, name):
    """Yield the number (from 1), the cell and the new source of each cell that has to change."""
    for number, cell in enumerate(notebook.cells, start=1):
        if not objects(cell):
            continue
        try:
            source = "\n\n\n".join(source_of(dotted) for dotted in objects(cell))
        except CourseError as problem:
            raise CourseError(f"{name} cell {number}: {problem}") from None
        if cell.source != source:
            yield number, cell, source


def same_code(source, other):
    """Return whether two sources differ in comments and docstrings alone.

    What a cell printed is then still what it prints.
    """
    try:
        one, two = (ast.parse(text) for text in (source, other))
    except SyntaxError:
        return False
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in (*ast.walk(one), *ast.walk(two)):
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            node.body[0].value.value = ""
    return ast.dump(one) == ast.dump(two)


def source_of(dotted):
    """Return the source of a function or class, such as ``gancourse.gans.vanilla.train_step``.

    The file is read and not imported, which would take seconds.

    Raises
    ------
    CourseError
        If there is no such module or object. The message suggests similar names.
    """
    module, _, name = dotted.rpartition(".")
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    if not path.is_file():
        raise CourseError(f"sync:{dotted}: there is no module {module}")
    text = path.read_text(encoding="utf-8")
    definitions = {
        node.name: node
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    if name not in definitions:
        near = difflib.get_close_matches(name, definitions, n=3, cutoff=0.4) or definitions
        raise CourseError(
            f"sync:{dotted}: {module} has no function or class {name!r}; did you mean: "
            f"{', '.join(near)}?"
        )
    node = definitions[name]
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])


def _difference(cell, package):
    lines = difflib.unified_diff(cell.splitlines(), package.splitlines(), "cell", "package", n=1)
    return "\n".join(f"    {line.rstrip()}" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
