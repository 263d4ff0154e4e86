"""Check a request to run lessons, and execute them with papermill."""

import logging
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat

from gancourse.batch import lessons
from gancourse.errors import CourseError, choose


@dataclass(frozen=True, kw_only=True)
class Job:
    """One lesson that is to be run; made by :func:`prepare`.

    Attributes
    ----------
    path : Path
        The notebook.
    parameters : dict
        The values that papermill injects.
    preset : str
        The preset that the lesson will run with, whether injected or not.
    out : Path
        The folder for the executed notebook and its page.
    """

    path: Path
    parameters: dict
    preset: str
    out: Path

    @property
    def name(self):
        """The name under which the outputs are written."""
        return self.path.stem


def convert(name, text, default):
    """Convert a value from the command line to the type of the parameter's default.

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
    """Check the value of a parameter that all lessons share.

    Raises
    ------
    CourseError
        If the lesson would refuse the value, or its data set has to be downloaded first.
    """
    if name == "preset":
        choose("preset", value, lessons.PRESETS)
    elif name == "seed" and value < 0:
        raise CourseError(f"seed must be 0 or more, not {value}.")
    elif name == "device":
        from gancourse.training.runtime import find_device

        find_device(value)
    elif name == "data":
        from gancourse.data import load

        load(value)


def prepare(paths, given, out=None):
    """Check a request before anything runs, and make the output folders.

    Parameters
    ----------
    paths : list of Path
        From :func:`gancourse.batch.lessons.find`.
    given : dict of str to str
        Parameters from the command line.
    out : path, optional
        The output folder; build/PRESET if left out.

    Returns
    -------
    list of Job
        One for each path.

    Raises
    ------
    CourseError
        If a lesson has no parameter of a given name, if a value is not valid, if a notebook
        that no run has left would be overwritten, or if a folder cannot be made.
    """
    jobs = []
    for path in paths:
        defaults = lessons.parameters(lessons.read(path))
        values = {}
        for name, text in given.items():
            choose(f"parameter of {path.stem}", name, defaults)
            values[name] = convert(name, text, defaults[name])
            check_value(name, values[name])
        preset = values.get("preset") or os.environ.get("GANCOURSE_PRESET")
        preset = preset or defaults.get("preset", lessons.DEFAULT_PRESET)
        check_value("preset", preset)
        target = Path(out or Path("build") / preset).resolve()
        there = target / path.name
        if there.exists() and "papermill" not in lessons.read(there).metadata:
            raise CourseError(
                f"{there} would be overwritten, and no run has left it: choose another --out."
            )
        # A lesson runs in its own folder, but the user typed paths as seen from this one.
        if values.get("out_dir"):
            values["out_dir"] = str(Path(values["out_dir"]).resolve())
        if "data" in values:
            from gancourse.data.own import absolute

            values["data"] = absolute(values["data"])
        jobs.append(Job(path=path, parameters=values, preset=preset, out=target))
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
    job : Job

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
    notebook = lessons.read(target)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    begun = sum(cell.execution_count is not None for cell in code)
    # The last cell that began did not end if the run was cut short.
    done = begun if outcome["status"] == "done" else max(0, begun - 1)
    outcome["cells"] = [done, len(code)]
    outcome["seconds"] = round(time.perf_counter() - start, 1)
    notebook.metadata.setdefault("gancourse", {})["run"] = outcome
    nbformat.write(notebook, target)
    return lessons.read(target)


@contextmanager
def preset_variable_unset(unset):
    """Remove GANCOURSE_PRESET from the environment that kernels started inside inherit."""
    removed = os.environ.pop("GANCOURSE_PRESET", None) if unset else None
    try:
        yield
    finally:
        if removed is not None:
            os.environ["GANCOURSE_PRESET"] = removed
