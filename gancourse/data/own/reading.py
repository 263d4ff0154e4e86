"""Files of pictures, read by Pillow into bytes of one size; and why one can't be read.

torchvision's ``decode_image`` does not suffice (tried with 0.29): it reads no BMP, TIFF, PPM or
animated WebP, and drops transparency, so that hidden pixels show. It takes half the time for small
JPEGs and twice the time for those of a camera, which Pillow decodes at a fraction of their size.
``ImageFolder`` ignores transparency and EXIF orientation, and fails at the first bad file, in the
middle of training.
"""

import os
import stat
import warnings
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from gancourse.data.own import png
from gancourse.data.own.decoding import FORMATS, MEMORY, Unfit, decode, reads_of
from gancourse.data.own.files import FOREIGN, shown
from gancourse.data.own.metered import Costly, Metered, check_directory
from gancourse.data.own.room import Room
from gancourse.errors import DataError
from gancourse.files import paths

SIZE = 64  # pixels a side, unless another size is asked for
THREADS = 8  # at most
AHEAD = 256  # pictures that are decoded before they are asked for
MOST_BYTES = 200_000_000  # of a file, and of all that are open at once: some are read whole
FILES = Room(MOST_BYTES)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What became of a file: its pixels, upright size and mode; or the problem."""

    pixels: np.ndarray | None = None
    size: tuple = ()
    mode: str = ""
    problem: str = ""

    @property
    def is_dark(self):
        """Whether it, or a side of the pair, has no value in the upper three quarters."""
        return min(side.max() for side in np.split(self.pixels, len(self.pixels) // 3)) < 64


UNREAD = Seen(problem="a kind that is not read: save it as JPEG or PNG")


def look(picture, size=SIZE, pair=False, decoder=decode):
    """Read one file, and return what was :class:`Seen`; a damaged file raises nothing.

    Parameters
    ----------
    picture : gancourse.data.own.files.Picture
    size : int
        Pixels a side.
    pair : bool
        Whether it holds A on the left and B on the right.
    decoder : callable
        ``decoder(image, size, pair)`` returns pixels and the upright size of a picture that Pillow
        has opened; it may raise :class:`Unfit`.
    """
    path = picture.path
    if path.suffix.lower() in FOREIGN:
        return UNREAD
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for ever
            return Seen(problem="not a file")
        return look_into(partial(open, path, "rb"), size, pair, decoder)
    except PermissionError:
        return Seen(problem="no permission to read it")
    except FileNotFoundError:
        return Seen(problem="a link to nowhere" if path.is_symlink() else "it has gone")
    except OSError as problem:
        return Seen(problem=problem.strerror or str(problem))


def look_into(opened, size=SIZE, pair=False, decoder=decode):
    """Read a file as :func:`look` does; ``opened()`` returns it open, from its beginning."""
    with opened() as file:
        head = file.read(256)
        length = file.seek(0, os.SEEK_END)
    if not length:
        return Seen(problem="empty: 0 bytes")
    if length > MOST_BYTES:
        limit = f"{MOST_BYTES / 1e6:.0f} MB"
        return Seen(problem=f"{length / 1e6:,.0f} MB, and the limit is {limit}: scale it down")
    with FILES.taken(length):
        try:
            with opened() as file:
                return _decoded(file, kind_of(head), size, pair, decoder)
        except Unfit as problem:
            return Seen(problem=str(problem))
        except Image.DecompressionBombError:
            most = f"{MEMORY // 4:,} pixels"
            return Seen(problem=f"more than {most}, which is the limit: scale it down")
        except Exception as problem:  # Pillow's readers raise nearly everything on damaged files
            if isinstance(problem, PermissionError):
                raise
            if head.startswith(paths.PNG):  # what is damaged may be a text that nobody needs
                with suppress(Exception), opened() as file:
                    metered = Metered(file)
                    metered.begin_pixels()
                    alone = png.pixels_alone(metered)
                    return _decoded(alone, "PNG", size, pair, decoder)
            return Seen(problem=_why(head, problem))


def _decoded(file, kind, size, pair, decoder):
    if kind == "TIFF":
        check_directory(file)
    metered = Metered(file, kind)
    with Image.open(metered, formats=FORMATS) as image:
        metered.begin_pixels(reads_of(image))
        if image.format == "PNG":  # texts may follow, of which Pillow makes copies
            place = metered.tell()
            metered.begin_pixels(reads_of(image), png.pixel_bytes(metered))
            metered.seek(place)
        mode = image.mode
        pixels, whole = decoder(image, size, pair)
    return Seen(pixels=pixels, size=whole, mode=mode)


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
        return look(record.files[0], size, pair=True)
    a, b = both = [look(file, size) for file in record.files]
    problem = apart(record, both)
    if problem:
        return Seen(problem=problem)
    mode = a.mode if a.mode == b.mode else f"{a.mode}+{b.mode}"
    return Seen(pixels=np.concatenate([a.pixels, b.pixels]), size=a.size + b.size, mode=mode)


def apart(record, both):
    """Return why two files that were seen cannot lie on each other; "" if they can."""
    for file, seen in zip(record.files, both, strict=True):
        if seen.problem:
            return f"{file}: {seen.problem}"
    a, b = (seen.size for seen in both)
    (small, low), (large, high) = sorted((a, b))
    if abs(large * low / high - small) > 1:  # more than a pixel of rounding
        return "{}x{} and {}x{} pixels differ in shape: cut both to one".format(*a, *b)
    return ""


KINDS = {b"\xff\xd8": "JPEG", b"\x89PNG": "PNG", b"GIF8": "GIF", b"RIFF": "WebP", b"BM": "BMP"}
KINDS |= {order + form: "TIFF" for order in (b"II", b"MM") for form in (b"*\0", b"\0*")}
KINDS |= {b"II+\0": "TIFF", b"MM\0+": "TIFF"} | {b"P%d" % n: "PPM" for n in range(1, 7)}


def kind_of(head):
    """Return the format that a file begins like, or ""."""
    return next((kind for start, kind in KINDS.items() if head.startswith(start)), "")


def _why(head, problem):
    """Say what is wrong with a file that Pillow could not read; ``head`` are its first bytes."""
    if head[4:8] == b"ftyp":
        return "HEIC, AVIF or a film, whatever its name says: save it as JPEG or PNG"
    if head.startswith(b"version https://git-lfs"):
        return "a placeholder of Git LFS: run `git lfs pull`"
    if head.lstrip()[:1] == b"<":
        return "a web page or a drawing in XML, whatever its name says"
    if isinstance(problem, Costly):
        return str(problem)
    kind = kind_of(head)
    if isinstance(problem, UnidentifiedImageError):
        rare = f"a {kind} that is damaged, or of a rare kind: save it anew as PNG"
        return rare if kind else "not a picture of a known kind"
    return f"a {kind or 'file'} that is damaged: {shown(problem) or type(problem).__name__}"


def rows(title, records, size=SIZE, looker=look_at):
    """Yield the pixels of one record after the other.

    Parameters
    ----------
    title : str or pathlib.Path
        Where they are from, for messages.
    records : list of gancourse.data.own.files.Record
    size : int
        Pixels a side.
    looker : callable
        ``looker(record, size=size)`` returns what was :class:`Seen`.

    Yields
    ------
    uint8 numpy.ndarray, (3, size, size); of pairs (6, size, size)

    Raises
    ------
    DataError
        After the last one, with all that can't be read.
    """
    unreadable = []
    read = in_threads(partial(looker, size=size), records, str(title))
    for record, seen in zip(records, read, strict=True):
        if seen.problem:
            unreadable.append(f"{record} ({seen.problem})")
        else:
            yield seen.pixels
    if unreadable:
        first = f"{title}: {len(records) - len(unreadable):,} pictures can be read."
        raise DataError("\n".join([first, *refused(sorted(unreadable))]))


def read(title, records, size=SIZE, looker=look_at):
    """Return the pixels of records, uint8 (N, 3 or 6, size, size); see :func:`rows`."""
    pixels = None
    for row, seen in enumerate(rows(title, records, size, looker)):
        if pixels is None:
            pixels = np.empty((len(records), *seen.shape), np.uint8)
        pixels[row] = seen
    return torch.from_numpy(pixels)


def refused(lines, what="unreadable", remedy="Remove or replace the unreadable ones."):
    """Yield the lines of a message that name what can't be used, and why."""
    yield f"  {what:<11} {len(lines):,}:"
    yield from (f"    {line}" for line in lines[:10])
    if len(lines) > 10:
        yield f"    and {len(lines) - 10:,} more"
    yield remedy


@contextmanager
def quiet():
    """Silence Pillow's warnings, of large pictures and odd EXIF tags."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def in_threads(function, items, title):
    """Yield ``function(item)`` for each item, in order, computed by several threads."""
    pool = ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1))
    with quiet():
        try:
            rest, ahead = iter(items), deque()  # a slow reader shall not have all in memory
            for _ in tqdm(items, title, unit=" pictures", leave=False, disable=None):
                more = islice(rest, AHEAD - len(ahead))
                ahead.extend(pool.submit(function, item) for item in more)
                yield ahead.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)  # Ctrl-C shall not wait for the rest
