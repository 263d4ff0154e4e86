"""Grids of pictures in a figure, in which every pixel of a picture is a whole square of pixels.

matplotlib resamples a picture to the size of its axes, which blurs it or makes some of its pixels
wider than others. A grid here is enlarged by a whole factor and copied into the figure.
"""

import numpy as np
from matplotlib.artist import Artist
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from matplotlib.textpath import text_to_path
from matplotlib.transforms import IdentityTransform
from PIL import Image

DPI = 96  # a point of the page is a pixel at this density; files have twice as many
DENSITY = 2
LEAST = 96  # the least side of a small picture, in pixels of the page
WIDEST = 900  # the width of a figure that a notebook shows unscaled, in pixels of the page
GAP = 2  # between pictures, in pixels of the page
LINE = 16  # the height of a line of text, in pixels of the page
WIDEST_LABEL, BESIDE = 130, 10  # a line of a label, and the distance to its row


def to_pixels(images):
    """Return images as the bytes of colour pictures.

    Parameters
    ----------
    images : float torch.Tensor, (N, 1 or 3, H, W) in [-1, 1]
        Values outside are clamped.

    Returns
    -------
    uint8 numpy.ndarray, (N, H, W, 3)
    """
    images = images.detach().float().cpu().clamp(-1, 1)
    pixels = ((images + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    return pixels.repeat(3, 3) if pixels.shape[3] == 1 else pixels


def enlarged(pixels, side):
    """Enlarge a picture by the largest whole factor with which it fits, or reduce it.

    Parameters
    ----------
    pixels : uint8 numpy.ndarray, (H, W, 3)
    side : float
        The longer side of the result is at most so many pixels.

    Returns
    -------
    uint8 numpy.ndarray, (factor * H, factor * W, 3)
        A picture that is larger than ``side`` is reduced by averaging.
    """
    longest = max(pixels.shape[:2])
    factor = int(side / longest + 1e-6)
    if factor:
        return pixels.repeat(factor, 0).repeat(factor, 1)
    height, width = (max(1, round(edge * side / longest)) for edge in pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def side_of(pixels, across, width=WIDEST):
    """Return the side at which small pictures are drawn, in pixels of the page.

    Parameters
    ----------
    pixels : int
        The longer side of a picture, in its own pixels.
    across : int
        How many pictures a row has.
    width : float
        The room that they have together.

    Returns
    -------
    float
        At least :data:`LEAST`. Where there is room, the factor is even, so that a screen of
        ordinary density shows whole pixels too.
    """
    if pixels > LEAST * DENSITY:
        return LEAST
    factor = -(-LEAST * DENSITY // pixels)
    even = factor + factor % 2
    fits = across * (even * pixels / DENSITY + GAP) <= width
    return (even if fits else factor) * pixels / DENSITY


class Tiles(Artist):
    """A grid of pictures; :meth:`fill` puts it into axes, from their upper left corner.

    Parameters
    ----------
    rows : list of list of uint8 numpy.ndarray, (H, W, 3)
        The pictures, row by row. Smaller ones are enlarged as far as they fit.
    heads : sequence of str
        A title above each column; long ones are broken into lines.
    labels : sequence of str
        A label to the left of each row.

    Attributes
    ----------
    boxes : dict of (int, int) to tuple of int
        After drawing: left, bottom, width and height of the picture in a row and a column, in
        pixels of the figure.
    head_texts, label_texts : list of matplotlib Text
    """

    def __init__(self, rows, heads=(), labels=()):
        super().__init__()
        self.rows, self.boxes = rows, {}
        self.shape = len(rows), max(map(len, rows))
        pictures = [picture for row in rows for picture in row]
        self.size = tuple(max(picture.shape[i] for picture in pictures) for i in (0, 1))
        self.heads, self.labels = list(heads), list(labels)
        options = {"transform": IdentityTransform(), "in_layout": False, "linespacing": 1.15}
        above, beside = (
            options | {"ha": "center", "va": "bottom"},
            options | {"ha": "right", "va": "center"},
        )
        self.head_texts = [Text(0, 0, head, **above) for head in self.heads]
        self.label_texts = [Text(0, 0, label, **beside) for label in self.labels]

    def fill(self, ax):
        """Draw the grid on these Axes, without their frame."""
        ax.axis("off")
        for artist in (self, *self.head_texts, *self.label_texts):
            ax.add_artist(artist).set_clip_path(None)

    def room(self, side):
        """Return the width of the labels and the height of the heads, in pixels of the page.

        Parameters
        ----------
        side : float
            The width of a column.
        """
        for text, head in zip(self.head_texts, self.heads, strict=True):
            text.set_text(broken(head, side, text.get_fontproperties()))
        for text, label in zip(self.label_texts, self.labels, strict=True):
            text.set_text(broken(label, WIDEST_LABEL, text.get_fontproperties()))
        lines = max((text.get_text().count("\n") + 1 for text in self.head_texts), default=0)
        left = max(map(width_of, self.label_texts), default=-BESIDE) + BESIDE
        return left, (LINE * lines + 4 if lines else 0)

    def extent(self, side):
        """Return width and height of the whole with pictures of this longer side, on the page."""
        left, top = self.room(side)
        (down, across), (height, width) = self.shape, self.size
        scale = side / max(self.size)
        return (
            left + across * width * scale + (across - 1) * GAP,
            top + down * height * scale + (down - 1) * GAP,
        )

    def fitted(self, width, height):
        """Return the longest side of pictures with which the whole fits, in pixels of the page."""
        side, (down, across) = width, self.shape
        for _ in range(2):  # the height of the heads depends on the width of the columns
            left, top = self.room(side)
            scale = min(
                (width - left - (across - 1) * GAP) / across / self.size[1],
                (height - top - (down - 1) * GAP) / down / self.size[0],
            )
            side = max(self.size) * max(scale, 1e-3)
        return side

    def draw(self, renderer):
        """Copy the enlarged pictures into the figure, and put the texts beside them."""
        if not self.get_visible():
            return
        dot = self.axes.get_figure().dpi / DPI  # pixels of the figure in one of the page
        box = self.axes.get_window_extent(renderer)
        side = dot * self.fitted(box.width / dot, box.height / dot)
        factor = int(side / max(self.size) + 1e-6)
        side = factor * max(self.size) if factor else side
        self.side = side / dot
        pitch = [round(edge * side / max(self.size) + GAP * dot) for edge in self.size]
        left, top = (dot * length for length in self.room(self.side))
        left, top = round(box.x0 + left), round(box.y1 - top)
        context = renderer.new_gc()
        for r, row in enumerate(self.rows):
            for c, picture in enumerate(row):
                pixels = enlarged(picture, side)
                height, width = pixels.shape[:2]
                x, y = left + c * pitch[1], top - r * pitch[0] - height
                self.boxes[r, c] = x, y, width, height
                opaque = np.full((height, width, 1), 255, np.uint8)
                renderer.draw_image(context, x, y, np.concatenate([pixels, opaque], 2)[::-1])
        context.restore()
        for c, text in enumerate(self.head_texts):
            text.set_position((left + c * pitch[1] + (pitch[1] - GAP * dot) / 2, top + 4 * dot))
        for r, text in enumerate(self.label_texts):
            middle = top - r * pitch[0] - (pitch[0] - GAP * dot) / 2
            text.set_position((left - (BESIDE - 2) * dot, middle))


def width_of(text):
    """Return the width of a matplotlib Text in pixels of the page."""
    font = text.get_fontproperties()
    return max(length(line, font) for line in text.get_text().split("\n"))


def length(line, font):
    """Return the length of a line of text in pixels of the page."""
    return text_to_path.get_text_width_height_descent(line, font, False)[0] * DPI / 72


def broken(text, width, font=None):
    """Break a text between its words into lines for this width, in pixels of the page."""
    font, lines = font or FontProperties(), [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and length(longer, font) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)


def in_columns(columns, labels=()):
    """Return :class:`Tiles` of columns of images, (rows, 1 or 3, H, W) in [-1, 1], by title."""
    pixels = [to_pixels(images) for images in columns.values()]
    return Tiles(list(zip(*pixels, strict=True)), columns, labels)


def in_rows(pixels, ncol):
    """Return the rows of a grid with so many pictures in each; the last may have fewer."""
    return [pixels[i : i + ncol] for i in range(0, len(pixels), ncol)]
