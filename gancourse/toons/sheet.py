"""Sheets to draw on: a batch of pictures in colour, as line drawings, or as maps of parts."""

import math

import torch

from gancourse.toons.shapes import cover

LINE = 0.028  # the width of an outline; a picture is 2 wide
# By how many pixels a stroke is widened on each side in a map of parts. Otherwise a stroke thinner
# than a pixel would be missing wherever it passes between the centres of pixels.
THIN = 0.35


class Sheet:
    """A batch of pictures to draw on, with the coordinates and values that painters use.

    The same painters serve three media. In ``"colour"``, :meth:`paint` fills a shape and draws its
    outline; in ``"lines"``, it erases the inside of the shape and draws the outline in black; in
    ``"parts"``, it writes the number of the part. Hence picture, sketch and map agree on which
    part covers which.

    Parameters
    ----------
    medium : {"colour", "lines", "parts"}
    pixels : torch.Tensor, (N, C, H, W)
        Changed in place. Float in [0, 1], C = 3 in colour and 1 as lines; uint8, C = 1 as parts.
    planes : dict of str to torch.Tensor, (N, 1, H, W)
        Coordinates and distances, which are cropped together with the pixels.
    values : dict of str to torch.Tensor, (N, ...)
        Constants of each picture. ``values["pixel"]`` is the width of a pixel.
    window : callable, optional
        ``window(box, frame)`` returns slices of rows and columns that contain the box in every
        picture. A sheet that is a part of another one has none.

    Notes
    -----
    Planes and values are read as attributes: ``sheet.u``, ``sheet.skin``.
    """

    def __init__(self, medium, pixels, planes, values, window=None):
        self.medium = medium
        self.pixels = pixels
        self.planes = planes
        self.values = values
        self.window = window

    def __getattr__(self, name):
        for table in (self.planes, self.values):
            if name in table:
                return table[name]
        raise AttributeError(name)

    def __len__(self):
        return len(self.pixels)

    def draw(self, painter, *, box=None, frame="head", where=None):
        """Call ``painter(sheet)`` on a part of this sheet.

        Parameters
        ----------
        painter : callable
        box : tuple of float, optional
            (left, top, right, bottom) in the coordinates of ``frame``. The painter must not change
            anything outside.
        frame : {"head", "body"}
            The coordinates of the box; scenes have only one kind and ignore it.
        where : bool torch.Tensor, (N,), optional
            The pictures to draw on; by default all.
        """
        rows, columns = self.window(box, frame) if box else (slice(None), slice(None))
        pixels = self.pixels[:, :, rows, columns]
        planes = {name: plane[:, :, rows, columns] for name, plane in self.planes.items()}
        chosen = None if where is None else where.nonzero()[:, 0]
        if chosen is not None and len(chosen) == 0:
            return
        if chosen is None or len(chosen) == len(self):
            painter(type(self)(self.medium, pixels, planes, self.values))
            return
        part = type(self)(
            self.medium,
            pixels[chosen],
            {name: plane[chosen] for name, plane in planes.items()},
            {name: value[chosen] for name, value in self.values.items()},
        )
        painter(part)
        pixels[chosen] = part.pixels

    def paint(self, shape, colour, part, *, line=None, width=LINE):
        """Fill a shape, and draw its outline, which extends to both sides of the edge.

        Parameters
        ----------
        shape : torch.Tensor, (N, 1, H, W)
            Signed distances.
        colour, line : torch.Tensor, (N, 3, 1, 1) or (N, 3, H, W)
            The colours of the inside and of the outline. Without ``line`` the sketch has no
            outline either. If ``line`` is ``colour`` itself, only the sketch shows the outline.
        part : int or (int, int) or None
            The number to write into a map of parts, or one each for the left and the right half of
            the head. None does not change the map.
        width : float or torch.Tensor, (N, 1, 1, 1)
            The width of the outline.
        """
        half = 0.0 if line is None else width / 2
        if self.medium == "parts":
            self._mark(shape < half, part)
        elif self.medium == "lines":
            self._blend(1.0, cover(shape - half, self.pixel))
            if line is not None:
                self._blend(0.0, cover(shape.abs() - half, self.pixel))
        elif line is colour:
            self._blend(colour, cover(shape - half, self.pixel))
        else:
            if line is not None:
                self._blend(line, cover(shape - half, self.pixel))
            self._blend(colour, cover(shape + half, self.pixel))

    def stroke(self, shape, colour, part):
        """Fill a shape that is a line itself, and therefore black in the sketch."""
        if self.medium == "parts":
            self._mark(shape < THIN * self.pixel, part)
        else:
            self._blend(0.0 if self.medium == "lines" else colour, cover(shape, self.pixel))

    def shade(self, alpha, colour):
        """Blend in a colour with an opacity, (N, 1, H, W) in [0, 1]; only in the colour picture."""
        if self.medium == "colour":
            self._blend(colour, alpha)

    def _blend(self, colour, alpha):
        step = colour - self.pixels
        step *= alpha
        self.pixels += step

    def _mark(self, inside, part):
        if part is None:
            return
        if isinstance(part, int):
            self.pixels.masked_fill_(inside, part)
        else:
            left, right = part
            self.pixels.masked_fill_(inside & (self.u < 0), left)
            self.pixels.masked_fill_(inside & (self.u >= 0), right)


class Pose:
    """The position, the size and the tilt of the head in each picture of a sheet.

    Parameters
    ----------
    x, y : torch.Tensor, (N,)
        The point around which the head turns, in picture coordinates, -1 to 1.
    size : torch.Tensor, (N,)
        The scale of the figure.
    sine : torch.Tensor, (N,)
        The sine of the angle by which the head is turned, clockwise if positive.
    width, height : torch.Tensor, (N,)
        The width and the height of the head, relative to the standard head.
    pivot : float
        The height v of the point around which the head turns, in head coordinates.
    """

    def __init__(self, x, y, size, sine, width, height, pivot):
        self.x, self.y, self.size, self.sine = x, y, size, sine
        self.width, self.height, self.pivot = width, height, pivot
        extremes = [(t.min().item(), t.max().item()) for t in (x, y, size, sine, width, height)]
        (self.x_range, self.y_range, self.size_range, (low, high), *stretch) = extremes
        self.stretch = stretch
        self.sines = (low, 0.0, high)

    def planes(self, pixels):
        """Return the coordinates of pictures with a side of ``pixels``: planes u, v, x and y."""
        device = self.x.device
        axis = (torch.arange(pixels, device=device, dtype=torch.float32) * 2 + 1) / pixels - 1
        each = (-1, 1, 1, 1)
        x = (axis.view(1, 1, 1, -1) - self.x.view(each)) / self.size.view(each)
        y = (axis.view(1, 1, -1, 1) - self.y.view(each)) / self.size.view(each)
        sine = self.sine.view(each)
        cosine = (1 - sine * sine).sqrt()
        u = (cosine * x + sine * y) / self.width.view(each)
        v = (cosine * y - sine * x) / self.height.view(each) + self.pivot
        x, y = torch.broadcast_tensors(x, y + self.pivot)
        return {"u": u, "v": v, "x": x, "y": y}

    def window(self, pixels):
        """Return the function ``window`` of a :class:`Sheet` of pictures of this size."""

        def rows_and_columns(box, frame):
            left, top, right, bottom = box
            sines = self.sines if frame == "head" else (0.0,)
            wide, high = self.stretch if frame == "head" else ((1.0,), (1.0,))
            xs, ys = [], []
            for size in self.size_range:
                for sine in sines:
                    cosine = math.sqrt(1 - sine * sine)
                    for u in (side * w for side in (left, right) for w in wide):
                        for v in ((edge - self.pivot) * h for edge in (top, bottom) for h in high):
                            xs.append(size * (cosine * u - sine * v))
                            ys.append(size * (sine * u + cosine * v))
            return (
                span(min(ys) + self.y_range[0], max(ys) + self.y_range[1], pixels),
                span(min(xs) + self.x_range[0], max(xs) + self.x_range[1], pixels),
            )

        return rows_and_columns


def span(low, high, pixels):
    """Return the slice of ``pixels`` that contains an interval of [-1, 1], and one pixel beside."""
    first = max(0, math.floor((low + 1) / 2 * pixels) - 1)
    last = min(pixels, math.ceil((high + 1) / 2 * pixels) + 1)
    return slice(min(first, pixels - 1), max(last, first + 1))
