"""Archives that are unpacked only into their folder, and only as far as they should be.

Python's tarfile and zipfile do the work. What they lack stands here: a check of all entries before
one is written, and limits on what comes out of a small file.

Pooch's own ``Untar`` and torchvision's ``extract_archive`` do not suffice (tried with pooch 1.9,
torchvision 0.29 and Python 3.11): both write an entry ``../evil`` outside the folder, and follow
links out of it; pooch does not from Python 3.12 on. Pooch takes the folder of an interrupted
unpacking for complete if every name is there. The filter "data" of tarfile refuses an entry when
those before it are written already. None of them has a limit: a tar of 1.5 KB can hold a file of
3 GB, or a header of as much, which tarfile reads at once.
"""

import bz2
import gzip
import lzma
import os
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

from gancourse.data.own.files import shown
from gancourse.errors import DataError
from gancourse.files.cache import locked

BROKEN = (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, IndexError)
BROKEN += (zlib.error, lzma.LZMAError, struct.error, zipfile.BadZipFile, tarfile.TarError)
COMPRESSED = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}  # by first bytes
# Pictures hardly become smaller in an archive.
FACTOR, ALLOWANCE = 10, 100_000_000
MOST_ENTRIES = 200_000
MOST_AT_ONCE = 2**20  # bytes; tarfile reads a whole header, but files in pieces


def most_unpacked(archive):
    """Return how many bytes may come out of an archive: ten times its size, and 100 MB."""
    return FACTOR * os.path.getsize(archive) + ALLOWANCE


class _TooMuch(ValueError):
    """More comes out of an archive than should; the text says how much."""


class _Bounded:
    """A file that may not be read beyond some bytes, nor many bytes at once; for tarfile."""

    def __init__(self, file, most):
        self.file, self.most = file, most

    def read(self, size):
        if size > MOST_AT_ONCE:
            raise _TooMuch(f"a header has {size:,} bytes")
        found = self.file.read(size)
        self._check(self.file.tell())
        return found

    def seek(self, place):
        self._check(place)
        return self.file.seek(place)

    def tell(self):
        return self.file.tell()

    def _check(self, place):
        if place > self.most:
            raise _TooMuch(f"more than {self.most:,} bytes come out of it")


@contextmanager
def _tar(archive):
    """Open a tar file, which may be compressed; raise a DataError if it is none."""
    with open(archive, "rb") as file:
        head = file.read(8)
    opener = next((how for start, how in COMPRESSED.items() if head.startswith(start)), open)
    with opener(archive, "rb") as file:
        try:
            tar = tarfile.open(fileobj=_Bounded(file, most_unpacked(archive)), mode="r:")
        except tarfile.ReadError as problem:
            raise DataError(
                f"{archive} is damaged, or of a kind other than .zip, .tar and .tar.gz."
            ) from problem
        if hasattr(tarfile, "data_filter"):  # from Python 3.10.12 on; it drops setuid bits
            tar.extraction_filter = tarfile.data_filter
        yield tar


def damage(path, name):
    """Read an archive to its end, and return what is wrong with it; "" if nothing.

    The kind that it should be of is that of its name.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if sum(info.file_size for info in archive.filelist) > most_unpacked(path):
                    raise _TooMuch(f"more than {most_unpacked(path):,} bytes come out of it")
                bad = archive.testzip()
            return f"{bad} is damaged in it" if bad else ""
        with open(path, "rb") as file:
            head = file.read(64)
        if head.startswith(b"\x1f\x8b"):
            with gzip.open(path) as opened:
                file = _Bounded(opened, most_unpacked(path))
                while file.read(2**20):
                    pass
        elif name.endswith((".zip", ".gz", ".tgz")):
            page = "it is a web page" if head.lstrip().startswith(b"<") else "it is no archive"
            return f"{page}; it begins with {head!r}" if head else "it is empty"
        if name.endswith((".tar", ".tar.gz", ".tgz")):
            with _tar(path):
                pass
        if name.endswith(".zip"):
            return "there is no zip archive in it"
    except DataError:
        return "there is no tar archive in it"
    except BROKEN as problem:
        return str(problem) or type(problem).__name__
    return ""


def unpack(archive, folder):
    """Unpack a .zip or .tar file, which may be compressed, into a folder of its own.

    Every entry is checked before the first is written. The files are written beside the folder,
    which gets its name when all are there: a folder that exists is complete.

    Parameters
    ----------
    archive : str or pathlib.Path
    folder : str or pathlib.Path
        If it exists, nothing is done.

    Returns
    -------
    pathlib.Path
        ``folder``.

    Raises
    ------
    DataError
        If an entry would lie outside the folder, or is a link, a device or anything else but a
        file or a folder; if the archive is damaged or of another kind; if the disk is full or
        the folder cannot be written. Nothing is left behind.
    """
    archive, folder = Path(archive), Path(folder)
    if folder.is_dir():
        return folder
    with locked(folder.parent):
        if not folder.is_dir():  # another process may have been at work
            _unpack(archive, folder)
    return folder


def _unpack(archive, folder):
    part = folder.with_name(f"{folder.name}.part")
    for old in (part, *folder.parent.glob(f"{folder.name}.*.part")):  # of a killed process
        shutil.rmtree(old, ignore_errors=True)
    try:
        with _opened(archive) as (file, entries):
            _check(archive, entries)
            part.mkdir(parents=True)
            file.extractall(part)
        os.replace(part, folder)
    except BROKEN as problem:
        raise DataError(
            f"{archive} cannot be unpacked into {folder}: {problem}. If the disk is full, free "
            "some space; if the archive is damaged, delete it and fetch it again."
        ) from problem
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _opened(archive):
    """Yield an open archive, and of each entry its name, size, and whether it is a plain file."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            # The upper half holds Unix's mode; 0 where the archive was made elsewhere.
            plain = (0, stat.S_IFREG, stat.S_IFDIR)
            yield (
                file,
                (
                    (i.filename, i.file_size, stat.S_IFMT(i.external_attr >> 16) in plain)
                    for i in file.filelist
                ),
            )
    else:
        with _tar(archive) as file:
            yield file, ((i.name, i.size, i.isreg() or i.isdir()) for i in file)


def _check(archive, entries):
    """Raise a DataError unless all entries may be written."""
    total = number = 0
    for number, (name, size, is_plain) in enumerate(entries, 1):
        # Both kinds of path: a name that is harmless here may not be so on Windows.
        paths = PurePosixPath(name), PureWindowsPath(name)
        total += size
        if any(path.anchor or ".." in path.parts for path in paths):
            problem = f"{shown(name)!r} would be written outside its folder"
        elif not is_plain or not name:
            problem = f"{shown(name)!r} is neither a file nor a folder"
        elif total > most_unpacked(archive):
            problem = f"more than {most_unpacked(archive):,} bytes come out of it"
        elif number > MOST_ENTRIES:
            problem = f"it has more than {MOST_ENTRIES:,} entries"
        else:
            continue
        raise DataError(f"{archive} was not unpacked: {problem}")
    if not number:
        raise DataError(f"{archive} was not unpacked: there is nothing in it")
