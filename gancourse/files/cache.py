"""Where downloads are kept; this imports little, so that it can be asked on a broken machine."""

import errno
import os
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gancourse.errors import DataError
from gancourse.files import locks, paths

CACHE = "GANCOURSE_CACHE"  # the environment variable that names another cache folder


def cache_folder():
    """Return the folder of the downloads: GANCOURSE_CACHE, or the platform's cache folder.

    Returns
    -------
    pathlib.Path
        Need not exist yet.

    Raises
    ------
    DataError
        If it lies in a home folder that is unknown, as for a user without a name in a container.
    """
    import pooch

    chosen = os.environ.get(CACHE)
    try:
        place = os.path.expanduser(chosen or pooch.os_cache("gancourse"))
    except RuntimeError:  # of platformdirs, which names no place then
        place = "~"
    if str(place).startswith("~"):
        where = f"in {chosen}" if chosen else "in your home folder"
        raise DataError(
            f"downloads would be kept {where}, but that home folder is not known. Set HOME, or set "
            f"{CACHE} to a folder that you may write to."
        )
    return Path(place)


@contextmanager
def locked(entry):
    """Keep a folder of the cache for one process while a ``with`` block runs; others wait.

    The system frees the lock of a process that is killed.

    Parameters
    ----------
    entry : pathlib.Path
        The folder of a data set; it need not exist.

    Raises
    ------
    DataError
        If the cache folder cannot be written.
    """
    file = cache_folder() / ".locks" / f"{entry.name}.lock"
    waiting = f"Waiting for another process, which writes {entry} ..."
    with ExitStack() as lock:
        with writing(entry):
            file.parent.mkdir(parents=True, exist_ok=True)
            lock.enter_context(locks.locked(file, waiting=waiting))
        yield


@contextmanager
def writing(path, size=None):
    """Turn an error of the disk into one that says what to do.

    Parameters
    ----------
    path : pathlib.Path
        What is written, in the cache folder.
    size : int or None
        How large it will be, in bytes.
    """
    try:
        yield
    except OSError as problem:
        place = f"{path}{f' ({size / 2**20:.1f} MB)' if size else ''} cannot be written: "
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(
                f"{place}the disk is full. Free some space, or set the environment variable "
                f"{CACHE} to a folder on another disk, and fetch again."
            ) from problem
        raise DataError(
            f"{place}{paths.reason(problem)}: set the environment variable {CACHE} to a folder "
            "that you may write to."
        ) from problem
