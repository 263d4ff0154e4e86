"""The files below a folder: which are pictures, what they are called, which are for testing."""

import difflib
import hashlib
import os
import unicodedata
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

from gancourse.errors import DataError, printable

# The kinds of data sets that are read from a user's folders.
KINDS = ("folder", "pairs", "unpaired", "mapped", "boxes")
TEST_SHARE = 10  # one record in so many is for testing

MOST_FILES = 500_000  # below one folder
MOST_LEVELS = 30

ENDINGS = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff")
ENDINGS += (".ppm", ".pgm")
# Pictures too, so that leaving them out in silence would surprise.
FOREIGN = (".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".psd", ".xcf", ".tga", ".dng")
FOREIGN += (".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2")
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
LITTER = ("thumbs.db", "desktop.ini", "icon\r", "__macosx")  # written by file managers


@dataclass(frozen=True)
class Picture:
    """A file that should be a picture.

    Attributes
    ----------
    path : pathlib.Path
    name : str
        Its path below the folder, with slashes.
    """

    path: Path
    name: str

    def __str__(self):
        return shown(self.name)


@dataclass(frozen=True)
class Record:
    """One row of a data set: a picture or a pair.

    Attributes
    ----------
    name : str
        What a hash is taken of, which decides the split and the order.
    files : tuple of Picture
        One; or that of A and that of B.
    pair : bool
        Whether it is a pair; one file then holds A on its left half and B on its right half.
    """

    name: str
    files: tuple
    pair: bool = False

    @cached_property
    def hash(self):
        """A number that depends on the name alone, on every system."""
        name = composed(self.name).encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big")

    @property
    def for_testing(self):
        """Whether it is in the test split."""
        return self.hash % TEST_SHARE == 0

    def __str__(self):
        return " + ".join(map(str, self.files))


def divide(records):
    """Divide records by their hashes: a tenth for testing, at least one on either side of two.

    So a record stays on its side when others are added, except for the one of a small set.

    Returns
    -------
    training, testing : list of Record
        In the order of their hashes, so that the first N are a fair sample. A single record is
        for training.
    """
    ordered = sorted(records, key=lambda record: (not record.for_testing, record.hash))
    wanted = max(1, sum(record.for_testing for record in ordered))
    count = min(wanted, max(0, len(ordered) - 1))
    return ordered[count:], ordered[:count]


def pictures_in(folder):
    """Return what lies below a folder, sorted by name.

    Hidden files and those of file managers are left out. A link to a folder is followed if no
    other way leads there, so that the walk ends.

    Returns
    -------
    pictures : list of Picture
    others : list of str
        The names of all other files.

    Raises
    ------
    DataError
        If a folder cannot be opened, or there are more levels or files than ``MOST_LEVELS`` or
        ``MOST_FILES``.
    """
    pictures, others = [], []
    for name in _walk(folder):
        if name.lower().endswith(ENDINGS + FOREIGN):
            pictures.append(Picture(Path(folder, name), name))
        else:
            others.append(name)
    return sorted(pictures, key=lambda picture: picture.name), sorted(others)


def _walk(top):
    """Yield the name of each file below a folder, with slashes; links after what lies there."""
    real = Path(os.path.realpath(top))
    seen = {str(parent) for parent in real.parents}
    folders, links, count = [("", str(real))], deque(), 0
    while folders or links:
        name, real = folders.pop() if folders else links.popleft()
        real = real or os.path.realpath(os.path.join(top, name))
        if real in seen:
            continue
        seen.add(real)
        if name.count("/") >= MOST_LEVELS:
            raise DataError(
                f"{top} has folders in folders, more than {MOST_LEVELS} levels deep: "
                f"{shown(name)}. Name the folder in which the pictures lie."
            )
        for entry in _entries(os.path.join(top, name)):
            count += 1
            if count > MOST_FILES:
                raise DataError(
                    f"{top} has more than {MOST_FILES:,} files. Name a folder with fewer, in which "
                    "the pictures lie."
                )
            below = f"{name}/{entry.name}" if name else entry.name
            if is_litter(entry):
                continue
            if not os.path.isdir(entry):  # unlike the entry's own is_dir, never raises
                yield below
            elif entry.is_symlink():
                links.append((below, ""))
            else:
                folders.append((below, os.path.join(real, entry.name)))


def _entries(folder):
    try:
        with os.scandir(folder) as entries:
            return sorted(islice(entries, MOST_FILES + 1), key=lambda entry: entry.name)
    except OSError as problem:
        raise DataError(
            f"{shown(folder)} cannot be opened: {problem.strerror or problem}. Give yourself the "
            "permission to read it, or move it elsewhere."
        ) from problem


def is_litter(path):
    """Return whether a file or folder is hidden, or written by a file manager."""
    return path.name.startswith(".") or path.name.lower() in LITTER


def find_folder(path, kind="folder"):
    """Return the folder that a user means.

    Parameters
    ----------
    path : str or pathlib.Path
        Quotes around it and ``~`` are understood.
    kind : str
        One of ``KINDS``, for messages.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    DataError
        If there is no such folder; the nearest name is suggested.
    """
    text = str(path).strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":  # as a file manager copies it
        text = text[1:-1].strip()
    if not text:
        raise DataError(f"write the path of a folder after the colon: {kind}:PATH")
    try:
        folder = Path(text).expanduser()
    except RuntimeError:  # ~ of a user who does not exist
        folder = Path(text)
    if os.path.isdir(folder):  # unlike Path.is_dir, never raises
        try:
            str(folder.absolute()).encode()
        except UnicodeEncodeError:  # no card and no checkpoint could name it
            raise DataError(f"the name {shown(folder)} is not UTF-8. Rename the folder.") from None
        return folder
    if os.path.exists(folder) and not os.path.isfile(folder):
        raise DataError(f"{shown(folder)} is neither a folder nor a file. Name a folder.")
    if os.path.isfile(folder):
        if folder.name.lower().endswith(ARCHIVES):
            raise DataError(f"{folder} is an archive. Unpack it, and name the folder.")
        raise DataError(
            f"{folder} is a file. Name the folder that it lies in: {kind}:{folder.parent}"
        )
    hint = ""
    parents = [parent for parent in folder.absolute().parents if os.path.isdir(parent)]
    if parents and os.access(parents[0], os.R_OK):
        missing = folder.absolute().relative_to(parents[0]).parts[0]
        near = difflib.get_close_matches(missing, os.listdir(parents[0]), n=1)
        hint = f" Did you mean {parents[0] / near[0]}?" if near else f" {parents[0]} exists."
    if "\\" in text and os.sep == "/":
        hint += " Separate folders by / on this system."
    raise DataError(f"there is no folder {shown(folder.absolute())}.{hint}")


def find_folders(option, kind):
    """Return the one folder, or the two with a comma between, that a user means.

    Raises
    ------
    DataError
        If there are no such folders, more than two, or twice the same.
    """
    try:
        return [find_folder(option, kind)]  # a comma may be part of its name
    except DataError as problem:
        paths = str(option).split(",")
        if len(paths) > 2 and all(os.path.isdir(os.path.expanduser(p.strip())) for p in paths):
            raise DataError(
                f"{option} names {len(paths)} folders. Name two: that of A and that of B."
            ) from problem
        if len(paths) != 2:
            raise
    a, b = folders = [find_folder(path, kind) for path in paths]
    if os.path.samefile(a, b):
        raise DataError(f"{a} and {b} are one folder. Name one for A and another for B.")
    return folders


# Names in messages


def composed(name):
    """Return a name with é as one character; macOS stores e and an accent."""
    return unicodedata.normalize("NFC", name)


def counted(counter):
    """Return counts as words: "cats 3, dogs 1"."""
    parts = [f"{shown(name)} {count:,}" for name, count in sorted(counter.items())]
    return ", ".join(parts[:20]) + (f" and {len(parts) - 20} more" if len(parts) > 20 else "")


def some(names):
    """Return the first three names, with commas between."""
    return ", ".join(shown(name) for name in names[:3]) + (", ..." if len(names) > 3 else "")


def among(others):
    """Return " among 2 files (a.txt, b.txt)", or "" where there are none."""
    return f" among {len(others):,} files ({some(others)})" if others else ""


def shown(name):
    """Return a name in printable characters, and shortened to 120 of them."""
    name = printable(name, limit=10_000)
    return name if len(name) <= 120 else f"{name[:50]}...{name[-60:]}"
