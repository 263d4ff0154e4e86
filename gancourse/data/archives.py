"""Downloads that are whole or not there at all, and archives that write only into their folder.

Pooch does the transfer, the progress bar, the hash and the cache folder's place; Python's tarfile
and zipfile unpack. What they lack stands here: several addresses for a file, resuming after an
interruption, messages that say what to do, and a check of all entries before one is written.

Pooch's own ``Untar`` and torchvision's ``extract_archive`` do not suffice (tried with pooch 1.9,
torchvision 0.29 and Python 3.11): both write an entry ``../evil`` outside the folder, and follow
links out of it; pooch does not from Python 3.12 on. Neither resumes a download. Pooch takes the
folder of an interrupted unpacking for complete if every name is there. The filter "data" of
tarfile refuses an entry when those before it are written already.
"""

import contextlib
import errno
import gzip
import lzma
import os
import shutil
import stat
import tarfile
import urllib.request
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath

import pooch

from gancourse.cache import CACHE, cache_folder
from gancourse.errors import DataError

ATTEMPTS = 5  # at one address, as long as each brings something
TIMEOUT = 30  # seconds without a byte


@dataclass(frozen=True, kw_only=True)
class Download:
    """What is known of a file before it is downloaded.

    Attributes
    ----------
    dataset : str
        As ``gancourse data fetch`` knows it.
    file : str
        The file's name.
    size : int or None
        In bytes; None if it is not published: then the server is asked.
    sha256 : str or None
        In hexadecimal, as published. None if none is: then that of the first download is recorded
        beside the file, and later downloads are checked against it.
    addresses : tuple of str
        Where it can be downloaded; tried in this order.
    page : str
        The page where a person can get it, if the addresses don't always serve programs.
    """

    dataset: str
    file: str
    size: int | None
    sha256: str | None
    addresses: tuple[str, ...]
    page: str = ""

    @property
    def path(self):
        """Where the whole file lies after the download."""
        return cache_folder() / self.dataset / self.file

    @property
    def is_here(self):
        """Whether a file of that name is in the cache folder, if there is such a folder."""
        try:
            return os.path.isfile(self.path)
        except DataError:  # the home folder is not known
            return False

    @property
    def part(self):
        """Where an unfinished download lies; the name holds the start of the hash."""
        return self.path.with_name(f"{self.file}.{(self.sha256 or 'first')[:8]}.part")

    @property
    def record(self):
        """Where the hash of the first download is kept, in the form of sha256sum."""
        return self.path.with_name(f"{self.file}.sha256")

    @property
    def known_hash(self):
        """The SHA-256 as published, or as recorded; None where there is neither."""
        if self.sha256 or not self.record.is_file():
            return self.sha256
        found = self.record.read_text(encoding="utf-8").split()[:1]
        if not found or len(found[0]) != 64 or set(found[0]) - set("0123456789abcdef"):
            raise DataError(
                f"{self.record} should hold the SHA-256 of {self.file} and does not. Delete both, "
                f"and fetch them again with `gancourse data fetch {self.dataset}`."
            )
        return found[0]


def is_whole(download):
    """Return whether the file is here with the right hash.

    If none is published or recorded, the file must pass its own checksums; then its hash is
    recorded.
    """
    path = download.path
    if not path.is_file():
        return False
    if download.known_hash is None:
        if _damage(path, download.file) or download.size not in (None, path.stat().st_size):
            return False
        _record(download, pooch.file_hash(path))
    return pooch.file_hash(path) == download.known_hash


def _record(download, sha256):
    download.record.write_text(f"{sha256}  {download.file}\n", encoding="utf-8")


def _damage(path, name):
    """Read an archive to its end, and return what is wrong with it; "" if nothing.

    The kind that it should be of is that of its name.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                bad = archive.testzip()
            return f"{bad} is damaged in it" if bad else ""
        with open(path, "rb") as file:
            head = file.read(64)
        if head.startswith(b"\x1f\x8b"):
            with gzip.open(path) as file:
                while file.read(2**20):
                    pass
        elif name.endswith((".zip", ".gz", ".tgz")):
            page = "it is a web page" if head.lstrip().startswith(b"<") else "it is no archive"
            return f"{page}; it begins with {head!r}" if head else "it is empty"
        if name.endswith((".tar", ".tar.gz", ".tgz")) and not tarfile.is_tarfile(path):
            return "there is no tar archive in it"
        if name.endswith(".zip"):
            return "there is no zip archive in it"
    except BROKEN as problem:
        return str(problem) or type(problem).__name__
    return ""


def verify(download):
    """Raise a DataError, which says what to do, unless the file is here and whole."""
    if not download.path.is_file():
        raise DataError(
            f"{download.dataset} is not on this machine: {download.path} is missing. "
            f"Download it with `gancourse data fetch {download.dataset}`"
            + (f", or put it there yourself, from {download.page}." if download.page else ".")
        )
    if not is_whole(download):
        wrong = f"its SHA-256 is not {download.known_hash}"
        if download.known_hash is None:
            wrong = (
                _damage(download.path, download.file) or f"it should have {download.size:,} bytes"
            )
        raise DataError(
            f"{download.path} is damaged: {wrong}. "
            f"Replace it with `gancourse data fetch {download.dataset}`."
        )


# Downloading


class _Failed(Exception):
    """An address did not send the file; the text says why."""


def fetch(download, *, progress=False):
    """Bring a file into the cache folder, unless it is there already.

    Parameters
    ----------
    download : Download
    progress : bool
        Show a progress bar on standard error.

    Returns
    -------
    pathlib.Path
        The whole file, its hash checked.

    Raises
    ------
    DataError
        If no address sent the file, or it cannot be written. The part that has arrived is kept
        under another name, and the next call resumes there.
    """
    with writing(download.path, download.size):
        if is_whole(download):
            return download.path
        download.path.parent.mkdir(parents=True, exist_ok=True)
    failures = []
    for address in download.addresses:
        try:
            size = download.size or _ask_size(address)
            _fetch_from(address, replace(download, size=size), progress)
            return download.path
        except _Failed as failure:
            failures.append(f"  {address}: {failure}")
    arrived = _size(download.part)
    size = f"{download.size:,} bytes" if download.size else "of unknown size"
    whole = f"of {size}" if download.size else "bytes"
    kept = f" ({arrived:,} {whole} are kept)" if arrived else ""
    source = download.page or "another machine"
    known = f"SHA-256 {download.known_hash}" if download.known_hash else "no published SHA-256"
    raise DataError(
        "\n".join(
            [
                f"{download.dataset}: {download.file} could not be downloaded.",
                *failures,
                f"Check the connection and fetch again{kept}. Or bring the file "
                f"({size}, {known}) from {source} to",
                f"  {download.path}",
            ]
        )
    )


def _ask_size(address):
    """Return how many bytes a file has, as its server says."""
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT) as response:
            size = response.headers.get("Content-Length", "")
    except OSError as problem:
        raise _Failed(str(problem)) from problem
    if not size.isdecimal():
        raise _Failed("does not say how long the file is")
    return int(size)


def _fetch_from(address, download, progress):
    """Load the file from one address; resume when the connection breaks, up to ATTEMPTS times."""
    for _ in range(ATTEMPTS):
        begun = _size(download.part)
        if begun < download.size:
            failure = _transfer(address, download, begun, progress)
            arrived = _size(download.part)
            if arrived < download.size:
                if arrived > begun:
                    continue
                raise _Failed(failure or f"ended after {arrived:,} of {download.size:,} bytes")
        found = pooch.file_hash(download.part)
        known = download.known_hash
        damage = "" if known else _damage(download.part, download.file)
        with writing(download.path, download.size):
            if not damage and known in (None, found):
                if not known:
                    _record(download, found)
                os.replace(download.part, download.path)
                return
            download.part.unlink()
        if begun:  # the bad part may be of an earlier download
            continue
        if damage:
            raise _Failed(f"sent a damaged file: {damage}")
        failure = f"sent another file: SHA-256 {found}, expected {known}"
        if not download.sha256:
            failure += f", as recorded at the first download in {download.record.name}"
        raise _Failed(failure)
    raise _Failed(f"broke off {ATTEMPTS} times")


def _transfer(address, download, begun, progress):
    """Append what is missing from byte ``begun`` on; return what went wrong, or None."""
    with writing(download.path, download.size), open(download.part, "ab") as file:

        def begin(response, **_):
            if response.status_code == 206:
                offered = response.headers.get("Content-Range", "").rpartition("/")[2]
            elif response.status_code == 200:
                offered = response.headers.get("Content-Length", str(download.size))
            else:
                return  # sent elsewhere, or refused
            if response.headers.get("Content-Type", "").startswith("text/html"):
                raise _Failed("sends a web page in place of the file, as if to a person")
            if offered != str(download.size):
                raise _Failed(f"offers a file of {offered} bytes, expected {download.size}")
            if begun and response.status_code == 200:  # everything, from the start
                file.truncate(0)

        transfer = pooch.HTTPDownloader(
            progressbar=progress,
            chunk_size=2**16,
            timeout=TIMEOUT,
            # As it is: bytes that were compressed on the way can neither be counted nor resumed.
            headers={"Accept-Encoding": "identity"}
            | ({"Range": f"bytes={begun}-"} if begun else {}),
            hooks={"response": begin},
        )
        try:
            transfer(address, _Writer(file, download), None)
        except OSError as problem:  # the network's; the disk's have become a DataError
            return _root(problem)
        file.flush()
        os.fsync(file.fileno())
    return None


class _Writer:
    """Turns errors of the disk into DataErrors, so that other OSErrors are of the network."""

    def __init__(self, file, download):
        self.file, self.download = file, download

    def write(self, chunk):
        with writing(self.download.path, self.download.size):
            self.file.write(chunk)
            if self.file.tell() > self.download.size:  # it may never end
                raise _Failed(f"sends more than {self.download.size} bytes")

    def flush(self):
        with writing(self.download.path, self.download.size):
            self.file.flush()


@contextlib.contextmanager
def writing(path, size):
    """Turn an error of the disk into one that says what to do.

    Parameters
    ----------
    path : pathlib.Path
        What is written, in the cache folder.
    size : int or None
        How large it will be, in bytes.
    """
    try:
        yield
    except OSError as problem:
        place = f"{path}{f' ({size / 2**20:.1f} MB)' if size else ''} cannot be written: "
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(
                f"{place}the disk is full. Free some space, or set the environment variable "
                f"{CACHE} to a folder on another disk, and fetch again."
            ) from problem
        raise DataError(
            f"{place}{problem.strerror or problem}. "
            f"Set the environment variable {CACHE} to a folder that you may write to."
        ) from problem


def _root(problem):
    """Return the text of the error that led to all others: it is the most specific."""
    response = getattr(problem, "response", None)
    if response is not None:
        return f"answered {response.status_code} {response.reason}"
    while problem.__cause__ or problem.__context__:
        problem = problem.__cause__ or problem.__context__
    return str(problem) or type(problem).__name__


def _size(path):
    return path.stat().st_size if path.exists() else 0


# Unpacking

BROKEN = (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zlib.error)
BROKEN += (lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError)


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
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    try:
        with _opened(archive) as (file, entries):
            for name, is_plain in entries:
                _refuse_unsafe(archive, name, is_plain)
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
    return folder


@contextlib.contextmanager
def _opened(archive):
    """Yield an open archive, and for each entry its name and whether it is a file or a folder."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            # The upper half holds Unix's mode; 0 where the archive was made elsewhere.
            plain = (0, stat.S_IFREG, stat.S_IFDIR)
            yield (
                file,
                [(i.filename, stat.S_IFMT(i.external_attr >> 16) in plain) for i in file.filelist],
            )
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as file:
            if hasattr(tarfile, "data_filter"):  # from Python 3.10.12 on; it drops setuid bits
                file.extraction_filter = tarfile.data_filter
            yield file, [(info.name, info.isreg() or info.isdir()) for info in file]
    else:
        raise DataError(f"{archive} is damaged, or of a kind other than .zip, .tar and .tar.gz.")


def _refuse_unsafe(archive, name, is_plain):
    # Both kinds of path: a name that is harmless here may not be so on Windows.
    paths = PurePosixPath(name), PureWindowsPath(name)
    if any(path.anchor or ".." in path.parts for path in paths):
        raise DataError(f"{archive} was not unpacked: {name!r} would be written outside its folder")
    if not is_plain:
        raise DataError(f"{archive} was not unpacked: {name!r} is neither a file nor a folder")
