"""Execute notebooks in a new kernel and write the outputs into them: ``make refresh``.

The sources do not change, and a notebook with a failing cell does not change at all. The
notebook's metadata records the run under "gancourse".
"""

import argparse
import datetime
import os
import sys
import tempfile
import time

import torch
from papermill.exceptions import PapermillExecutionError

from gancourse.batch import kernel
from gancourse.batch.execute import preset_variable_unset
from gancourse.batch.lessons import PRESETS
from gancourse.doctor import measure_speed
from gancourse.errors import CourseError, choose
from gancourse.training.runtime import find_device
from tools import sync


def main(argv=None):
    """Refresh the given notebooks, or all; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.refresh", description=__doc__)
    parser.add_argument("notebooks", nargs="*", help="numbers or files; all if none is given")
    parser.add_argument("--preset", default="laptop", help="smoke, laptop (default) or paper")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--time", metavar="PRESET", help="only measure the time of this preset")
    options = parser.parse_args(argv)
    preset = options.time or options.preset
    failed = 0
    try:
        choose("preset", preset, PRESETS)
        for path in sync.find(options.notebooks):
            try:
                seconds = refresh(path, preset, options.seed, outputs=not options.time)
            except (PapermillExecutionError, RuntimeError, OSError) as problem:
                failed += 1
                print(f"{path.name}: not changed, because it did not run to its end\n{problem}")
            else:
                size = path.stat().st_size / 1e6
                print(f"{path.name}: {preset}, {seconds:.1f} s, {size:.2f} MB", flush=True)
    except CourseError as problem:
        sys.exit(str(problem))
    return int(failed > 0)


def refresh(path, preset="laptop", seed=0, *, outputs=True):
    """Execute a notebook, and write its outputs and a record of the run into the file.

    Parameters
    ----------
    path : pathlib.Path
        The notebook.
    preset, seed
        The parameters that are injected.
    outputs : bool
        Write the new outputs; otherwise write only the time of the run.

    Returns
    -------
    float
        The time of the run in seconds, including the start of the kernel. On a CPU that has other
        work too, the time that the kernel computed.

    Raises
    ------
    papermill.exceptions.PapermillExecutionError
        If a cell fails. Nothing is written.
    CourseError
        If the file changed during the run. Nothing is written.
    """
    before = path.read_text(encoding="utf-8")
    device = find_device("auto")
    started, computed = time.perf_counter(), time_of_children()
    executed = execute(path, preset=preset, seed=seed)
    wall, computed = time.perf_counter() - started, time_of_children() - computed
    seconds = round(min(wall, computed) if device.type == "cpu" and computed else wall, 1)
    if path.read_text(encoding="utf-8") != before:
        raise CourseError(
            f"{path.name} was changed during the run; the outputs are dropped. Run it again."
        )
    notebook = sync.read(path)
    record = notebook.metadata.setdefault("gancourse", {})
    record["seconds"] = {**record.get("seconds", {}), preset: seconds}
    speed = round(measure_speed(device).steps, 1)  # by which `gancourse doctor` scales times
    record["speed"] = {**record.get("speed", {}), preset: speed}
    if outputs:
        take_outputs(notebook, executed)
        record.update(
            preset=preset,
            seed=seed,
            torch=torch.__version__.partition("+")[0],
            device=device.type,
            cpu_count=os.cpu_count(),
            date=datetime.date.today().isoformat(),
        )
    sync.write(path, notebook)
    return seconds


def time_of_children():
    """Return the seconds that ended child processes computed; 0 where this is not known."""
    times = os.times()
    return times.children_user + times.children_system


def execute(path, **parameters):
    """Return the notebook, executed with the parameters in a new kernel and an empty folder.

    Raises
    ------
    papermill.exceptions.PapermillExecutionError
        If a cell fails.
    """
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        preset_variable_unset(True),  # it would override the injected preset
    ):
        notebook, error = kernel.execute(sync.read(path), parameters, cwd=folder)
    if error is not None:
        raise error
    return notebook


def take_outputs(notebook, executed):
    """Copy the outputs of an executed copy to ``notebook``, without the injected cell."""
    notebook.cells, done = (
        [cell for cell in book.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
        for book in (notebook, executed)
    )
    count = 0
    for cell, copy in zip(notebook.cells, done, strict=True):
        if cell.cell_type != "code":
            continue
        count += 1
        cell.update(execution_count=count, outputs=copy.outputs)
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
    for key in ("language_info", "widgets"):
        notebook.metadata.pop(key, None)
        if key in executed.metadata:
            notebook.metadata[key] = executed.metadata[key]


if __name__ == "__main__":
    sys.exit(main())
