"""Execute notebooks in a new kernel and write the outputs into them: ``make refresh``.

The sources do not change, and a notebook with a failing cell does not change at all. The
notebook's metadata records the run under "gancourse".
"""

import argparse
import base64
import datetime
import io
import os
import sys
import tempfile
import time
from unittest import mock

import papermill
import torch
from papermill.exceptions import PapermillExecutionError
from PIL import Image

from gancourse.batch.lessons import PRESETS
from gancourse.doctor import measure_speed
from gancourse.errors import CourseError, choose
from gancourse.training.runtime import find_device
from tools import sync

LARGE = 60_000  # base64 characters; a PNG of at least so many may be replaced by a JPEG


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
            except PapermillExecutionError as problem:
                failed += 1
                print(f"{path.name}: not changed, because a cell failed\n{problem}")
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
        keep_figures(notebook, path.parent / "figures")
        soft_pictures_as_jpeg(notebook)
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
    """Return the notebook, executed with the parameters in a new kernel and an empty folder."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        mock.patch.dict(os.environ),  # restores the variable that is removed
    ):
        os.environ.pop("GANCOURSE_PRESET", None)  # it would override the injected preset
        return papermill.execute_notebook(
            path,
            None,
            parameters,
            kernel_name="python3",
            cwd=folder,
            progress_bar=False,
            coalesce_streams=True,  # one output for all that a cell prints
        )


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
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = smaller_png(output.data["image/png"])
    for key in ("language_info", "widgets"):
        notebook.metadata.pop(key, None)
        if key in executed.metadata:
            notebook.metadata[key] = executed.metadata[key]


def keep_figures(notebook, folder):
    """Write the picture of each cell that is tagged ``figure:NAME`` to ``folder``/NAME.png.

    The README and the first cell of a lesson show these files.
    """
    for number, cell in enumerate(notebook.cells, start=1):
        for tag in cell.metadata.get("tags", []):
            kind, _, name = tag.partition(":")
            if kind != "figure":
                continue
            data = [output.get("data", {}) for output in cell.outputs]
            pictures = [kinds["image/png"] for kinds in data if "image/png" in kinds]
            if not pictures:
                raise CourseError(
                    f"cell {number} is tagged {tag}, but has no picture in its output"
                )
            folder.mkdir(exist_ok=True)
            (folder / f"{name}.png").write_bytes(base64.b64decode(pictures[0]))


def soft_pictures_as_jpeg(notebook):
    """Replace large PNGs, such as grids of noisy pictures, by JPEGs with 2/3 of the width.

    A JPEG still has 4/3 of the width at which the page shows it.
    """
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        encoded = output.get("data", {}).get("image/png", "")
        if len(encoded) < LARGE:
            continue
        picture = open_png(encoded).convert("RGB")
        shown = output.metadata.setdefault("image/png", {"width": picture.width // 2})
        size = [shown["width"] * 4 // 3, shown["width"] * 4 // 3 * picture.height // picture.width]
        data = io.BytesIO()
        picture.resize(size, Image.Resampling.LANCZOS).save(data, "JPEG", quality=44, optimize=True)
        jpeg = base64.b64encode(data.getvalue()).decode()
        if len(jpeg) < 0.75 * len(encoded):
            output.data["image/jpeg"] = jpeg
            del output.data["image/png"]
            output.metadata["image/jpeg"] = {"width": output.metadata.pop("image/png")["width"]}


def open_png(encoded):
    """Open a PNG in base64, as an output of a notebook holds it; other formats are refused."""
    return Image.open(io.BytesIO(base64.b64decode(encoded)), formats=("PNG",))


def smaller_png(encoded):
    """Return a base64 PNG with the same pixels in as few bytes as Pillow achieves."""
    original = open_png(encoded)
    candidates = [original]
    if original.mode == "RGBA" and original.getextrema()[3] == (255, 255):
        candidates.append(original.convert("RGB"))
    if original.mode in ("RGB", "RGBA"):
        candidates.append(candidates[-1].quantize(256, dither=Image.Dither.NONE))
    texts = [encoded.strip()]
    for picture in candidates:
        if picture.convert("RGBA").tobytes() == original.convert("RGBA").tobytes():
            file = io.BytesIO()
            picture.save(file, "PNG", optimize=True, dpi=original.info.get("dpi", (72, 72)))
            texts.append(base64.b64encode(file.getvalue()).decode("ascii"))
    return min(texts, key=len) + "\n"


if __name__ == "__main__":
    sys.exit(main())
