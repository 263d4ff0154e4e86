"""Running lessons in batches: find them, check what was asked, execute, report.

Everything that can be wrong with a request is found before the first cell runs.
"""

import ast
import logging
import os
import re
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import nbformat

from gancourse.errors import CourseError, choose

PRESETS = ("smoke", "laptop", "paper")  # as in gancourse.lesson, which imports PyTorch
CLAIM = "application/vnd.gancourse.claim+json"


def folder():
    """Return where the lessons lie: the checkout's notebooks/, or an installed copy of it."""
    package = Path(__file__).parent
    places = (package.parent / "notebooks", package / "_shipped" / "notebooks")
    return next((place for place in places if any(place.glob("[0-9]*.ipynb"))), places[0])


def lessons():
    """Return the course's lessons in order, by number: ``{"01": Path(".../01_....ipynb")}``."""
    return {path.name.split("_")[0]: path for path in sorted(folder().glob("[0-9]*_*.ipynb"))}


def find(names):
    """Turn what the user typed into notebooks.

    Parameters
    ----------
    names : list of str
        Numbers ("01", "1"), names ("vanilla_gan", "01_vanilla_gan"), "all", or paths of
        notebooks outside the course (ending in .ipynb).

    Returns
    -------
    list of Path

    Raises
    ------
    CourseError
        If there is no such lesson; the message lists those that there are.
    """
    known = lessons()
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
    if len(set(stems)) < len(stems):
        raise CourseError("two of the notebooks have the same name; run them one at a time.")
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
    """Return the names and defaults of a lesson's parameters.

    They stand as plain assignments in the cell tagged ``parameters``. It is read as Python,
    because papermill's own inspection gives up on a line with an ``=`` in its comment.
    """
    cell = next((c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])), None)
    found = {}
    for line in ast.parse(cell.source).body if cell else []:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            found[line.targets[0].id] = ast.literal_eval(line.value)
    return found


def convert(name, text, default):
    """Turn a value from the command line into the type of the parameter's default.

    Raises
    ------
    CourseError
        If the text is not such a value.
    """
    kind = type(default)
    names = {bool: "true or false", int: "a whole number", float: "a number"}
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        return kind(text) if kind in names else text
    except (ValueError, KeyError):
        raise CourseError(f"parameter {name!r} takes {names[kind]}, not {text!r}.") from None


def check_value(name, value):
    """Raise a CourseError if a parameter that all lessons share has an impossible value."""
    if name == "preset":
        choose("preset", value, PRESETS)
    elif name == "seed" and value < 0:
        raise CourseError(f"seed must be 0 or more, not {value}.")
    elif name == "device":
        from gancourse.training.runtime import find_device

        find_device(value)
    elif name == "data":
        from gancourse.data import load

        load(value)  # says also whether it has to be downloaded first


def prepare(paths, given, out=None):
    """Check a request, and return what is to be done for each lesson.

    Parameters
    ----------
    paths : list of Path
        From :func:`find`.
    given : dict of str to str
        Parameters from the command line.
    out : path, optional
        The output folder; build/PRESET if left out.

    Returns
    -------
    list of SimpleNamespace
        ``path``, ``name``, ``parameters`` (what is injected), ``preset``, ``out``.

    Raises
    ------
    CourseError
        If a lesson lacks a parameter that was given, or a value cannot be.
    """
    jobs = []
    for path in paths:
        defaults = parameters(read(path))
        values = {}
        for name, text in given.items():
            choose(f"parameter of {path.stem}", name, defaults)
            values[name] = convert(name, text, defaults[name])
            check_value(name, values[name])
        preset = values.get("preset") or os.environ.get("GANCOURSE_PRESET")
        preset = preset or defaults.get("preset", "laptop")
        check_value("preset", preset)
        target = Path(out or Path("build") / preset).resolve()
        there = target / path.name
        if there.exists() and "papermill" not in read(there).metadata:
            raise CourseError(
                f"{there} would be overwritten, and no run has left it: choose another --out."
            )
        if values.get("out_dir"):  # the lesson runs in its own folder, the user typed in another
            values["out_dir"] = str(Path(values["out_dir"]).resolve())
        if "data" in values:
            from gancourse.data.images import absolute

            values["data"] = absolute(values["data"])
        jobs.append(
            SimpleNamespace(path=path, name=path.stem, parameters=values, preset=preset, out=target)
        )
    for job in jobs:
        try:
            job.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CourseError(f"cannot make the folder {job.out}: {error.strerror}.") from error
    return jobs


def run(job):
    """Execute one lesson and leave the executed notebook in the job's output folder.

    Parameters
    ----------
    job : SimpleNamespace
        From :func:`prepare`.

    Returns
    -------
    nbformat.NotebookNode
        The executed notebook. ``metadata.gancourse.run`` says what happened: ``status``
        ("done", "failed" or "interrupted"), ``error``, ``cells`` (done, total), ``seconds``,
        ``preset``, ``parameters``.
    """
    import papermill

    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    target = job.out / f"{job.name}.ipynb"
    target.unlink(missing_ok=True)
    outcome = {"status": "done", "error": "", "preset": job.preset, "parameters": job.parameters}
    start = time.perf_counter()
    try:
        # In a kernel the variable would win over the parameter.
        with preset_variable_unset("preset" in job.parameters):
            papermill.execute_notebook(
                job.path,
                target,
                job.parameters,
                cwd=job.path.parent,
                coalesce_streams=True,  # one output for what a cell prints
                extra_arguments=["--IPKernelApp.log_level=CRITICAL"],  # silent when stopped
                kernel_name="python3",  # of this environment, whatever the notebook names
                language="python",
                progress_bar={
                    "desc": job.name,
                    "bar_format": "{desc}  {percentage:3.0f} %  {elapsed}",
                    "leave": False,
                    "disable": None,  # where the output is not a terminal
                },
            )
    except papermill.PapermillExecutionError as error:
        what = f"{error.ename}: {error.evalue}".strip()
        outcome |= {"status": "failed", "error": f"cell [{error.exec_count}]: {what}"}
    except RuntimeError as error:  # nbclient's DeadKernelError, or a kernel that does not start
        advice = "Perhaps the memory ran out; see `gancourse doctor`."
        outcome |= {"status": "failed", "error": f"{str(error).rstrip('.')}. {advice}"}
    except KeyboardInterrupt:
        if not target.exists():
            raise
        outcome["status"] = "interrupted"
    notebook = read(target)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    done = sum(cell.execution_count is not None for cell in code)
    outcome["cells"] = [max(0, done - (outcome["status"] != "done")), len(code)]
    outcome["seconds"] = round(time.perf_counter() - start, 1)
    notebook.metadata.setdefault("gancourse", {})["run"] = outcome
    nbformat.write(notebook, target)
    return read(target)


@contextmanager
def preset_variable_unset(unset):
    """Hide GANCOURSE_PRESET for a while: kernels that start meanwhile do not inherit it."""
    hidden = os.environ.pop("GANCOURSE_PRESET", None) if unset else None
    try:
        yield
    finally:
        if hidden is not None:
            os.environ["GANCOURSE_PRESET"] = hidden


def claims(notebook):
    """Return what a notebook's ``claim`` calls recorded, in order.

    Returns
    -------
    list of dict
        ``text``, ``holds`` (None: not judged in this preset) and ``value``.
    """
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    found = [out["data"][CLAIM] for out in outputs if CLAIM in out.get("data", {})]
    return [{name: claim.get(name) for name in ("text", "holds", "value")} for claim in found]


def verdict(found):
    """Return how many of the judged claims hold, as text."""
    judged = [claim["holds"] for claim in found if claim["holds"] is not None]
    return f"{sum(judged)} of {len(judged)} claims hold" if judged else "no claims judged"


def title(notebook, otherwise):
    """Return the first heading of a notebook, without its marks."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    heading = re.search(r"^#+\s+(.+?)\s*$", text, re.MULTILINE)
    return re.sub(r"[*`]", "", heading[1]) if heading else otherwise
