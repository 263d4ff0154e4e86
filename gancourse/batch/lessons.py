"""A lesson as a file: where it lies, what a run left in it, the claims that its outputs hold."""

import hashlib
import json
import math
import os
import re
import unicodedata
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import gancourse
from gancourse.errors import CourseError, choose, printable
from gancourse.files import paths, schema

PARAMETERS = ("preset", "seed", "device", "data", "out_dir")  # of every lesson of the course
PRESETS = ("smoke", "laptop", "paper")  # from the smallest to the largest
DEFAULT_PRESET = "laptop"
SHOWN = ("display_data", "execute_result", "update_display_data")  # outputs that have data
# Metadata that a program writes, and no reader: of a notebook and of its cells.
OF_PROGRAMS = {"gancourse", "papermill", "kernelspec", "language_info", "widgets", "toc"}
OF_PROGRAMS |= {"orig_nbformat", "orig_nbformat_minor", "accelerator", "jupytext", "celltoolbar"}
OF_EDITORS = {"papermill", "execution", "ExecuteTime", "executionInfo", "trusted", "collapsed"}
OF_EDITORS |= {"scrolled", "jupyter", "jp-MarkdownHeadingCollapsed", "vscode", "pycharm", "colab"}
OF_EDITORS |= {"id", "outputId"}
CLAIM = "application/vnd.gancourse.claim+json"  # the MIME type of what claim() records
MAX_NOTEBOOK = 200 * 2**20  # bytes of a notebook that is read
MAX_TITLE = 200  # characters


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What happened in a run; an executed notebook holds it as ``metadata.gancourse.run``.

    Attributes
    ----------
    status : {"done", "failed", "interrupted"}
    error : str
        Why it failed.
    cells : tuple of int
        How many code cells were executed, and how many there are.
    seconds : float
    preset : str
    parameters : dict
        The values that were injected.
    notes : list of str
        What the reader should know besides.
    left : str
        The :func:`fingerprint` of the notebook that the run left.
    lesson : str
        The file name of the notebook that was run; that of the output may be another.
    """

    status: Literal["done", "failed", "interrupted"]
    error: str
    cells: tuple[int, int]
    seconds: float
    preset: str
    parameters: dict[str, object]
    notes: list[str] = field(default_factory=list)
    left: str = ""
    lesson: str = ""


@dataclass(frozen=True)
class Claim:
    """A statement of a lesson, as ``claim`` records it."""

    text: str
    holds: bool | None
    value: bool | int | float | str | None = None


@dataclass(frozen=True)
class _Notebook:
    """What nbformat needs in order to say what is wrong with the rest."""

    nbformat: int


def folder():
    """Return the folder of the lessons: the checkout's notebooks/, or a wheel's copy of it."""
    package = Path(gancourse.__file__).parent
    places = (package.parent / "notebooks", package / "_shipped" / "notebooks")
    return next((place for place in places if any(place.glob("[0-9]*.ipynb"))), places[0])


def by_number():
    """Return the course's lessons in order: ``{"01": Path(".../01_vanilla_gan.ipynb"), ...}``."""
    found = {}
    # The shortest name comes first: a copy is not the lesson.
    for path in sorted(folder().glob("[0-9]*_*.ipynb"), key=lambda path: path.stem):
        found.setdefault(path.name.split("_")[0], path)
    return found


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
            if not os.path.isfile(name):
                raise CourseError(f"there is no notebook {printable(name)}.")
            found.append(Path(name).resolve())
        else:
            match = [
                path
                for number, path in known.items()
                if name.zfill(2) == number or name in (path.stem, path.stem.partition("_")[2])
            ]
            found += match or [choose("lesson", name, [*(p.stem for p in known.values()), "all"])]
    found = list(dict.fromkeys(found))
    # Some file systems do not tell capital letters, or two ways to write an accent, apart.
    stems = [unicodedata.normalize("NFC", path.stem).casefold() for path in found]
    twice = next((stem for stem in stems if stems.count(stem) > 1), None)
    if twice:
        raise CourseError(
            f"two of the notebooks are named {printable(twice)}; run them one at a time."
        )
    return found


def read(path):
    """Read a notebook of any version of the format, as the newest.

    What has a wrong shape is dropped: metadata, outputs of a text, data of an output that has none.

    Raises
    ------
    CourseError
        If the file cannot be read or is not a notebook.
    """
    shown = printable(path)
    try:
        size = os.path.getsize(path)
        if size > MAX_NOTEBOOK:
            raise CourseError(
                f"{shown} has {size / 2**20:.0f} MB; a notebook has at most "
                f"{MAX_NOTEBOOK >> 20}. Clear its outputs."
            )
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CourseError(f"cannot read {shown}: {paths.reason(error)}.") from error
    except UnicodeDecodeError as error:
        raise CourseError(f"{shown} is not a notebook: it is no UTF-8 text.") from error
    return parse(text, shown)


def parse(text, shown):
    """Return the notebook that a text holds; see :func:`read`.

    Parameters
    ----------
    text : str
    shown : str
        What it is, for messages.
    """
    schema.read(_Notebook, text, f"{shown} is not a notebook", CourseError)
    import nbformat  # takes a second to import, and a lesson that runs needs none of it

    try:
        return _repaired(nbformat.convert(nbformat.reader.reads(text), 4))
    except Exception as error:  # nbformat has no class for the shapes that it does not expect
        why = printable(str(error).strip().partition("\n")[0] or type(error).__name__)
        raise CourseError(f"{shown} is not a valid notebook: {why}") from error


def _repaired(notebook):
    """Return a valid notebook of the newest minor version, without what has a wrong shape."""
    import nbformat

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a cell has no id, which it gets here
        notebook = nbformat.v4.upgrade(notebook)
        _, notebook = nbformat.validator.normalize(
            notebook, relax_add_props=True, strip_invalid_metadata=True
        )
        nbformat.validate(notebook, relax_add_props=True)
    for name in ("gancourse", "papermill"):
        if not isinstance(notebook.metadata.get(name, {}), dict):
            del notebook.metadata[name]
    for cell in notebook.cells:
        if cell.cell_type != "code":
            cell.pop("outputs", None)
        for output in cell.get("outputs", []):
            if output.output_type not in SHOWN:
                output.pop("data", None)
    return notebook


def outcome(notebook):
    """Return what happened in the run that left a notebook; None if no run of the course did."""
    found = notebook.metadata.get("gancourse", {}).get("run")
    try:
        return None if found is None else schema.read(Outcome, found, "the run", CourseError)
    except CourseError:
        return None


def fingerprint(notebook):
    """Return a digest of what a reader can change in a notebook: sources, metadata and outputs."""
    cells = [
        [
            cell.cell_type,
            cell.source,
            cell.get("attachments"),
            {"tags": [], **_without(cell.metadata, OF_EDITORS)},
            [{**output, "execution_count": None} for output in cell.get("outputs", [])],
        ]
        for cell in notebook.cells
    ]
    whole = [cells, _without(notebook.metadata, OF_PROGRAMS | OF_EDITORS)]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def _without(metadata, keys):
    return {key: value for key, value in metadata.items() if key not in keys}


def sources(notebook):
    """Return kind, source and attachments of each cell, but for what papermill has injected."""
    return [
        (cell.cell_type, cell.source, cell.get("attachments") or {})
        for cell in notebook.cells
        if "injected-parameters" not in cell.metadata.get("tags", [])
    ]


def claims(notebook):
    """Return what a notebook's ``claim`` calls recorded, in order.

    Returns
    -------
    claims : list of Claim
        ``holds`` is None where the preset is too small to judge it. A ``value`` that JSON does
        not have, such as infinity, is text.
    problems : list of str
        What has the MIME type of a claim and is none.
    """
    found, problems = [], []
    for number, cell in enumerate(notebook.cells, start=1):
        for output in cell.get("outputs", []):
            bundle = output.get("data", {}).get(CLAIM)
            if bundle is None:
                continue
            try:
                claim = schema.read(Claim, bundle, f"a claim of cell {number}", CourseError)
            except CourseError as error:
                problems.append(str(error))
                continue
            if isinstance(claim.value, float) and not math.isfinite(claim.value):
                claim = replace(claim, value=str(claim.value))
            found.append(claim)
    return found, problems


def title(notebook, otherwise):
    """Return the first heading of a notebook as plain text, or ``otherwise``."""
    for cell in notebook.cells:
        for line in cell.source.splitlines() if cell.cell_type == "markdown" else ():
            heading = re.match(r"#+\s+(\S.*)", line[:MAX_TITLE])
            if heading:
                return re.sub(r"[*`]", "", heading[1]).rstrip()
    return otherwise
