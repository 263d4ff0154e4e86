"""Check a request to run lessons, and execute them."""

import json
import os
import signal
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import nbformat

from gancourse.batch import lessons, places
from gancourse.batch import parameters as parameter_cells
from gancourse.errors import CourseError, check_seed, choose, printable
from gancourse.files.paths import folder, reason
from gancourse.files.streams import say
from gancourse.files.writing import write_atomically

# Seconds that a cell may take; a cell of the paper's size may train for days.
TIMEOUTS = {"smoke": 600, "laptop": 4 * 3600, "paper": None}
MAX_ERROR = 1_000  # characters of an error's message


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
    timeout : int or None
        Seconds that a cell may take; None for any time.
    variant : str
        Which of several combinations of parameters this is, such as "seed=0"; "" if there is one.
    """

    path: Path
    parameters: dict
    preset: str
    out: Path
    timeout: int | None
    variant: str = ""

    @property
    def name(self):
        """The name under which the outputs are written."""
        return self.path.stem

    @property
    def shown(self):
        """What the user is told of the job: its name, and the variant if there are several."""
        return printable(f"{self.name} {self.variant}".strip())

    @property
    def batch(self):
        """The folder of all variants."""
        return self.out.parent if self.variant else self.out


def check_value(name, value):
    """Check the value of a parameter that all lessons share.

    Raises
    ------
    CourseError
        If the lesson would refuse the value, or its data set has to be downloaded first.
    """
    if name == "preset":
        choose("preset", value, lessons.PRESETS)
    elif name == "seed":
        check_seed(value)
    elif name == "device":
        from gancourse.training.runtime import find_device

        find_device(value)
    elif name == "data":
        from gancourse.data import load

        load(value)


def prepare(paths, given, out=None, timeout=None):
    """Check a request before anything runs or is written.

    Parameters
    ----------
    paths : list of Path
        From :func:`gancourse.batch.lessons.find`.
    given : dict of str to str
        Parameters from the command line.
    out : path, optional
        The output folder; build/PRESET if left out. With several values for a parameter, each
        combination has a folder in it.
    timeout : int, optional
        Seconds that a cell may take, 0 for any time; a limit of the preset if left out.

    Returns
    -------
    list of Job
        One for each path and each combination of parameters.

    Raises
    ------
    CourseError
        If a lesson has no parameter of a given name, if a value is not valid, or if something
        would be overwritten that no run has left.
    """
    jobs = []
    for path in paths:
        notebook = lessons.read(path)
        known = parameter_cells.find(notebook)
        parameter_cells.check_names(given, known, path.stem)
        for variant, chosen in parameter_cells.combinations(given, known):
            values = parameter_cells.values(chosen, known, path.stem)
            if set(lessons.PARAMETERS) <= known.keys():  # a notebook of one's own may mean others
                complete(values)
            preset = find_preset(notebook, known, values)
            root = out or folder(Path("build") / preset, "the output folder")
            target = Path(root).resolve() / variant
            places.check(path, target)
            limit = TIMEOUTS[preset] if timeout is None else timeout or None
            jobs.append(
                Job(
                    path=path,
                    parameters=values,
                    preset=preset,
                    out=target,
                    timeout=limit,
                    variant=variant,
                )
            )
    for root in dict.fromkeys(job.batch for job in jobs if job.variant):
        places.check_page(root / "index.html")
        places.check_page(root / places.RUNS)
        places.digests(root)
    return jobs


def make_folders(jobs):
    """Make the output folders of jobs.

    Raises
    ------
    CourseError
        If one cannot be made, written to or locked.
    """
    for place in dict.fromkeys(place for job in jobs for place in (job.batch, job.out)):
        places.make(place)


def complete(values):
    """Check the values of a lesson's parameters, and make its paths absolute, in place.

    A lesson runs in its own folder, but the user typed paths as seen from another.
    """
    for name, value in values.items():
        check_value(name, value)
    if values.get("out_dir"):
        values["out_dir"] = str(folder(values["out_dir"], "parameter 'out_dir'").resolve())
    if "data" in values:
        from gancourse.data.own import absolute

        values["data"] = absolute(values["data"])


def is_done(job):
    """Return whether a job's output is there already.

    It is if a run with the same parameters ended well, and neither the lesson nor the output has
    changed since.
    """
    target = job.out / job.path.name
    outcome = places.left(target, job.path.name)
    if outcome is None or (outcome.status, outcome.preset) != ("done", job.preset):
        return False
    # As text, in which 1, 1.0 and true are different, and a tuple is a list.
    given, then = (
        json.dumps(json.loads(json.dumps(values)), sort_keys=True)
        for values in (job.parameters, outcome.parameters)
    )
    return given == then and lessons.sources(lessons.read(target)) == lessons.sources(
        lessons.read(job.path)
    )


def find_preset(notebook, known, values):
    """Return the preset that a lesson will run with."""
    if not values:  # papermill replaces the cell that an earlier run has injected, or keeps it
        known = known | parameter_cells.find(notebook, "injected-parameters")
    preset = values.get("preset") or os.environ.get("GANCOURSE_PRESET")
    if preset and (set(lessons.PARAMETERS) <= known.keys() or preset in lessons.PRESETS):
        return choose("preset", preset, lessons.PRESETS)
    default = known["preset"].default if "preset" in known else None
    return default if default in lessons.PRESETS else lessons.DEFAULT_PRESET


def run(job):
    """Execute one lesson and leave the executed notebook in the job's output folder.

    An earlier output stays as it is until the lesson has ended; then it is replaced at once. If
    the process is killed, the earlier output remains. If a reader has changed it meanwhile, or if
    it is that of a run which was done and this one fails or is interrupted, the new output is
    written beside it.

    Parameters
    ----------
    job : Job

    Returns
    -------
    path : Path
        The executed notebook. Its ``metadata.gancourse.run`` is the
        :class:`gancourse.batch.lessons.Outcome`.
    notebook : nbformat.NotebookNode
        What it holds.

    Raises
    ------
    CourseError
        If the notebook cannot be written. The message names a temporary file that holds it, if
        there is room for one.
    """
    from gancourse.batch import kernel

    start = time.perf_counter()
    # In a kernel the variable would win over the parameter.
    with preset_variable_unset("preset" in job.parameters):
        notebook, error = kernel.execute(
            lessons.read(job.path),
            job.parameters,
            cwd=job.path.parent,
            timeout=job.timeout,
            progress={
                "desc": job.shown,
                "bar_format": "{desc}  {percentage:3.0f} %  {elapsed}",
                "leave": False,
                "disable": None,  # where the output is not a terminal
            },
        )
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    begun = [cell.execution_count for cell in code if cell.execution_count is not None]
    # The last cell that began did not end if the run was cut short.
    done = len(begun) if error is None else max(0, len(begun) - 1)
    target, why = places.free(job.out / job.path.name, status(error))
    notes = kernel.notes(notebook)
    if why:
        notes.append(f"{printable(job.path.name)} {why}")
    outcome = lessons.Outcome(
        status=status(error),
        error=problem(error, begun, job.timeout),
        cells=(done, len(code)),
        seconds=round(time.perf_counter() - start, 1),
        preset=job.preset,
        parameters=job.parameters,
        notes=notes,
        left=lessons.fingerprint(notebook),
        lesson=job.path.name,
    )
    shown = {"input_path": printable(job.path), "output_path": printable(target)}
    notebook.metadata.papermill.update(shown)
    notebook.metadata.setdefault("gancourse", {})["run"] = asdict(outcome)
    leave(target, (nbformat.writes(notebook) + "\n").encode())
    return target, notebook


def leave(target, content):
    """Write an executed notebook; where that fails or is stopped, keep it in a temporary file.

    Raises
    ------
    CourseError
        Says why it cannot be written, and names the temporary file.
    """
    try:
        with suppress(OSError):  # the next line says why
            target.parent.mkdir(exist_ok=True)  # the lesson may have removed it
        write_atomically(target, content)
    except (CourseError, KeyboardInterrupt) as problem:
        kept = rescued(content)
        if not kept:
            raise
        where = f"What was executed is in {printable(kept)}."
        if isinstance(problem, CourseError):
            raise CourseError(f"{problem} {where}") from problem
        say(where, err=True)
        raise


def rescued(content):
    """Write a notebook into a temporary file; return its path, or None if there is no room."""
    number, path = None, None
    try:
        number, path = tempfile.mkstemp(suffix=".ipynb", prefix="gancourse-")
        with open(number, "wb") as file:
            file.write(content)
    except OSError:
        if path:
            os.unlink(path)
        return None
    return path


def status(error):
    """Return the status of a run that ended with an error, or with None."""
    if error is None:
        return "done"
    return "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"


def problem(error, begun, timeout):
    """Return what went wrong in a run, in words.

    Parameters
    ----------
    error : BaseException or None
        From :func:`gancourse.batch.kernel.execute`.
    begun : list of int
        The numbers of the cells that were begun.
    timeout : int or None
    """
    import papermill

    cell = f"cell [{begun[-1]}]: " if begun else ""
    match error:
        case None | KeyboardInterrupt():
            return ""
        case papermill.PapermillExecutionError():
            what = f"{error.ename}: {error.evalue}".strip()
            what = what if len(what) <= MAX_ERROR else what[:MAX_ERROR] + " ..."
            return f"cell [{error.exec_count}]: {what}"
        case TimeoutError():
            return f"{cell}took longer than {timeout} s. See --timeout in `gancourse run --help`."
        case OSError():
            return f"{cell}{reason(error)}."
        case _:  # a kernel that died or did not start
            advice = "Perhaps the memory ran out; see `gancourse doctor`."
            return f"{cell}{str(error).rstrip('.')}. {advice}"


@contextmanager
def signals_interrupt():
    """Let a signal that ends the process act as Ctrl-C, which ends the kernel in order.

    A signal that the process was started to ignore, as by nohup, is still ignored.
    """

    def interrupt(number, frame):
        raise KeyboardInterrupt

    names = {"SIGTERM", "SIGHUP"} & {*dir(signal)}  # Windows lacks one
    numbers = [getattr(signal, name) for name in names]
    if threading.current_thread() is not threading.main_thread():
        numbers = []  # signals reach the main thread only
    changed = [n for n in numbers if signal.getsignal(n) == signal.SIG_DFL]
    for number in changed:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def preset_variable_unset(unset):
    """Remove GANCOURSE_PRESET from the environment that kernels started inside inherit."""
    removed = os.environ.pop("GANCOURSE_PRESET", None) if unset else None
    try:
        yield
    finally:
        if removed is not None:
            os.environ["GANCOURSE_PRESET"] = removed
