"""A run's folder belongs to one process at a time."""

from contextlib import contextmanager, suppress

from filelock import FileLock, Timeout

from gancourse.errors import CheckpointError

LOCK = ".lock"


@contextmanager
def claim(folder):
    """Make a folder and keep it for one run, until the end of a ``with`` block.

    The system frees the lock of a process that is killed; the empty file that such a process
    leaves does not keep anyone out. A folder that is made here and stays empty is removed again.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    CheckpointError
        If another run is at work there, or the folder cannot be used.
    """
    made = missing(folder)
    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise CheckpointError(
            f"another run is at work in {folder}. Wait until it ends, stop it, or choose another "
            "folder."
        ) from error
    except (OSError, NotImplementedError) as error:
        remove(made)
        raise CheckpointError(
            f"cannot use {folder} for the run: {getattr(error, 'strerror', None) or error}. Choose "
            "a folder that you may write to."
        ) from error
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes the file of a lock when it is released
            (folder / LOCK).unlink()
        lock.release()
        remove(made)


def missing(folder):
    """Return a folder and those above it that do not exist, the innermost first."""
    return [place for place in (folder, *folder.parents) if not place.exists()]


def remove(folders):
    """Remove those folders that are empty."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()
