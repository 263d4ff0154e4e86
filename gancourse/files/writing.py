"""Files that are written whole or not at all."""

import hashlib
import os
import re
import stat
import time
from contextlib import contextmanager, suppress

from gancourse.errors import CourseError, printable
from gancourse.files import paths

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

PATIENCE = 60  # seconds; the largest checkpoint takes a few
_ignored = set()  # folders whose lock somebody kept for longer


def write_atomically(path, *parts):
    """Write a file so that ``path`` holds either its old content or all of the new.

    A link is followed. The permissions are those of the old file, or of any new file. Whoever
    writes in the same folder at the same time waits, for PATIENCE seconds at most. A process that
    is killed leaves nothing beside the file; at the worst one hidden file, which the next write of
    the same file removes.

    Parameters
    ----------
    path : str or Path
    *parts : bytes-like
        The content, in order.

    Raises
    ------
    CourseError
        If the disk is full, the folder is not writable, or ``path`` is no regular file but a
        folder, a device or a pipe. The old file is kept.
    """
    file = paths.target(path)
    try:
        with _locked(file.parent) as folder:
            _replace(file, parts, folder)
    except OSError as error:
        size = f"{sum(map(len, parts)) / 2**20:.1f} MB"
        raise CourseError(
            f"cannot write {printable(path)} ({size}): {paths.reason(error)}."
        ) from error


def _taken(folder):
    """Take the lock of a folder; return False if another process holds it."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _locked(folder):
    """Keep other writers out of a folder, where the system can; a killed process frees it.

    Yields the folder's file descriptor, or None. Whoever holds the lock for longer than PATIENCE
    writes no file of the course, or was stopped: then it is ignored. The folder is flushed at the
    end, without which a power cut could undo a renaming.
    """
    opened = None
    with suppress(OSError, AttributeError):  # Windows; a folder that may not be read
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if opened is not None and fcntl:
            end = time.monotonic() + (0 if folder in _ignored else PATIENCE)
            with suppress(OSError):  # some network drives
                while not _taken(opened):
                    if time.monotonic() >= end:
                        _ignored.add(folder)
                        break
                    time.sleep(0.02)
        yield opened
    finally:
        if opened is not None:
            with suppress(OSError):  # some file systems cannot flush a folder
                os.fsync(opened)
            os.close(opened)


def _replace(path, parts, folder):
    """Write ``parts`` to a hidden file in ``folder``, flush it, and rename it to ``path``."""
    # Its length does not depend on the name's, which may be as long as the system permits.
    digest = hashlib.blake2b(os.fsencode(path.name), digest_size=8).hexdigest()
    hidden = path.with_name(f".{digest}.part")
    nameless = _open_nameless(path.parent) if folder is not None else None
    try:
        hidden.unlink(missing_ok=True)  # of a process that was killed
        with open(hidden, "xb") if nameless is None else open(nameless, "wb") as file:
            with suppress(FileNotFoundError, AttributeError):  # AttributeError: Windows
                os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
            if nameless is not None:
                source = f"/proc/self/fd/{nameless}"  # os.link follows it only with a folder
                os.link(source, hidden.name, src_dir_fd=folder, dst_dir_fd=folder)
        os.replace(hidden, path)
    except BaseException:
        with suppress(OSError):
            hidden.unlink()
        raise


def leftovers(folder):
    """Return the hidden files that killed processes have left in a folder, half written.

    Parameters
    ----------
    folder : Path
        Nobody else may write there at the same time.

    Returns
    -------
    list of Path
    """
    hidden = re.compile(r"\.[0-9a-f]{16}\.part")
    return [p for p in folder.glob(".*.part") if hidden.fullmatch(p.name) and p.is_file()]


def _open_nameless(folder):
    """Return a descriptor of a new file without a name, which vanishes if the process is killed.

    None where the system or the file system has no such files.
    """
    with suppress(OSError, AttributeError):
        if os.path.isdir("/proc/self/fd"):
            return os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o666)
    return None
