"""Where a batch writes, and what it may replace there: only what a batch has left.

What a reader has changed since, and files that the course did not make, are kept.
"""

import errno
import hashlib
import json
import os
from contextlib import ExitStack, contextmanager
from itertools import count
from urllib.parse import quote

from gancourse.batch import lessons
from gancourse.errors import CourseError, printable
from gancourse.files import paths, schema
from gancourse.files.locks import locked
from gancourse.files.writing import write_atomically

LEFT = ".gancourse.left.json"  # the digests of the pages and tables that batches have left
MOST_LEFT = 10 * 2**20  # bytes of that file
RUNS = "runs.csv"  # the claims of several runs
LOCK_TIMEOUT = 60  # seconds; collecting the pages of a folder takes a few


def page(name):
    """Return the file name of a lesson's page; index.html is that of the batch."""
    return f"{name}.ipynb.html" if name.casefold() == "index" else f"{name}.html"


def link(file):
    """Return a file name as the address of a link, whatever characters it has."""
    return "./" + quote(os.fsencode(file))


def check(source, folder):
    """Check that a lesson's outputs replace nothing but outputs.

    Parameters
    ----------
    source : Path
        The lesson.
    folder : Path
        The output folder, which need not exist.

    Raises
    ------
    CourseError
        Names the file that would be lost.
    """
    target = folder / source.name
    if target.exists() and target.samefile(source):
        raise CourseError(
            f"{printable(target)} is the lesson itself and would be overwritten: choose another "
            "--out."
        )
    if not is_output(target):
        raise CourseError(
            f"{printable(target)} would be overwritten, and it is not what a run has left there: "
            "move it away, or choose another --out."
        )
    for file in (folder / page(source.stem), folder / "index.html", folder / "claims.json"):
        check_page(file)


def is_output(path):
    """Return whether a notebook is as a run has left it, or is not there."""
    if not os.path.lexists(path):
        return True
    if not path.is_file():
        return False
    try:
        notebook = lessons.read(path)
    except CourseError:
        return False
    outcome = lessons.outcome(notebook)
    return outcome is not None and outcome.left == lessons.fingerprint(notebook)


def check_page(path):
    """Check that a page, claims.json or runs.csv may be replaced.

    Raises
    ------
    CourseError
        If it is not as a batch has left it.
    """
    if os.path.lexists(path) and digest(path) not in digests(path.parent).get(link(path.name), ()):
        raise CourseError(
            f"{printable(path)} would be overwritten, and it is not what a run has left there: "
            "move it away, or choose another --out."
        )


def write(path, text):
    """Write a page, claims.json or runs.csv, in a folder that this process has :func:`alone`.

    Raises
    ------
    CourseError
        If the file that is there is not as a batch has left it, or cannot be written.
    """
    check_page(path)
    new = text.encode("utf-8", "replace")
    # The digests come first, that of the predecessor with them: a kill may come before the page.
    both = [hashlib.sha256(new).hexdigest(), *filter(None, [digest(path)])]
    left = digests(path.parent) | {link(path.name): both}
    write_atomically(path.with_name(LEFT), json.dumps(left, indent=1).encode())
    write_atomically(path, new)


def digest(path):
    """Return the digest of a file's bytes; None if it is no file, or cannot be read."""
    from pooch import file_hash

    try:
        return file_hash(path) if path.is_file() else None
    except OSError:
        return None


def digests(folder):
    """Return the digests that batches have noted in a folder, by the address of each file."""
    path = folder / LEFT
    try:
        if path.is_file() and path.stat().st_size <= MOST_LEFT:
            content = path.read_bytes()
            return schema.read(dict[str, list[str]], content, "the digests", CourseError)
    except (CourseError, OSError):
        pass
    return {}


def free(path):
    """Return a path for an output: ``path``, or one beside it if a reader has changed that."""
    others = (beside(path, number) for number in count(2))
    return path if is_output(path) else next(other for other in others if is_output(other))


def beside(path, number):
    """Return a path with a number after its name, which is cut if that would be too long."""
    ending = f"-{number}{path.suffix}"
    other = path.with_name(path.stem + ending)
    try:
        other.lstat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            room = len(os.fsencode(path.name)) - len(os.fsencode(ending))
            stem = os.fsencode(path.stem)[:room].decode(errors="ignore")  # no half of a sign
            return path.with_name(stem + ending)
    return other


@contextmanager
def alone(folder):
    """Keep other batches from collecting the same folder meanwhile; a killed one does not.

    Raises
    ------
    CourseError
        If another batch takes too long, or the folder has no place for a lock.
    """
    with ExitStack() as lock:
        try:
            lock.enter_context(locked(folder / ".gancourse.lock", timeout=LOCK_TIMEOUT))
        except TimeoutError:
            raise CourseError(f"another run is busy in {printable(folder)}.") from None
        except OSError as error:
            place = printable(error.filename or folder)
            raise CourseError(f"cannot use {place}: {paths.reason(error)}.") from error
        yield


def make(folder):
    """Make an output folder, and check that it can be written to and locked.

    Raises
    ------
    CourseError
        If it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".gancourse.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        why = f"cannot write to the folder {printable(folder)}: {paths.reason(error)}."
        raise CourseError(why) from error
    with alone(folder):
        pass
