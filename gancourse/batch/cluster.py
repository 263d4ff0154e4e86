"""Lessons run one after the other in this process, or side by side by Dask.

Dask's processes are on this machine, or on those of a cluster whose scheduler has an address. All
must see the same files under the same paths.
"""

import logging
import platform
from contextlib import contextmanager

from gancourse.batch import execute
from gancourse.errors import CourseError, printable
from gancourse.files.streams import say

PATIENCE = 30  # seconds to find a scheduler
INSTALL = "pip install distributed"


def results(jobs, workers=1, scheduler=None):
    """Execute jobs and yield each with its outcome, in the order in which they end.

    Parameters
    ----------
    jobs : list of Job
        From :func:`gancourse.batch.execute.prepare`.
    workers : int
        How many run at once on this machine.
    scheduler : str, optional
        The address of a Dask scheduler, such as "tcp://host:8786"; its workers take the jobs.

    Yields
    ------
    job : Job
    path : Path or None
        The executed notebook.
    problem : str
        Why there is none; "" if there is one.

    Raises
    ------
    CourseError
        If Dask is not installed, or the scheduler does not answer.
    """
    if workers == 1 and scheduler is None:
        for job in jobs:
            try:
                with execute.signals_interrupt():
                    path, _ = execute.run(job)
            except Exception as error:  # the others still run
                yield job, None, reason(error, "the lesson could not be run")
            else:
                yield job, path, ""
        return
    with execute.signals_interrupt(), client(workers, scheduler) as dask:
        from distributed import as_completed

        begun = {dask.submit(run, job, pure=False, retries=0): job for job in jobs}
        for future in as_completed(begun, raise_errors=False):
            job = begun.pop(future)
            if future.status == "finished":
                yield job, future.result(), ""
            else:
                yield job, None, reason(future.exception())
            future.release()


def run(job):
    """Execute a job in a worker, and return the path of the executed notebook."""
    try:
        return execute.run(job)[0]
    except CourseError as error:
        raise CourseError(f"on {printable(platform.node())}: {error}") from error


def reason(error, what="the worker failed"):
    """Return why a job was not executed."""
    if isinstance(error, CourseError):
        return str(error)
    name = type(error).__name__
    advice = " Perhaps its memory ran out." if name == "KilledWorker" else ""
    return f"{what}: {name}: {printable(error, 300)}.{advice}"


def reach(scheduler):
    """Check that a Dask scheduler answers, before anything is written; None means there is none.

    Raises
    ------
    CourseError
        If it does not, or Dask is not installed.
    """
    if scheduler is not None:
        say(f"connecting to {printable(scheduler)}; it has {PATIENCE} s to answer", err=True)
        with client(1, scheduler):
            pass


@contextmanager
def client(workers, scheduler):
    """Connect to a scheduler, or start workers on this machine, until a ``with`` block ends."""
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise CourseError(f"several workers need Dask: {INSTALL}") from error
    if scheduler is None:
        # A worker is a process with one thread, since a run changes the environment of a process.
        options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": ":0"}
        with (
            LocalCluster(**options, silence_logs=logging.CRITICAL) as cluster,
            Client(cluster) as dask,
        ):
            yield dask
        return
    shown, port = printable(scheduler), scheduler.rpartition(":")[2]
    try:
        if port.isdecimal() and not 0 < int(port) < 2**16:  # Dask would try it until the end
            raise ValueError("a port is from 1 to 65535")
        dask = Client(scheduler, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise CourseError(
            f"no Dask scheduler answers at {shown} ({printable(error, 200)}). Start one "
            "with `dask scheduler`, and workers with `dask worker ADDRESS --nthreads 1`."
        ) from error
    with dask:
        yield dask
