"""Downloads that are whole or not there at all.

Pooch does the transfer, the progress bar, the hash and the cache folder's place. What it lacks
stands here: several addresses for a file, resuming after an interruption (tried with pooch 1.9),
and messages that say what to do.
"""

import os
import urllib.request
from dataclasses import dataclass, replace
from http.client import HTTPException

import pooch

from gancourse.data.unpacking import damage
from gancourse.errors import DataError
from gancourse.files.cache import cache_folder, locked, writing
from gancourse.files.writing import write_atomically

__all__ = ["Download", "fetch", "is_whole", "verify"]

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
        found = self.record.read_text(encoding="utf-8", errors="replace").split()[:1]
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
        if damage(path, download.file) or download.size not in (None, path.stat().st_size):
            return False
        _record(download, pooch.file_hash(path))
    return pooch.file_hash(path) == download.known_hash


def _record(download, sha256):
    write_atomically(download.record, f"{sha256}  {download.file}\n".encode())


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
                damage(download.path, download.file) or f"it should have {download.size:,} bytes"
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
    if download.path.is_file() and is_whole(download):
        return download.path
    with locked(download.path.parent):
        return _fetch(download, progress)


def _fetch(download, progress):
    """Bring a file into the cache folder, which no other process writes to."""
    with writing(download.path, download.size):
        if is_whole(download):  # another process has brought it
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
    except (OSError, HTTPException, ValueError) as problem:
        raise _Failed(str(problem) or type(problem).__name__) from problem
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
        bad = "" if known else damage(download.part, download.file)
        with writing(download.path, download.size):
            if not bad and known in (None, found):
                if not known:
                    _record(download, found)
                os.replace(download.part, download.path)
                for old in download.path.parent.glob(f"{download.file}.*.part"):
                    old.unlink()  # of another version
                return
            download.part.unlink()
        if begun:  # the bad part may be of an earlier download
            continue
        if bad:
            raise _Failed(f"sent a damaged file: {bad}")
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
        except (OSError, HTTPException) as problem:  # the disk's have become a DataError
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
