"""The chunks of a PNG file, where Pillow is too strict or too lenient (tried with 13.0).

Pillow refuses a picture for a damaged text or colour profile, which no pixel depends on. And it
takes a file whose compressed data end after some of the rows, and leaves the other rows black.
"""

import io
import os
import struct
import zlib

from gancourse.files.paths import PNG

NEEDED = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of each colour type
# Of an interlaced picture: first column, first row, and the steps to the next, of each pass.
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
PASSES += ((0, 1, 1, 2),)
BLOCK = 2**16


def pixels_alone(file):
    """Return an open file with the chunks of a PNG that its pixels and its turn depend on."""
    kept = [PNG]
    for kind, size in _chunks(file):
        if kind in (*NEEDED, b"eXIf"):
            content, crc = file.read(size), file.read(4)
            if kind in NEEDED or crc == struct.pack(">I", zlib.crc32(kind + content)):
                kept += [struct.pack(">I", size), kind, content, crc]
    return io.BytesIO(b"".join(kept))


def pixel_bytes(file):
    """Return the bytes of a PNG's pixels as they lie in its file."""
    sizes = sum(size for kind, size in _chunks(file) if kind in (b"IDAT", b"fdAT"))
    return min(sizes, file.seek(0, os.SEEK_END))


def is_whole(file):
    """Return whether the compressed data of a PNG hold as many bytes as all its rows need."""
    missing, inflate = 0, zlib.decompressobj()
    for kind, size in _chunks(file):
        if kind == b"IHDR":
            missing = _raw_size(*struct.unpack(">IIBBBBB", file.read(13)))
        for start in range(0, size if kind == b"IDAT" else 0, BLOCK):
            block = file.read(min(BLOCK, size - start))
            while block and missing > 0 and not inflate.eof:
                missing -= len(inflate.decompress(block, 16 * BLOCK))
                block = inflate.unconsumed_tail
    return missing <= 0


def _chunks(file):
    """Yield kind and size of each chunk; the file then stands at its content."""
    place, end = len(PNG), file.seek(0, os.SEEK_END)
    while place + 8 <= end:
        file.seek(place)
        size, kind = struct.unpack(">I4s", file.read(8))
        yield kind, size
        place += size + 12


def _raw_size(width, height, bits, colour, compression, filtering, interlaced):
    """Return the bytes of all rows before compression: a row begins with one for its filter."""

    def rows(wide, high):
        return high * (1 + (wide * bits * CHANNELS[colour] + 7) // 8) if wide else 0

    if not interlaced:
        return rows(width, height)
    return sum(rows(-((x - width) // dx), -((y - height) // dy)) for x, y, dx, dy in PASSES)
