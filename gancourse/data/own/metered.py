"""A limit on what Pillow reads of a file, so that no header takes minutes or gigabytes.

Pillow bounds the pixels of a picture, but reads a comment byte by byte, keeps each text, and makes
an object of each number in a TIFF's directory (tried with 13.0): a file of 8 MB took 16 s. It reads
through the file object, and that can count.
"""

import os
import struct
from contextlib import suppress

MOST_READS = 200_000  # of a header, and again of the pixels
HEADER = 16_000_000  # bytes before the pixels; a profile or a text of some MB is common
# A TIFF's directory is read twice, and may hold the layers of a drawing; a WebP is read as a whole.
HEADERS = {"TIFF": 100_000_000, "WebP": 50_000_000}
MOST_EXIF = 4_000_000  # bytes; most writers stay below 64 KB
MOST_NUMBERS = 300_000  # in a TIFF's directory: each strip has two
MOST_SCANS = 100  # of a JPEG; a progressive one has about ten, and each goes over all pixels
MOST_COMMENTS = 1_000  # between numbers that are written out: Pillow copies 1 MB for each

BYTES = (1, 2, 7)  # kinds of values that Pillow keeps as they are, however long
STRIPS = (273, 324)  # the tags StripOffsets and TileOffsets, which become objects of any kind


class Costly(Exception):
    """Too much to read; the text says what, and what to do."""

    def __init__(self, what):
        super().__init__(f"more than {what}, which is the limit: save it anew as PNG")


class Metered:
    """An open file of which only so much is read: first the header, then the pixels.

    Parameters
    ----------
    file : binary file
        Open for reading.
    kind : str
        The format that it begins like, or "".
    """

    def __init__(self, file, kind=""):
        self._file, self._exif, self._kind = file, MOST_EXIF, kind
        self._scans, self._begin, self._last = 0, None, b""
        most = HEADERS.get(kind, HEADER)
        self._allow(MOST_READS, most, f"{most / 1e6:.0f} MB to read before its pixels")

    def __getattr__(self, name):
        return getattr(self._file, name)

    def _allow(self, reads, size, what):
        self._reads, self._bytes = reads, size
        self._parts, self._what = f"{reads:,} parts", what

    def read(self, size=-1):
        """Return bytes as the file does; raise :class:`Costly` beyond the limits."""
        most = self._bytes + 1
        content = self._file.read(most if size is None or size < 0 else min(size, most))
        self._reads -= 1
        self._bytes -= len(content)
        if self._reads < 0 or self._bytes < 0:
            raise Costly(self._parts if self._reads < 0 else self._what)
        if content.startswith(b"Exif\0\0"):  # of a JPEG, which may have it in many parts
            self._exif -= len(content)
            check_exif(MOST_EXIF - self._exif)
        if self._kind == "JPEG" and self._begin and self._file.tell() > self._begin:
            self._scans += (self._last + content).count(b"\xff\xda")
            self._last = content[-1:]
            if self._scans > MOST_SCANS:
                raise Costly(f"{MOST_SCANS} scans")
        return content

    def begin_pixels(self, reads=None, size=None):
        """Count anew: ``reads``, and twice ``size`` bytes, by default those of the file.

        The bytes of a PNG are read twice where rows may be missing.
        """
        self._begin = self._file.tell()
        if size is None:
            size = self._file.seek(0, os.SEEK_END)
            self._file.seek(self._begin)
        most = 2 * size + HEADER
        self._allow(reads or MOST_READS, most, f"{most / 1e6:.0f} MB to read for its pixels")


def check_exif(size):
    """Refuse EXIF that is too long: Pillow makes an object of each number, 2 us each."""
    if size > MOST_EXIF:
        raise Costly(f"{MOST_EXIF / 1e6:.0f} MB of EXIF")


def check_directory(file):
    """Refuse a TIFF whose directory lists too many numbers; the file then stands anywhere.

    Pillow makes objects of them, and a decoder for each strip. A damaged directory says nothing.
    """
    with suppress(struct.error, OSError, OverflowError, ValueError):
        head = file.read(16)
        order = {b"II": "<", b"MM": ">"}[head[:2]]
        large = head[2] == 43  # the form for files beyond 4 GB
        (place,) = struct.unpack(order + ("8xQ" if large else "4xL8x"), head)
        file.seek(place)
        width = 20 if large else 12
        (count,) = struct.unpack(order + ("Q" if large else "H"), file.read(8 if large else 2))
        content = file.read(width * min(count, MOST_READS))
        form = order + ("HHQ8x" if large else "HHL4x")
        entries = struct.iter_unpack(form, content[: len(content) // width * width])
        if sum(many for tag, kind, many in entries if kind not in BYTES or tag in STRIPS) > (
            MOST_NUMBERS
        ):
            raise Costly(f"{MOST_NUMBERS:,} numbers in its directory")


def check_comments(file):
    """Refuse a picture in written numbers with too many comments; the file then stands anywhere."""
    found = 0
    while block := file.read(2**20):
        found += block.count(b"#")
        if found > MOST_COMMENTS:
            raise Costly(f"{MOST_COMMENTS:,} comments")
