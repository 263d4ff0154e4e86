"""Files of pictures, read by Pillow into bytes of one size; and why one can't be read.

torchvision's ``decode_image`` does not suffice (tried with 0.29): it reads no BMP, TIFF, PPM or
animated WebP, and drops transparency, so that hidden pixels show. It takes half the time for small
JPEGs and twice the time for those of a camera, which Pillow decodes at a fraction of their size.
``ImageFolder`` ignores transparency and EXIF orientation, and fails at the first bad file, in the
middle of training.
"""

import math
import os
import stat
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from tqdm import tqdm

from gancourse.data.own.files import FOREIGN
from gancourse.errors import DataError

SIZE = 64  # pixels a side, unless another size is asked for
MOST_PIXELS = 100_000_000  # of one decoded picture: 0.4 GB in each thread
THREADS = 8  # at most
# Without this list Pillow also tries formats that start other programs.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")


def square(picture, size):
    """Return the middle of a picture, the largest square that fits, at another size.

    The picture is turned as its EXIF tag says, and is laid on white where it is transparent. Of
    16 bits the upper 8 are kept, of an animation the first frame. It is scaled by bilinear
    interpolation with antialiasing.

    Parameters
    ----------
    picture : PIL.Image.Image
        Just opened.
    size : int
        Pixels a side.

    Returns
    -------
    uint8 numpy.ndarray, (3, size, size)

    Raises
    ------
    Exception
        Whatever Pillow raises for damaged files, and ValueError for pixels of unknown range.
    """
    picture = decoded(picture, (2 * size, 2 * size))
    side = min(picture.size)
    left, top = ((length - side) / 2 for length in picture.size)
    picture = picture.resize(
        (size, size),
        Image.Resampling.BILINEAR,
        box=(left, top, left + side, top + side),
        reducing_gap=3.0,
    )
    if picture.mode == "RGBA":
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture).convert("RGB")
    return np.asarray(picture).transpose(2, 0, 1)  # (H, W, 3) -> (3, H, W)


def halves(picture, size):
    """Return the left half of a picture over its right half, uint8 (6, size, size).

    Raises
    ------
    ValueError
        If it is not twice as wide as high; and whatever :func:`square` raises.
    """
    draft = picture.size
    # A JPEG is decoded smaller only if the seam stays between two pixels.
    if sorted(draft) == [max(draft) / 2, max(draft)] and max(draft) % 16 == 0:
        draft = (4 * size, 2 * size) if draft[0] > draft[1] else (2 * size, 4 * size)
    picture = decoded(picture, draft)
    width, height = picture.size
    if width != 2 * height:
        raise ValueError(
            f"{width}x{height} pixels, expected a file twice as wide as high: A left, B right"
        )
    parts = (picture.crop((left, 0, left + height, height)) for left in (0, height))
    return np.concatenate([square(part, size) for part in parts])


def decoded(picture, draft):
    """Return a picture turned upright, in RGB or RGBA with 8 bits; see :func:`square`.

    Parameters
    ----------
    picture : PIL.Image.Image
        Just opened.
    draft : tuple of int
        A width and height that suffice: a JPEG can be decoded at 1/2, 1/4 or 1/8 of its size.
    """
    picture.draft(None, draft)
    if math.prod(picture.size) > MOST_PIXELS:
        raise Image.DecompressionBombError
    ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PNG"):
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    elif picture.mode in ("I", "F"):
        raise ValueError("numbers of 32 bits, whose range is unknown: save it with 8 bits")
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What became of a file: its pixels, upright size and mode; or the problem."""

    pixels: np.ndarray | None = None
    size: tuple = ()
    mode: str = ""
    problem: str = ""


def look(picture, size=SIZE, read=square):
    """Read one file, and return what was :class:`Seen`; a damaged file raises nothing.

    Parameters
    ----------
    picture : gancourse.data.own.files.Picture
    size : int
        Pixels a side.
    read : callable
        ``read(image, size)`` returns the pixels, uint8 (C, size, size).
    """
    path = picture.path
    try:
        if path.suffix.lower() in FOREIGN:
            return Seen(problem="a kind that is not read: save it as JPEG or PNG")
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for ever
            return Seen(problem="not a file")
        with Image.open(path, formats=FORMATS) as image:
            (width, height), mode = image.size, image.mode
            pixels = read(image, size)
            if (width - height) * (image.width - image.height) < 0:  # it has been turned
                width, height = height, width
            return Seen(pixels=pixels, size=(width, height), mode=mode)
    except Image.DecompressionBombError:
        return Seen(problem="more pixels than are read: scale it down")
    except Exception as problem:  # Pillow's readers raise nearly everything on damaged files
        return Seen(problem=_why(path, problem))


def look_at(record, size=SIZE):
    """Read a record, and return what was :class:`Seen`.

    Parameters
    ----------
    record : gancourse.data.own.files.Record
    size : int
        Pixels a side.

    Returns
    -------
    Seen
        Of a pair the pixels are (6, size, size), A over B. If it has two files, they must have
        one shape, and the size is that of A followed by that of B.
    """
    if not record.pair:
        return look(record.files[0], size)
    if len(record.files) == 1:
        return look(record.files[0], size, halves)
    a, b = (look(file, size) for file in record.files)
    for file, seen in zip(record.files, (a, b), strict=True):
        if seen.problem:
            return Seen(problem=f"{file}: {seen.problem}")
    (small, low), (large, high) = sorted((a.size, b.size))
    if abs(large * low / high - small) > 1:  # more than a pixel of rounding
        sizes = "{}x{} and {}x{}".format(*a.size, *b.size)
        return Seen(problem=f"{sizes} pixels differ in shape: cut both to one")
    mode = a.mode if a.mode == b.mode else f"{a.mode}+{b.mode}"
    return Seen(pixels=np.concatenate([a.pixels, b.pixels]), size=a.size + b.size, mode=mode)


def _why(path, problem):
    """Say what is wrong with a file that Pillow could not read."""
    if isinstance(problem, PermissionError):
        return "no permission to read it"
    if isinstance(problem, FileNotFoundError):
        return "a link to nowhere" if path.is_symlink() else "it has gone"
    if isinstance(problem, UnidentifiedImageError):
        with open(path, "rb") as file:
            head = file.read(256)
        if not head:
            return "empty: 0 bytes"
        if head[4:8] == b"ftyp":
            return "HEIC, AVIF or a film, whatever its name says: save it as JPEG or PNG"
        if head.startswith(b"version https://git-lfs"):
            return "a placeholder of Git LFS: run `git lfs pull`"
        if head.lstrip()[:1] == b"<":
            return "a web page or a drawing in XML, whatever its name says"
        return "not a picture of a known kind"
    return str(problem) or type(problem).__name__


def rows(title, records, size=SIZE):
    """Yield the pixels of one record after the other.

    Parameters
    ----------
    title : str or pathlib.Path
        Where they are from, for messages.
    records : list of gancourse.data.own.files.Record
    size : int
        Pixels a side.

    Yields
    ------
    uint8 numpy.ndarray, (3, size, size); of pairs (6, size, size)

    Raises
    ------
    DataError
        After the last one, with all that can't be read.
    """
    unreadable = []
    read = in_threads(partial(look_at, size=size), records, str(title))
    for record, seen in zip(records, read, strict=True):
        if seen.problem:
            unreadable.append(f"{record} ({seen.problem})")
        else:
            yield seen.pixels
    if unreadable:
        first = f"{title}: {len(records) - len(unreadable):,} pictures can be read."
        raise DataError("\n".join([first, *refused(sorted(unreadable))]))


def read(title, records, size=SIZE):
    """Return the pixels of records, uint8 (N, 3 or 6, size, size); see :func:`rows`."""
    channels = 6 if records[0].pair else 3
    pixels = np.empty((len(records), channels, size, size), np.uint8)
    for row, seen in enumerate(rows(title, records, size)):
        pixels[row] = seen
    return torch.from_numpy(pixels)


def refused(unreadable):
    """Yield the lines of a message that name what can't be used, and why."""
    yield f"  unreadable  {len(unreadable):,}:"
    yield from (f"    {line}" for line in unreadable[:10])
    if len(unreadable) > 10:
        yield f"    and {len(unreadable) - 10:,} more"
    yield "Remove or replace the unreadable ones before training."


def in_threads(function, items, title):
    """Yield ``function(item)`` for each item, in order, computed by several threads."""
    pool = ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")  # large pictures, odd EXIF tags
        try:
            results = pool.map(function, items)
            yield from tqdm(results, title, len(items), unit=" pictures", leave=False, disable=None)
        finally:
            pool.shutdown(cancel_futures=True)  # Ctrl-C shall not wait for the rest
