"""The rooms of the package, and the direction of imports between them."""

import ast
import re
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gancourse"

# The rooms of gancourse/, folders and files, from the top down, and which rooms each may import.
# "__init__" is the package itself: its version, and `pretrained`.
ROOMS = {
    "__main__": "cli",
    "cli": "doctor batch bench runs __init__ trained training data plotting files errors",
    "lesson": "batch __init__ exercises training data plotting files errors",
    "doctor": "batch files errors",
    "batch": "__init__ training data files errors",
    "bench": "runs trained gans metrics training data fields files errors",
    "runs": "trained gans training data fields files errors",
    "__init__": "trained",
    "exercises": "gans training data errors",
    "widgets": "data latent plotting files errors",
    "trained": "gans training metrics data plotting fields files errors",
    "gans": "training fields files errors",
    "training": "plotting fields files errors",
    "metrics": "data toons files errors",
    "data": "toons fields files errors",
    "toons": "errors",
    "filters": "errors latent",
    "latent": "errors",
    "plotting": "files",
    "fields": "files errors",
    "files": "errors",
    "errors": "",
}


def modules():
    """Return the files of the package by the room in which each stands."""
    rooms = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        rooms.setdefault(name, []).append(path)
    return rooms


def imported(source, package):
    """Yield the line and the dotted name of everything that a module imports.

    ``package`` is the dotted name of the package in which the module lies.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: 1 - node.level or None] if node.level else []
            module = ".".join([*parents, *filter(None, [node.module])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def room_of(dotted):
    """Return the room of an imported name, or None if it is not of the package."""
    top, *names = dotted.split(".")
    if top != "gancourse":
        return None
    name = names[0] if names else "__init__"
    return name if name in modules() else "__init__"


def all_imports(paths):
    """Yield place and dotted name of every import in some files of the package."""
    for path in paths:
        package = ".".join(path.relative_to(ROOT).parent.parts)
        for line, dotted in imported(path.read_text(encoding="utf-8"), package):
            yield f"{path.relative_to(ROOT)}:{line}", dotted


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_that_it_may(room):
    may = {room, *ROOMS[room].split()}
    rooms = ((place, room_of(dotted)) for place, dotted in all_imports(modules().get(room, [])))
    assert [f"{place} imports {other}" for place, other in rooms if other not in {None, *may}] == []


def test_no_room_may_import_one_above_it():
    order = dict(zip(ROOMS, count()))
    assert [
        (room, other)
        for room, others in ROOMS.items()
        for other in others.split()
        if order[other] <= order[room]
    ] == []


def test_the_package_imports_no_other_folder_of_the_project():
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()} - {PACKAGE.name}
    paths = PACKAGE.rglob("*.py")
    assert [place for place, dotted in all_imports(paths) if dotted.split(".")[0] in folders] == []


def test_every_room_stands_in_the_table():
    assert sorted(modules()) == sorted(ROOMS)


def test_contributing_shows_the_rooms_in_their_order():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    layout = text.partition("## Layout\n")[2].partition("\n## ")[0]
    shown = re.findall(r"^ {4}gancourse/(\w+)(?:/|\.py) ", layout, re.MULTILINE)
    assert shown == [room for room in ROOMS if not room.startswith("__")]


def test_a_lesson_imports_nothing_slow_that_it_may_not_need():
    slow = {"torchvision", "torchmetrics", "torch._dynamo", "scipy.optimize", "nbformat", "dask"}
    code = (
        "from gancourse import lesson, metrics, trained, widgets; import sys; print(*sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert slow & set(ended.stdout.split()) == set()


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import gancourse.data.toons as t, os", ["gancourse.data.toons", "os"]),
        ("from gancourse import data, toons", ["gancourse.data", "gancourse.toons"]),
        ("from gancourse.data.images import same", ["gancourse.data.images.same"]),
        ("from . import ema", ["gancourse.training.ema"]),
        ("from .ema import EMA", ["gancourse.training.ema.EMA"]),
        ("from .. import data", ["gancourse.data"]),
        ("from ..data.images import same", ["gancourse.data.images.same"]),
        ("def f():\n    if True:\n        import gancourse.cli", ["gancourse.cli"]),
    ],
)
def test_every_form_of_import_is_seen(source, names):
    assert [name for _, name in imported(source, "gancourse.training")] == names
