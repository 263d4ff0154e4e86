"""Files that are written whole or not at all."""

import errno
import os
from pathlib import Path

from gancourse.errors import CourseError


def write_atomically(path, data):
    """Write ``data`` so that ``path`` holds either the old content or all of the new.

    Parameters
    ----------
    path : str or Path
    data : bytes

    Raises
    ------
    CourseError
        If the disk is full or the folder cannot be written; the old file is still whole.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        size = f"{len(data) / 2**20:.1f} MB"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            why = f"the disk is full: {size} are needed there. Free some space and go on"
        else:
            why = f"{error.strerror or error}. Choose a folder that you may write to"
        raise CourseError(f"cannot write {path} ({size}): {why}.") from error
    if hasattr(os, "O_DIRECTORY"):  # make the new name itself survive a power cut
        folder = os.open(path.parent, os.O_DIRECTORY)
        try:
            os.fsync(folder)
        except OSError:
            pass  # not every file system can; the file itself is written
        finally:
            os.close(folder)
