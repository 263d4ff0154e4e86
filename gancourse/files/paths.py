"""Paths that a user wrote: which can be used, what may be written there, why the system refuses."""

import errno
import os
import stat
from pathlib import Path

from gancourse.errors import CourseError, printable

# How a program for ``python -c`` begins that imports nothing from the current folder.
APART = "import sys; sys.path = [place for place in sys.path if place]; "
PNG = b"\x89PNG\r\n\x1a\n"  # how such a file begins
# The system's reasons that a user can do something about, and what that is.
ADVICE = {
    errno.ENOENT: "there is no such file or folder. Check the spelling",
    errno.EEXIST: "something else has this name. Move it away, or choose another folder",
    errno.ENOTDIR: "a part of the path is a file, not a folder. Choose another folder",
    errno.EISDIR: "it is a folder. Add the name of a file",
    errno.EACCES: "you have no permission. Give yourself one, or choose another folder",
    errno.EPERM: "the system does not permit it. Choose another folder",
    errno.EROFS: "the disk can only be read. Choose another folder",
    errno.ENOSPC: "the disk is full. Free some space and run it again",
    errno.EDQUOT: "your quota of disk space is used up. Free some space and run it again",
    errno.EFBIG: "the file would be larger than this disk permits. Choose another folder",
    errno.ENAMETOOLONG: "the name is too long. Choose a shorter one",
    errno.ELOOP: "its links lead in a circle. Remove the link, or choose another path",
    errno.EMFILE: "too many files are open. Close some programs and run it again",
    errno.ENFILE: "too many files are open. Close some programs and run it again",
    errno.EIO: "the disk does not answer as it should. Check it, or choose another folder",
    errno.ESTALE: "the network drive has gone. Connect it again",
    errno.ENXIO: "nothing is connected to this device. Name a file",
    errno.ETXTBSY: "a program there is running. Choose another name",
    errno.EBUSY: "the system uses it. Choose another name",
}


def reason(error):
    """Return why the system refused something, and what to do: part of a sentence.

    Parameters
    ----------
    error : OSError
    """
    return ADVICE.get(error.errno) or f"{printable(error.strerror or error)}. Choose another folder"


def given(text, what, file=False):
    """Return a path that a user wrote, with ``~`` replaced by the folder that it stands for.

    Parameters
    ----------
    text : str or path
    what : str
        What it is, for the message: "--out".
    file : bool
        Whether it names a file, and not a folder.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    CourseError
        If it cannot be a path here: empty, too long, not UTF-8, in a closed folder, below a
        file, in a circle of links, or in the home of an unknown user.
    """
    text = os.fspath(text)
    shown = printable(text)
    if not text.strip():
        raise CourseError(f"{what} is empty: write a path.")
    if "\0" in text:
        raise CourseError(f"{what}: {shown} holds a NUL character, which no path can hold.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CourseError(f"{what}: the name {shown} is not UTF-8. Rename it.") from None
    if file and text.endswith(("/", os.sep)):
        raise CourseError(f"{what}: {shown} is a folder. Add the name of a file.")
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise CourseError(f"{what}: no home folder is known for {shown}. Write it out.") from None
    try:
        os.stat(path)
    except FileNotFoundError:
        pass  # it may be made
    except OSError as error:
        raise CourseError(f"{what}: cannot use {shown}: {reason(error)}.") from error
    return path


def folder(text, what):
    """Return a folder that a user wrote, in which files can be written; it need not exist yet.

    Parameters
    ----------
    text, what
        See :func:`given`.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    CourseError
        If it can be no path, is there and no folder, or if the user may not write there.
    """
    path = given(text, what)
    refused = f"{what}: cannot use {printable(text)}: "
    if os.path.lexists(path) and not path.is_dir():
        raise CourseError(f"{refused}it is there, and no folder. Move it away, or choose another.")
    there = next(place for place in (path, *path.absolute().parents) if place.is_dir())
    if not os.access(there, os.W_OK | os.X_OK):
        raise CourseError(f"{refused}{ADVICE[errno.EACCES]}.")
    return path


def target(path):
    """Return the file that is written for ``path``: the file itself, or what a link leads to.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    pathlib.Path
        A regular file, or the name of a new one in a folder that is there.

    Raises
    ------
    CourseError
        If something else has the name, such as a device or a folder, if the folder is missing,
        or if the user may not write there.
    """
    refused = f"cannot write {printable(path)}"
    try:
        real = Path(os.path.realpath(path))
        writable = os.access(real.parent, os.W_OK | os.X_OK)
        try:
            mode = os.stat(path).st_mode
        except FileNotFoundError:
            if not real.parent.is_dir():
                folder = printable(real.parent)
                raise CourseError(f"{refused}: there is no folder {folder}. Make it.") from None
        else:
            if not stat.S_ISREG(mode):
                what = "a folder" if stat.S_ISDIR(mode) else "a device, a pipe or a socket"
                raise CourseError(f"{refused}: it is {what}, not a file. Choose another name.")
            writable = writable and os.access(real, os.W_OK)
    except OSError as error:
        raise CourseError(f"{refused}: {reason(error)}.") from error
    except ValueError as error:  # a NUL character, or half of a surrogate pair
        raise CourseError(f"{refused}: no file can have this name. Choose another.") from error
    if not writable:
        raise CourseError(f"{refused}: {ADVICE[errno.EACCES]}.")
    return real


def png_target(path):
    """Return the file that a user's PNG is written to; what is no picture is not replaced.

    Parameters
    ----------
    path : str or Path
        Ends in .png, or has no ending.

    Returns
    -------
    pathlib.Path
        See :func:`target`.

    Raises
    ------
    CourseError
        If the ending is another, if a file is there that is no PNG, or if nothing can be written
        there.
    """
    shown = printable(path)
    if Path(path).suffix.lower() not in ("", ".png"):
        raise CourseError(f"{shown}: pictures are written as PNG. End the name in .png.")
    file = target(path)
    try:
        with open(file, "rb") as there:
            start = there.read(len(PNG))
    except FileNotFoundError:
        return file
    except OSError as error:
        raise CourseError(f"cannot write {shown}: {reason(error)}.") from error
    if start not in (b"", PNG):
        raise CourseError(
            f"{shown} is a file that is no PNG; it is not replaced. Choose another name."
        )
    return file
