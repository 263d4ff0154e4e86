"""Rendering of pictures and maps, in chunks that fit a cache and run on several threads."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property

import torch

from gancourse.errors import DataError

SIZES = (32, 256)
# Pixels that are drawn at once: so many that calls cost little, so few that they fit a cache.
CHUNK = 2**19


def check_size(kind, size):
    """Return the side of a picture in pixels if it can be drawn, else raise DataError."""
    low, high = SIZES
    if isinstance(size, bool) or not isinstance(size, int) or not low <= size <= high:
        raise DataError(f"{kind}: expected a size of {low} to {high} pixels, not {size!r}")
    return size


class Drawings:
    """The base of faces and scenes: pictures and maps, each drawn when it is first accessed.

    Parameters
    ----------
    factors : gancourse.toons.table.Table
    size : int
        Side of the pictures in pixels, 32 to 256.

    Attributes
    ----------
    factors : gancourse.toons.table.Table
    size : int

    Raises
    ------
    DataError
        If the size is out of range.
    """

    kind = "drawings"  # the name of the pictures, in the plural
    start = paint = None  # the functions of :func:`render`

    def __init__(self, factors, size=64):
        self.factors = factors
        self.size = check_size(self.kind, size)

    def __len__(self):
        return len(self.factors)

    def __repr__(self):
        return f"<{len(self):,} {self.kind}, {self.size}x{self.size} pixels>"

    def to(self, device):
        """Return the same drawings on another device, with the pictures drawn so far."""
        moved = type(self)(self.factors.to(device), self.size)
        for name in ("images", "sketch", "parts", "boxes", "quilts"):
            if name in vars(self):
                vars(moved)[name] = vars(self)[name].to(device)
        return moved

    @cached_property
    def images(self):
        """The colour pictures, uint8 (N, 3, size, size)."""
        return self._render("colour")

    @cached_property
    def sketch(self):
        """The line drawings, uint8 (N, 1, size, size): lines are 0, paper is 255."""
        return self._render("lines")

    @cached_property
    def parts(self):
        """The number of the part that each pixel shows, uint8 (N, size, size)."""
        return self._render("parts")[:, 0]

    @property
    def order(self):
        """The order in which the pictures are drawn, int64 (N,)."""
        return torch.arange(len(self), device=self.factors.codes.device)

    def _render(self, medium):
        return render(medium, self.factors, self.size, self.start, self.paint, self.order)

    @property
    def attributes(self):
        """The attributes of each picture, bool (N, number of attributes)."""
        return self.factors.attributes

    @property
    def captions(self):
        """A caption of each picture, list of str."""
        return self.factors.captions


def render(medium, factors, size, start, paint, order):
    """Draw pictures in one medium.

    Parameters
    ----------
    medium : {"colour", "lines", "parts", "quilt"}
    factors : gancourse.toons.table.Table
    size : int
        Side of the pictures in pixels.
    start : callable
        ``start(medium, factors, size)`` returns an empty sheet.
    paint : callable
        ``paint(sheet)`` draws on it.
    order : int64 torch.Tensor, (N,)
        The order in which the pictures are drawn. It is faster if pictures that need the same
        painters follow each other.

    Returns
    -------
    uint8 torch.Tensor, (N, C, size, size)
        C is 3 in colour and for quilts, else 1.
    """
    device = factors.codes.device
    channels = 3 if medium in ("colour", "quilt") else 1
    out = torch.empty(len(factors), channels, size, size, dtype=torch.uint8, device=device)

    def chunk(index):
        sheet = start(medium, factors[index], size)
        paint(sheet)
        pixels = sheet.pixels
        if medium != "parts":
            pixels = pixels.mul_(255).add_(0.5).clamp_(0, 255).to(torch.uint8)
        out[index] = pixels

    chunks = order.split(max(1, CHUNK // size**2))
    if device.type != "cpu":
        for index in chunks:
            chunk(index)
        return out
    with _one_thread_each() as threads, ThreadPoolExecutor(threads) as pool:
        list(pool.map(chunk, chunks))
    return out


def extent(mask):
    """Return the bounding box of each mask.

    Parameters
    ----------
    mask : bool torch.Tensor, (N, H, W)

    Returns
    -------
    int64 torch.Tensor, (N, 4)
        Left, top, right, bottom: the mask lies in ``[:, top:bottom, left:right]``. All four are -1
        if the mask is empty.
    """
    across, down = mask.any(1), mask.any(2)
    box = [_first(across), _first(down), _end(across), _end(down)]
    return torch.stack(box, 1).masked_fill(~across.any(1, keepdim=True), -1)


@contextmanager
def _one_thread_each():
    """Run each operation on one thread, as whole chunks run in parallel; yield their number."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


def _first(hits):
    return hits.byte().argmax(1)


def _end(hits):
    return hits.shape[1] - hits.flip(1).byte().argmax(1)
