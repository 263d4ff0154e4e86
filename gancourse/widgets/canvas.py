"""The canvas: draw a sketch or a map, and a network translates it while you draw."""

import operator
import time
from collections.abc import Mapping
from pathlib import Path

import anywidget
import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import torch
import traitlets
from ipywidgets.widgets.trait_types import CByteMemoryView

from gancourse.errors import CourseError
from gancourse.plotting import STYLE, draw_rows
from gancourse.widgets.board import GAP, Board
from gancourse.widgets.explorer import (
    Explorer,
    as_images,
    ask,
    button,
    headed,
    in_row,
    picture_of,
    show,
    slider,
    with_unit,
)

SIDE = 320  # CSS pixels, of the pad and of the answer
THUMB, THUMBS = 64, 10  # CSS pixels, and how many examples at most
PAPER = 255
KEYS = "arrows move, Shift + arrows move far, Space lowers and lifts the pen, Ctrl + Z undoes"
STYLE_SHEET = """
.gancourse-pad { position: relative; overflow: hidden; line-height: 0; border-radius: 4px; }
.gancourse-pad canvas { width: 100%; aspect-ratio: 1; image-rendering: pixelated; cursor: none;
  touch-action: none; }
.gancourse-pad canvas:focus-visible { outline-offset: -2px; }
.gancourse-pad::after { content: ""; position: absolute; inset: 0; pointer-events: none;
  border: 1px solid var(--jp-border-color1, #bbb); border-radius: 4px; }
.gancourse-ring { position: absolute; border-radius: 50%; transform: translate(-50%, -50%);
  box-shadow: 0 0 0 1px #fff, inset 0 0 0 1px #2b2d33, 0 0 0 2px #2b2d33; pointer-events: none; }
.gancourse-lowered { background: #e0a030; }
.gancourse-answer { width: 100% !important; aspect-ratio: 1; object-fit: contain; }
.gancourse-parts .widget-toggle-button { width: auto; padding: 0 8px; margin: 0 4px 4px 0; }
.gancourse-parts .widget-toggle-buttons { flex-wrap: wrap; }
"""


class Canvas(Explorer):
    """Draw, and see with every move of the pen what a network makes of the drawing.

    The pad can be used with a mouse, a finger or a pen; and with the keyboard, once it has been
    reached with Tab: arrows move the pen, Space lowers and lifts it, Ctrl + Z undoes.

    Parameters
    ----------
    translate : Module or callable
        ``translate(images)`` with images (1, C, size, size) in [-1, 1] returns images
        (1, 1 or 3, H, W) in [-1, 1].
    palette : dict of str to (int, int, int), optional
        The parts of a map, by name, each with its colour, 0 to 255. C is 3 then, every pixel has
        the colour of a part, and an empty map is all of the first part. Without a palette one
        draws a sketch with a pen, and C is 1: -1 is a line, 1 is paper, and the pen's soft edge
        lies between.
    examples : Tensor, (n, C, size, size), optional
        Drawings to begin with, in [-1, 1] or uint8; the first is on the pad at the start, 12 at
        most are offered. In a map each pixel takes the part of the nearest colour.
    size : int
        Pixels of the drawing, across and down.
    brush : int, optional
        Width of the brush at first, in pixels of the drawing; by default 1 for a sketch, and an
        eighth of the size for a map.

    Raises
    ------
    CourseError
        If the palette, the examples or what ``translate`` returns do not fit.

    Examples
    --------
    >>> Canvas(lambda sketch: sample(gan, sketch), examples=data.a.images(range(6)))
    ... # doctest: +SKIP
    >>> Canvas(translate, dict(zip(SCENE_CLASSES, SCENE_PALETTE.tolist())))  # doctest: +SKIP
    """

    caption_without_kernel = "A still picture. Run this cell to draw."

    def __init__(self, translate, palette=None, *, examples=None, size=64, brush=None):
        self.translate, self.size = translate, size
        named = palette if isinstance(palette, Mapping) else {}
        self.palette = {str(name): _as_colour(colour) for name, colour in named.items()}
        wrong = {name: colour for name, colour in named.items() if not _as_colour(colour)}
        if wrong or (palette is not None and not 2 <= len(self.palette) <= 256):
            raise CourseError(
                "palette must hold 2 to 256 names, each with its colour (red, green, blue) of "
                f"whole numbers from 0 to 255, not {wrong or palette}"
            )
        if not isinstance(size, int) or size < 2:
            raise CourseError(f"size must be a whole number of pixels, 2 or more, not {size!r}")
        self.brush = brush or (max(1, size // 8) if self.palette else 1)
        if not isinstance(self.brush, int) or not 1 <= self.brush <= size // 2:
            raise CourseError(f"brush must lie in 1..{size // 2} pixels, not {brush}")
        self._colours = torch.tensor(list(self.palette.values()), dtype=torch.uint8)  # (K, 3)
        self.blank = np.full((size, size), 0 if self.palette else PAPER, np.uint8)
        self.examples = []
        if examples is not None:
            images = as_images(examples, "examples", (3,) if self.palette else (1,))
            if images.shape[2:] != (size, size):
                raise CourseError(
                    f"examples must have {size} x {size} pixels, as the canvas, not "
                    f"{tuple(images.shape[2:])}; pass size="
                )
            self.examples = [self._raster(image) for image in images[:THUMBS]]
        self.answer_to(self.examples[0] if self.examples else self.blank)  # errors come early
        kind = f"A map of {', '.join(self.palette)}" if self.palette else "A sketch"
        self.summary = (
            f"Drawings ({len(self.examples) or 1}), and below each what the network makes of it. "
            f"{kind} of {size} x {size} pixels."
        )

    def _raster(self, image):
        """Turn an image, (C, size, size) in [-1, 1], into what the pad holds, (size, size)."""
        pixels = ((image.clamp(-1, 1) + 1) * 127.5).round()
        if self.palette:
            away = torch.cdist(pixels.flatten(1).T, self._colours.float())  # (size * size, K)
            pixels = away.argmin(1).reshape(pixels.shape[1:])
        return pixels.reshape(self.size, self.size).byte().numpy()

    def as_image(self, raster):
        """Turn what the pad holds into an image for the network.

        Parameters
        ----------
        raster : uint8 ndarray, (size, size)
            Greys; with a palette, numbers of parts.

        Returns
        -------
        Tensor, (1, C, size, size)
            In [-1, 1].
        """
        pixels = torch.from_numpy(np.array(raster))  # a copy: that of the pad is read-only
        if self.palette:
            pixels = self._colours[pixels.clamp_max(len(self.palette) - 1).long()].permute(2, 0, 1)
        return pixels.reshape(1, -1, self.size, self.size) / 127.5 - 1

    def answer_to(self, raster):
        """Return what the network makes of a raster, (1, 1 or 3, H, W) in [-1, 1]."""
        return ask(self.translate, self.as_image(raster), signature=("translate", "images"))

    def drawing(self):
        """Return what is on the pad, (1, C, size, size) in [-1, 1]."""
        self.ui  # noqa: B018 - makes the pad
        return self.as_image(self._drawn())

    def _drawn(self):
        return np.frombuffer(self.pad.pixels, np.uint8).reshape(self.blank.shape)

    def build(self):
        """Make the pad, the answer and the tools."""
        first = self.examples[0] if self.examples else self.blank
        what = "map" if self.palette else "sketch"
        self.pad = Pad(
            pixels=first.tobytes(),
            size=self.size,
            palette=[list(colour) for colour in self.palette.values()],
            tool=1 if self.palette else 0,
            brush=self.brush,
            label=f"Drawing pad for a {what}, {self.size} x {self.size} pixels: {KEYS}",
            layout=widgets.Layout(width="100%", margin="0"),
        )
        self.image = widgets.Image(layout=widgets.Layout(margin="0"))
        self.image.add_class("gancourse-answer")
        tools = list(self.palette) or ["pen", "eraser"]
        self.tool = widgets.ToggleButtons(
            options=tools,
            index=1 if self.palette else 0,  # an empty map shows the first part everywhere
            tooltips=[f"Draw with: {name}" for name in tools],
            style={"button_width": "auto"},
        )
        self.breadth = slider(
            widgets.IntSlider,
            "Brush",
            "Width of the brush, in pixels of the drawing",
            "44px",
            value=self.brush,
            min=1,
            max=max(self.brush, self.size // 4),
        )
        self.undo = button("Undo", "Take the last stroke back", self.pad.undo, "72px")
        clear = "Start again with the first part everywhere" if self.palette else "An empty sheet"
        self.clear = button("Clear", clear, lambda: self.pad.put(self.blank), "72px")
        self.took = widgets.HTML()
        self.links = [  # in the browser: the kernel may be too busy to hand on a change in time
            widgets.jslink((self.tool, "index"), (self.pad, "tool")),
            widgets.jslink((self.breadth, "value"), (self.pad, "brush")),
        ]
        self.pad.observe(self.redraw, "pixels")
        self.update()

        pads = [(what, self.pad), ("the network's answer", self.image)]
        breadth = with_unit(self.breadth, f"of {self.size} pixels", "92px", "0 1 330px")
        keys = "with the mouse, a finger or a pen; with the keyboard: Tab to the pad, then"
        parts = [
            widgets.HTML(f"<style>{STYLE_SHEET}{self._swatches()}</style>", layout=_nowhere()),
            in_row([headed(*pad, "1 1 220px", f"{SIDE}px") for pad in pads], "8px 20px", "stretch"),
            in_row([self.tool]).add_class("gancourse-parts").add_class(self._name),
            in_row([breadth, self.undo, self.clear, self.took]),
            *([self._make_shelf()] if self.examples else []),
            widgets.HTML(f"<small>Draw {keys} {KEYS}.</small>"),
        ]
        return self.stacked(parts, 2 * SIDE + 20)

    @property
    def _name(self):
        return f"gancourse-parts-{abs(hash(tuple(self.palette.items())))}"

    def _swatches(self):
        """Return CSS that shows the colour of each part on its button."""
        return "".join(
            f".{self._name} .widget-toggle-button:nth-child({i})::before {{ content: ''; width: "
            "12px; height: 12px; margin-right: 6px; border-radius: 3px; display: inline-block; "
            f"vertical-align: -1px; background: rgb{colour}; box-shadow: 0 0 0 1px #0004; }}"
            for i, colour in enumerate(self.palette.values(), 1)
        )

    def _make_shelf(self):
        """Make a row of examples; a click on one puts it on the pad."""
        count = len(self.examples)
        names = [f"Load example {i + 1}" for i in range(count)]
        self.shelf = Board(names, count, THUMB, lambda i: self.pad.put(self.examples[i]))
        self.shelf.show(torch.cat([self.as_image(example) for example in self.examples]))
        label = widgets.Label("Examples", layout=widgets.Layout(width="64px", flex="none"))
        room = widgets.Layout(
            flex="1 1 auto", min_width="0", max_width=f"{count * (THUMB + GAP)}px"
        )
        inner = widgets.VBox([self.shelf.ui], layout=room)
        return widgets.HBox([label, inner], layout=widgets.Layout(align_items="center"))

    def update(self):
        """Show what the network makes of the drawing."""
        start = time.perf_counter()
        image = self.answer_to(self._drawn())[0]
        show(self.image, picture_of(image, 2 * SIDE))
        took = 1000 * (time.perf_counter() - start)
        self.took.value = f"<small>answered in {took:.0f} ms</small>"

    def still(self):
        """Draw the examples, or the empty canvas, and below each the network's answer."""
        drawings = self.examples[:7] or [self.blank]
        rows = {
            "drawn": torch.cat([self.as_image(drawing) for drawing in drawings]),
            "the network's answer": torch.cat([self.answer_to(drawing) for drawing in drawings]),
        }
        with plt.rc_context(STYLE):
            return draw_rows(rows)


class Pad(anywidget.AnyWidget):
    """A raster to paint on, in the browser.

    The browser paints, and keeps the rasters from before each stroke, without asking the kernel:
    so strokes and undoing keep their order, however busy the kernel is.

    Attributes
    ----------
    pixels : bytes
        size * size, row by row: greys, or numbers of colours of the palette.
    size : int
        Pixels across and down.
    palette : list of [red, green, blue]
        Empty for greys.
    tool : int
        A number of the palette; without one 0 is the pen, and 1 the eraser.
    brush : int
        Width of the brush, in pixels.
    label : str
        Name of the pad, for screen readers.
    """

    _esm = Path(__file__).with_name("pad.js")

    pixels = CByteMemoryView(b"").tag(sync=True, echo_update=False)
    size = traitlets.Int(64).tag(sync=True)
    palette = traitlets.List().tag(sync=True)
    tool = traitlets.Int(0).tag(sync=True)
    brush = traitlets.Int(1).tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)

    def put(self, raster):
        """Put a raster, uint8 (size, size), on the pad; it can be undone."""
        self.send({"action": "put"}, [raster.tobytes()])
        self.pixels = raster.tobytes()

    def undo(self):
        """Undo the last stroke or the last :meth:`put`."""
        self.send({"action": "undo"})


def _as_colour(values):
    """Return three whole numbers from 0 to 255, or () if the values are others."""
    try:
        colour = tuple(map(operator.index, values))
    except TypeError:  # text, or fractions
        return ()
    return colour if len(colour) == 3 and all(0 <= part <= 255 for part in colour) else ()


def _nowhere():
    return widgets.Layout(display="none")
