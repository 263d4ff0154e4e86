"""Where a batch writes, and what it may replace there: only what a batch has left.

What a reader has changed since, and files that the course did not make, are kept.
"""

import errno
import hashlib
import json
import os
import re
from contextlib import ExitStack, contextmanager
from itertools import count
from urllib.parse import quote

from gancourse.batch import lessons
from gancourse.errors import CourseError, printable
from gancourse.files import paths, schema
from gancourse.files.locks import locked
from gancourse.files.writing import write_atomically

LEFT = ".gancourse.left.json"  # the digests of the pages and tables that batches have left
MOST_LEFT = 2**20  # bytes of that file
CHANGED = (
    "{} would be overwritten, and it is not what a run has left there: move it away, or choose "
    "another --out."
)
RUNS = "runs.csv"  # the claims of several runs
LOCK_TIMEOUT = 60  # seconds; collecting the pages of a folder takes a few


def page(name):
    """Return the file name of a lesson's page; index.html is that of the batch."""
    taken = re.fullmatch(r"index(\.ipynb)*", name.casefold())
    return f"{name}.ipynb.html" if taken else f"{name}.html"


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
        Names the file that would be lost, or that cannot be written.
    """
    target = folder / source.name
    if target.exists() and target.samefile(source):
        raise CourseError(
            f"{printable(target)} is the lesson itself and would be overwritten: choose another "
            "--out."
        )
    if os.path.lexists(target) and left(target, source.name) is None:
        raise CourseError(CHANGED.format(printable(target)))
    digests(folder)
    files = (folder / page(source.stem), folder / "index.html", folder / "claims.json")
    for file in files:
        check_page(file)
    for file in (target, *files):
        if os.path.lexists(file):
            paths.target(file)


def left(path, lesson):
    """Return the outcome of the run that left a notebook.

    Parameters
    ----------
    path : Path
    lesson : str
        The file name of the lesson.

    Returns
    -------
    gancourse.batch.lessons.Outcome or None
        None if the notebook is not there, or is not as a run of this lesson has left it.
    """
    if path.is_symlink() or not path.is_file():
        return None
    try:
        notebook = lessons.read(path)
    except CourseError:
        return None
    outcome = lessons.outcome(notebook)
    same = outcome is not None and outcome.left == lessons.fingerprint(notebook)
    return outcome if same and (outcome.lesson or path.name) == lesson else None


def check_page(path):
    """Check that a page, claims.json or runs.csv may be replaced.

    Raises
    ------
    CourseError
        If it is not as a batch has left it.
    """
    if os.path.lexists(path) and digest(path) not in digests(path.parent).get(link(path.name), ()):
        raise CourseError(CHANGED.format(printable(path)))


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
    noted = digests(path.parent) | {link(path.name): both}
    write_atomically(path.with_name(LEFT), json.dumps(noted, indent=1).encode())
    write_atomically(path, new)


def digest(path):
    """Return the digest of a file's bytes; None if it is a link or no file, or cannot be read."""
    from pooch import file_hash

    try:
        return file_hash(path) if path.is_file() and not path.is_symlink() else None
    except OSError:
        return None


def digests(folder):
    """Return the digests that batches have noted in a folder, by the address of each file.

    Raises
    ------
    CourseError
        If the note cannot be read, or something else has its name, which writing would replace.
    """
    path = folder / LEFT
    if not os.path.lexists(path):
        return {}
    try:
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= MOST_LEFT:
            content = path.read_bytes()
            return schema.read(dict[str, list[str]], content, "the digests", CourseError)
    except OSError as error:
        raise CourseError(f"cannot read {printable(path)}: {paths.reason(error)}.") from error
    except CourseError:
        pass
    raise CourseError(CHANGED.format(printable(path)))


def free(path, status):
    """Return a path for an output, and why it is another than ``path``.

    Parameters
    ----------
    path : Path
        Has the name of the lesson.
    status : str
        Of the run whose output it is; see :class:`gancourse.batch.lessons.Outcome`.

    Returns
    -------
    path : Path
        ``path``, or one beside it if a reader has changed what is there, or if a run that was not
        done would replace the output of one that was. There, it replaces at most what an earlier
        run of the lesson has left that was not done either.
    why : str
    """
    if not os.path.lexists(path):
        return path, ""
    outcome = left(path, path.name)
    if outcome is None:
        why = "was changed during the run, and is kept"
    elif outcome.status == "done" and status != "done":
        why = "is what an earlier run has left, which was done; it is kept"
    else:
        return path, ""
    for number in count(2):
        other = beside(path, number)
        outcome = left(other, path.name)
        if not os.path.lexists(other) or (outcome is not None and outcome.status != "done"):
            return other, why


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
