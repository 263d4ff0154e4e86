"""A run's folder belongs to one process at a time."""

from contextlib import ExitStack, contextmanager, suppress

from gancourse.errors import CheckpointError, printable
from gancourse.files import paths
from gancourse.files.locks import locked

LOCK = ".gancourse-run.lock"  # nobody's file but ours, since it is removed


@contextmanager
def owned(folder):
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
    try:
        with ExitStack() as lock:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                lock.enter_context(locked(folder / LOCK, timeout=0))
            except TimeoutError as error:
                raise CheckpointError(
                    f"another run is at work in {printable(folder)}. Wait until it ends, stop it, "
                    "or choose another folder."
                ) from error
            except OSError as error:
                place = printable(error.filename or folder)
                raise CheckpointError(
                    f"cannot use {place} for the run: {paths.reason(error)}."
                ) from error
            try:
                yield
            finally:
                with suppress(OSError):  # Windows removes the file of a lock when it is released
                    (folder / LOCK).unlink()
    finally:
        remove(made)


def check_places(folder, files, pictures):
    """Check that nothing in a run's folder keeps it from writing there.

    Parameters
    ----------
    folder : Path
    files, pictures : collection of str
        Names of files, and of folders, that the run will write.

    Raises
    ------
    CourseError
        If something else has such a name, or the user may not write there.
    """
    for name in files:
        paths.target(folder / name)
    for name in pictures:
        paths.folder(folder / name, "the run's pictures")


def missing(folder):
    """Return a folder and those above it that do not exist, the innermost first."""
    return [place for place in (folder, *folder.parents) if not place.exists()]


def remove(folders):
    """Remove those folders that are empty."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()
