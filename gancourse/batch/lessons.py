"""A lesson as a file: where it lies, its parameters, and the claims that its outputs hold."""

import ast
import re
from pathlib import Path

import nbformat

import gancourse
from gancourse.errors import CourseError, choose

PARAMETERS = ("preset", "seed", "device", "data", "out_dir")  # of every lesson of the course
PRESETS = ("smoke", "laptop", "paper")  # from the smallest to the largest
DEFAULT_PRESET = "laptop"
CLAIM = "application/vnd.gancourse.claim+json"  # the MIME type of what claim() records


def folder():
    """Return the folder of the lessons: the checkout's notebooks/, or a wheel's copy of it."""
    package = Path(gancourse.__file__).parent
    places = (package.parent / "notebooks", package / "_shipped" / "notebooks")
    return next((place for place in places if any(place.glob("[0-9]*.ipynb"))), places[0])


def by_number():
    """Return the course's lessons in order: ``{"01": Path(".../01_vanilla_gan.ipynb"), ...}``."""
    return {path.name.split("_")[0]: path for path in sorted(folder().glob("[0-9]*_*.ipynb"))}


def find(names):
    """Return the notebooks that the user named.

    Parameters
    ----------
    names : list of str
        Numbers ("01", "1"), names ("vanilla_gan", "01_vanilla_gan"), "all", or paths of
        notebooks outside the course (ending in .ipynb).

    Returns
    -------
    list of Path
        Each once, in the order in which they were named.

    Raises
    ------
    CourseError
        If there is no such lesson (the message lists those that there are), or if two
        notebooks share a name, under which both outputs would be written.
    """
    known = by_number()
    found = []
    for name in names:
        if name == "all":
            if not known:
                raise CourseError(f"there is no lesson in {folder()}.")
            found += known.values()
        elif name.endswith(".ipynb"):
            if not Path(name).is_file():
                raise CourseError(f"there is no notebook {name}.")
            found.append(Path(name).resolve())
        else:
            match = [
                path
                for number, path in known.items()
                if name.zfill(2) == number or name in (path.stem, path.stem.partition("_")[2])
            ]
            found += match or [choose("lesson", name, [*(p.stem for p in known.values()), "all"])]
    found = list(dict.fromkeys(found))
    stems = [path.stem for path in found]
    twice = next((stem for stem in stems if stems.count(stem) > 1), None)
    if twice:
        raise CourseError(f"two of the notebooks are named {twice}; run them one at a time.")
    return found


def read(path):
    """Read a notebook.

    Raises
    ------
    CourseError
        If the file is not a notebook.
    """
    try:
        return nbformat.read(path, as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, KeyError) as error:
        raise CourseError(f"{path} is not a notebook: {str(error).splitlines()[0]}") from error


def parameters(notebook):
    """Return the names and defaults of a lesson's parameters, as a dict.

    They are the plain assignments in the cell tagged ``parameters``. We parse the cell ourselves,
    because papermill's inspection fails on a line with an ``=`` in its comment.
    """
    cell = next((c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])), None)
    return {
        line.targets[0].id: ast.literal_eval(line.value)
        for line in (ast.parse(cell.source).body if cell else [])
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name)
    }


def claims(notebook):
    """Return what a notebook's ``claim`` calls recorded, in order.

    Returns
    -------
    list of dict
        ``text``, ``holds`` (None where the preset is too small to judge it) and ``value``.
    """
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    found = [out["data"][CLAIM] for out in outputs if CLAIM in out.get("data", {})]
    return [{name: claim.get(name) for name in ("text", "holds", "value")} for claim in found]


def title(notebook, otherwise):
    """Return the first heading of a notebook as plain text, or ``otherwise``."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    heading = re.search(r"^#+\s+(.+?)\s*$", text, re.MULTILINE)
    return re.sub(r"[*`]", "", heading[1]) if heading else otherwise
