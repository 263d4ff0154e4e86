"""The paper that is drawn on: many pictures side by side, in colour, as lines, or as parts."""

import math

import torch

from gancourse.toons.shapes import cover

LINE = 0.028  # the width of an outline; a picture is 2 wide
# How far beside a stroke a pixel still belongs to it in a map, in pixels: a stroke that is thinner
# than a pixel would else be there only where it happens to meet a pixel's centre.
THIN = 0.35


class Sheet:
    """Pictures that are being drawn, with what the painter needs to know of each.

    One drawing program serves three media. In ``"colour"``, :meth:`paint` fills a shape and draws
    its outline; in ``"lines"``, it wipes the shape's inside and draws the outline in black; in
    ``"parts"``, it writes the number of the part. So a sketch, a map and a picture cannot disagree
    about what covers what.

    Parameters
    ----------
    medium : {"colour", "lines", "parts"}
    pixels : torch.Tensor, (N, C, H, W)
        Changed in place. Float (C = 3 or 1, 0 to 1), for parts uint8 (C = 1).
    planes : dict of str to torch.Tensor, (N, 1, H, W)
        Coordinates and distances, cropped along with the pixels.
    values : dict of str to torch.Tensor, (N, ...)
        What is constant over a picture. ``values["pixel"]`` is the width of a pixel.
    window : callable, optional
        From a box and a frame of reference to rows and columns that hold it in every picture; a
        sheet that was cut out of another one has none.

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
        """Call ``painter(sheet)`` with the part of this sheet that it is about.

        Parameters
        ----------
        painter : callable
        box : tuple of float, optional
            (left, top, right, bottom): nothing outside is touched, in the units of ``frame``.
        frame : str
            Which coordinates the box is given in, see ``window``.
        where : bool torch.Tensor, (N,), optional
            The pictures to draw on; the rest is left alone.
        """
        rows, columns = self.window(box, frame) if box else (slice(None), slice(None))
        pixels = self.pixels[:, :, rows, columns]
        planes = {name: plane[:, :, rows, columns] for name, plane in self.planes.items()}
        chosen = None if where is None else where.nonzero()[:, 0]
        if chosen is not None and len(chosen) == 0:
            return
        if chosen is None or len(chosen) == len(self):
            painter(Sheet(self.medium, pixels, planes, self.values))
            return
        part = Sheet(
            self.medium,
            pixels[chosen],
            {name: plane[chosen] for name, plane in planes.items()},
            {name: value[chosen] for name, value in self.values.items()},
        )
        painter(part)
        pixels[chosen] = part.pixels

    def paint(self, shape, colour, part, *, line=None, width=LINE):
        """Fill a shape, and draw its outline in the colour ``line``, half inside, half outside.

        Parameters
        ----------
        shape : torch.Tensor, (N, 1, H, W)
            Signed distances.
        colour, line : torch.Tensor, (N, 3, 1, 1) or (N, 3, H, W)
            Without ``line``, there is no outline; the sketch has none either. With the fill's own
            colour it shows in the sketch alone.
        part : int or (int, int) or None
            The number in the map of parts, or those for the left and right half of the head. None
            leaves the map as it is.
        width : float or torch.Tensor, (N, 1, 1, 1)
            Of the outline.
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
        """Fill a shape that is itself a line: the sketch shows it in black."""
        if self.medium == "parts":
            self._mark(shape < THIN * self.pixel, part)
        else:
            self._blend(0.0 if self.medium == "lines" else colour, cover(shape, self.pixel))

    def shade(self, alpha, colour):
        """Tint pixels by ``alpha``, (N, 1, H, W) in [0, 1]; only the picture in colour has it."""
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
    """Where a head stands in each picture, and how far that can differ within a sheet.

    Parameters
    ----------
    x, y : torch.Tensor, (N,)
        The point around which the head turns, in picture coordinates, -1 to 1.
    size : torch.Tensor, (N,)
    sine : torch.Tensor, (N,)
        Of the angle by which the head is turned, clockwise if positive.
    width, height : torch.Tensor, (N,)
        By which the head is wider or higher than the standard one.
    pivot : float
        The height of that point in head coordinates.
    """

    def __init__(self, x, y, size, sine, width, height, pivot):
        self.x, self.y, self.size, self.sine = x, y, size, sine
        self.width, self.height, self.pivot = width, height, pivot
        extremes = [(t.min().item(), t.max().item()) for t in (x, y, size, sine, width, height)]
        (self.x_range, self.y_range, self.size_range, (low, high), *stretch) = extremes
        self.stretch = stretch
        self.sines = (low, 0.0, high)

    def planes(self, pixels):
        """Return the coordinates of an ``S`` by ``S`` raster as the four planes u, v, x, y."""
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
        """Return the function from a box to rows and columns that a :class:`Sheet` needs."""

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
    """Return the slice of ``pixels`` that holds an interval of [-1, 1], with one to spare."""
    first = max(0, math.floor((low + 1) / 2 * pixels) - 1)
    last = min(pixels, math.ceil((high + 1) / 2 * pixels) + 1)
    return slice(min(first, pixels - 1), max(last, first + 1))
