"""Locks on files; the system frees the lock of a process that ends, however it ends."""

import errno
import inspect
import stat
from contextlib import contextmanager, suppress

from gancourse.files.streams import say

NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)  # of some drives


@contextmanager
def locked(path, timeout=-1, waiting=None):
    """Hold the lock of a file while a ``with`` block runs.

    On a drive without locks, as some network drives are, the block runs without one.

    Parameters
    ----------
    path : pathlib.Path
        The file, in a folder that exists; it is made if needed, is empty, and stays.
    timeout : float
        Seconds to wait for another process; -1 for any time.
    waiting : str, optional
        What to print if another process holds the lock.

    Raises
    ------
    TimeoutError
        If another process holds the lock for longer.
    OSError
        If the file cannot be made, or something that is no lock has its name.
    """
    from filelock import FileLock, Timeout

    refuse_other(path)
    path.touch()
    known = inspect.signature(FileLock.__init__).parameters
    # Without locks, the library would leave a file that outlives a killed process.
    hard = {"fallback_to_soft": False} if "fallback_to_soft" in known else {}
    lock = FileLock(path, **hard)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if waiting:
                say(waiting, err=True)
            lock.acquire(timeout=timeout)
    except Timeout as error:
        raise TimeoutError(f"{path} is locked by another process") from error
    except NotImplementedError:
        pass
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    try:
        yield
    finally:
        lock.release()


def refuse_other(path):
    """Raise FileExistsError if a path is no lock: a link, a pipe, or a file that holds something.

    The library would follow the link, and empty the file.
    """
    with suppress(FileNotFoundError):
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_size:
            raise FileExistsError(errno.EEXIST, "something else has this name", str(path))
