"""Measure how long a reader waits: for the import, for an explorer, for each of its controls.

    python -m tools.waits        # all lessons; python -m tools.waits 2 9 for some

Each lesson is executed in the smoke preset, by a kernel of one thread, as if a person sent its
cells. Seconds are those in which the kernel computed, so that other programs hardly change them;
the browser's are not among them. The result is benchmarks/results/waits-cpu.json, which
``python -m benchmarks.report`` shows.
"""

import argparse
import contextlib
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import ipywidgets
import torch
from jupyter_client.manager import start_new_kernel

from gancourse import bench
from gancourse.bench.machine import Origin, origin
from gancourse.errors import CourseError
from gancourse.widgets.explorer import WIDGET_VIEW, Explorer
from tools import sync

OUT = sync.ROOT / "benchmarks" / "results" / "waits-cpu.json"
IMPORTS = 9  # pairs of processes, with the course and with PyTorch alone
MOVES = 4  # of each control
SLIDERS = ipywidgets.FloatSlider, ipywidgets.IntSlider
CHOICES = ipywidgets.SelectionSlider, ipywidgets.Dropdown, ipywidgets.ToggleButtons
BEGIN = "import time as _time; from tools import waits as _waits; _begin = _time.process_time()"
NOTE = "_waits.note({path!r}, _time.process_time() - _begin)"


@dataclass(frozen=True, kw_only=True)
class Wait:
    """One explorer of a lesson."""

    lesson: str
    widget: str
    first: float  # seconds from the start of the cell until it is shown
    moves: dict[str, float]  # by control, and "redraw": the median over its moves, in milliseconds


@dataclass(frozen=True, kw_only=True)
class Waits:
    """All that was measured."""

    origin: Origin
    imports: float  # seconds that ``import gancourse`` adds to ``import torch``, the median
    rows: list[Wait]


def main(argv=None):
    """Measure the given lessons, or all, and write the file."""
    parser = argparse.ArgumentParser(prog="python -m tools.waits", description=__doc__)
    parser.add_argument("notebooks", nargs="*", help="numbers or files; all if none is given")
    parser.add_argument("--out", type=Path, default=OUT, help="the JSON file")
    options = parser.parse_args(argv)
    try:
        known = bench.kept(options.out, Waits)
        where = origin(torch.device("cpu"))
        rows = {} if known is None else {(row.lesson, row.widget): row for row in known.rows}
        imports = of_import()
        print(f"import gancourse: {imports:.2f} s beyond PyTorch")
        for path in sync.find(options.notebooks):
            rows = {key: row for key, row in rows.items() if key[0] != path.stem}
            for row in of_lesson(path):
                rows[row.lesson, row.widget] = row
                slowest = max(row.moves, key=row.moves.get)
                print(
                    f"{row.lesson}: {row.widget} after {row.first:.2f} s; slowest control: "
                    f"{slowest}, {row.moves[slowest]:.0f} ms",
                    flush=True,
                )
            found = [rows[key] for key in sorted(rows)]
            bench.write(options.out, Waits(origin=where, imports=imports, rows=found))
    except CourseError as problem:
        sys.exit(str(problem))


def of_import(pairs=IMPORTS):
    """Return how many seconds of a core ``import gancourse`` adds to ``import torch``."""

    def seconds(code):
        before = os.times()
        subprocess.run([sys.executable, "-c", code], check=True, cwd=sync.ROOT)
        after = os.times()
        return sum(after[2:4]) - sum(before[2:4])  # of children

    alone, both = "import torch", "import torch, gancourse"
    return statistics.median(seconds(both) - seconds(alone) for _ in range(pairs))


def of_lesson(path):
    """Execute a lesson as a person does, and return the :class:`Wait` of each explorer in it.

    Raises
    ------
    CourseError
        If a cell fails.
    """
    rows = []
    with kernel(path.parent) as run, tempfile.TemporaryDirectory() as folder:
        noted = Path(folder) / "noted.json"
        for i, cell in enumerate(sync.read(path).cells):
            if cell.cell_type != "code":
                continue
            run(BEGIN)
            if run(cell.source, f"{path.name}, cell {i}"):
                run(NOTE.format(path=str(noted)), f"the explorer in {path.name}, cell {i}")
                seconds, found = json.loads(noted.read_text())
                rows += [
                    Wait(lesson=path.stem, widget=name, first=seconds, moves=moves)
                    for name, moves in found
                ]
    return rows


@contextlib.contextmanager
def kernel(folder):
    """Start a kernel of one thread; yield ``run(code, what)``, which says if a widget was shown."""
    setting = {"GANCOURSE_PRESET": "smoke", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(sync.ROOT)}
    quiet = ["--IPKernelApp.log_level=CRITICAL"]
    manager, client = start_new_kernel(
        startup_timeout=180,
        cwd=str(folder),
        env=os.environ | setting,
        extra_arguments=quiet,
        stderr=subprocess.DEVNULL,
    )

    def run(code, what="a kernel"):
        shown = []

        def take(message):
            content = message["content"]
            if message["msg_type"] == "error":
                raise CourseError(f"{what} failed: {content['ename']}: {content['evalue']}")
            shown.extend(part for part in content.get("data", ()) if part == WIDGET_VIEW)

        # A person can answer input(): by that an explorer knows that it may be live.
        client.execute_interactive(code, allow_stdin=True, output_hook=take, store_history=False)
        return bool(shown)

    try:
        yield run
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def note(path, seconds, seen=set()):  # noqa: B006 - it is to last
    """Move the controls of the explorers that are new in this process; write it all into a file."""
    found = []
    for tool in [thing for thing in gc.get_objects() if isinstance(thing, Explorer)]:
        if tool._ui is not None and id(tool) not in seen:
            seen.add(id(tool))
            found.append((type(tool).__name__, moved(tool)))
    Path(path).write_text(json.dumps([seconds, found]))


def moved(tool):
    """Move each control of an explorer a few times, and put it back; return the times.

    Parameters
    ----------
    tool : Explorer

    Returns
    -------
    dict of str to float
        The median time of its moves in milliseconds, by the name of the control, and that of
        drawing again as "redraw", which is what strokes and clicks on a canvas cause.

    Raises
    ------
    CourseError
        If the explorer shows an error that is none of its reader's.
    """
    times = {"redraw": [milliseconds(tool.redraw) for _ in range(MOVES)]}
    for control in parts_of(tool.ui):
        if isinstance(control, SLIDERS):
            name, last = "value", control.value
            share = (control.max - control.min) / (MOVES + 1)
            places = [control.min + (i + 1) * share for i in range(MOVES)]
            whole = isinstance(control, ipywidgets.IntSlider)
            places = [round(place) for place in places] if whole else places
        elif isinstance(control, CHOICES):
            name, last = "index", control.index
            places = range(min(MOVES + 1, len(control.options)))
        elif isinstance(control, ipywidgets.Checkbox):
            name, last, places = "value", control.value, [not control.value]
        else:
            continue
        spent = []
        for place in places:
            if place != getattr(control, name):
                spent.append(milliseconds(setattr, control, name, place))
        setattr(control, name, last)
        if spent:
            times[control.description or type(control).__name__] = spent
    if tool.problem.value and "CourseError" not in tool.problem.value:
        raise CourseError(f"{type(tool).__name__} shows: {tool.problem.value}")
    return {name: round(statistics.median(spent), 2) for name, spent in times.items()}


def parts_of(widget):
    """Yield a widget and all within it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts_of(child)


def milliseconds(work, *arguments):
    """Return how many milliseconds of a core a call takes."""
    begin = time.process_time()
    work(*arguments)
    return 1e3 * (time.process_time() - begin)


if __name__ == "__main__":
    main()
