"""Before and after: wipe from a picture to its translation, and on to the translation back."""

import html

import ipywidgets as widgets
import matplotlib.pyplot as plt
import torch
from PIL import ImageDraw

from gancourse.errors import CourseError
from gancourse.plotting import STYLE, draw_blocks
from gancourse.widgets.board import GAP, Board
from gancourse.widgets.explorer import (
    Explorer,
    as_images,
    ask,
    in_row,
    levels,
    picture_of,
    show,
    slider,
    with_unit,
)

SIDE, TILE, THUMB = 320, 128, 64  # CSS pixels: the wipe, each stop of the trip, the choice
COLUMNS = 6  # of the choice
MOST = 24  # pictures of each kind
SHOWN = 4  # pictures of each kind in the still picture
TRIP = ("source", "translation", "way back")  # the stops


class BeforeAfter(Explorer):
    """Wipe between a picture, its translation, and the translation of that back.

    Parameters
    ----------
    images : Tensor, or pair of Tensor, (n, C, H, W)
        Pictures of the first kind; or of the first and of the second kind, and then the reader
        chooses the direction. In [-1, 1] or uint8; 24 of each kind at most are offered.
    translate, back : Module or callable
        From the first kind to the second, and from the second to the first: of images
        (1, C, H, W) in [-1, 1] they return images of the same height and width.
    names : pair of str
        What the two kinds are called.

    Raises
    ------
    CourseError
        If the images or their translations do not fit.

    Examples
    --------
    >>> BeforeAfter(  # doctest: +SKIP
    ...     (data.a.images(range(12)), data.b.images(range(12))),
    ...     lambda images: sample(gan, images, direction="AB"),
    ...     lambda images: sample(gan, images, direction="BA"),
    ...     names=("summer", "winter"),
    ... )
    """

    def __init__(self, images, translate, back, *, names=("A", "B")):
        self.names = [str(name) for name in names]
        if len(self.names) != 2:
            raise CourseError(f"names must be two, one for each kind of picture, not {names}")
        kinds = list(images) if isinstance(images, tuple | list) else [images]
        if len(kinds) not in (1, 2):
            raise CourseError(f"images must be of one kind or of two, not of {len(kinds)}")
        self.kinds = [
            as_images(given, f"images of {name}")[:MOST]
            for given, name in zip(kinds, self.names, strict=False)
        ]
        self.functions = [("translate", translate), ("back", back)]
        self._trips = {}
        for direction in range(len(self.kinds)):
            self.trip(direction, 0)  # an error shows before the widget
        self.summary = (
            f"Pictures of {self.names[0]}, their translations to {self.names[1]}, and the "
            "translations of those back."
        )

    def trip(self, direction, index):
        """Translate a picture, and translate the result back.

        Parameters
        ----------
        direction : int
            0: from the first kind to the second and back; 1: from the second.
        index : int
            Which picture of that kind.

        Returns
        -------
        list of Tensor, (C, H, W)
            The source, the translation and the way back, in [-1, 1].
        """
        if (direction, index) not in self._trips:
            stops = [self.kinds[direction][index : index + 1]]
            for name, function in (self.functions, self.functions[::-1])[direction]:
                stops.append(ask(function, stops[-1], signature=(name, "images")))
                fits = stops[-1].shape[2:] == stops[0].shape[2:]
                if not fits or (len(stops) == 3 and stops[2].shape != stops[0].shape):
                    raise CourseError(
                        f"{name} made {tuple(stops[-1].shape[1:])} of a picture of "
                        f"{tuple(stops[0].shape[1:])}: height and width must stay the same, and "
                        "the way back must have the channels of the source"
                    )
            self._trips[direction, index] = [stop[0] for stop in stops]
        return self._trips[direction, index]

    def errors(self, direction, index):
        """Measure how far the translation and the way back are from the source.

        Parameters
        ----------
        direction, index : int
            See :meth:`trip`.

        Returns
        -------
        (float, float)
            Mean absolute differences, in levels of 255; the first is NaN if the translation has
            another number of channels.
        """
        source, there, again = self.trip(direction, index)
        same = there.shape == source.shape
        moved = levels(there, source) if same else float("nan")
        return moved, levels(again, source)

    def build(self):
        """Make the choice, the wipe and the trip."""
        first, second = self.names
        self.direction = widgets.ToggleButtons(
            options=[(f"{first} → {second}", 0), (f"{second} → {first}", 1)][: len(self.kinds)],
            tooltips=["Which way to translate"] * len(self.kinds),
            style={"button_width": "auto"},
        )
        self.wipe = slider(
            widgets.IntSlider,
            "Wipe",
            "0: the source. 100: its translation. 200: the translation of that back",
            "36px",
            value=50,
            min=0,
            max=200,
            readout=False,
        )
        self.share = widgets.Label()
        self.image = widgets.Image(layout=widgets.Layout(width="100%", margin="0"))
        self.stops = Board(list(TRIP), 3, TILE, lambda stop: self.go(100 * stop))
        self.caption = widgets.HTML()
        self.shelf_box = widgets.VBox(layout=widgets.Layout(overflow="visible"))
        self.picked = [0] * len(self.kinds)  # in each direction
        self.shelves = []
        for direction, images in enumerate(self.kinds):
            labels = [f"{self.names[direction]} {i + 1}" for i in range(len(images))]
            shelf = Board(labels, min(COLUMNS, len(labels)), THUMB, self.pick)
            shelf.show(images)
            self.shelves.append(shelf)
        self.follow(self.direction, self.wipe)
        self._shown = None
        self.update()

        left = widgets.VBox(
            [self.image, with_unit(self.wipe, self.share, "126px", "none")],
            layout=widgets.Layout(flex="1 1 280px", max_width=f"{SIDE}px", min_width="0"),
        )
        choose = widgets.HTML("<small>Choose a picture:</small>")
        right = widgets.VBox(
            [self.stops.heads(TRIP), self.stops.ui, self.caption, choose, self.shelf_box],
            layout=widgets.Layout(flex="0 1 auto", max_width="100%", overflow="visible"),
        )
        parts = [] if len(self.kinds) == 1 else [self.direction]
        parts.append(in_row([left, right], "12px 24px", "flex-start"))
        width = max(3 * (TILE + GAP), COLUMNS * (THUMB + GAP))
        return self.stacked(parts, SIDE + 24 + width)

    def update(self):
        """Draw the wipe where the slider stands; the rest too, if the picture has changed."""
        direction = self.direction.value
        index = self.picked[direction]
        stops = self.trip(direction, index)
        position = self.wipe.value
        show(self.image, self.wiped(stops, position))
        stop = position > 100
        percent = position - 100 * stop
        self.share.value = f"{percent} % {TRIP[stop + 1]}" if position else TRIP[0]
        self.stops.mark({position // 100: "here"} if position % 100 == 0 else {})
        if self._shown == (direction, index):
            return
        self._shown = (direction, index)
        self.shelf_box.children = [self.shelves[direction].ui]
        self.shelves[direction].mark({index: "here"})
        channels = max(len(image) for image in stops)
        self.stops.show(torch.stack([image.expand(channels, -1, -1) for image in stops]))
        moved, error = self.errors(direction, index)
        here, there = (html.escape(name) for name in self._ends(direction))
        lines = [f"Way back to {here}: off by <b>{error:.1f}</b> of 255 levels on average."]
        if moved == moved:
            lines.append(f"Translation to {there}: <b>{moved:.1f}</b> levels from the source.")
        self.caption.value = f'<div role="status">{"<br>".join(lines)}</div>'

    def _ends(self, direction):
        return self.names if direction == 0 else self.names[::-1]

    def wiped(self, stops, position):
        """Draw two successive stops of a trip in one picture, the later one on the left.

        Parameters
        ----------
        stops : list of Tensor, (C, H, W)
            See :meth:`trip`.
        position : int
            0 is the source, 100 its translation, 200 the way back.

        Returns
        -------
        PIL.Image.Image
        """
        stop = position > 100
        before, after = (picture_of(image, 2 * SIDE).convert("RGB") for image in stops[stop:][:2])
        edge = round((position - 100 * stop) / 100 * before.width)
        before.paste(after.crop((0, 0, edge, after.height)), (0, 0))
        if 0 < edge < before.width:
            draw = ImageDraw.Draw(before)
            draw.line([(edge, 0), (edge, before.height)], fill="#2b2d33", width=8)
            draw.line([(edge, 0), (edge, before.height)], fill="white", width=4)
        return before

    def pick(self, index):
        """Take another picture of the shelf."""
        self.picked[self.direction.value] = index
        self.redraw()

    def go(self, position):
        """Move the wipe."""
        self.wipe.value = position

    def still(self):
        """Draw the trips of the first pictures, a row each; each direction is a block."""
        blocks = {}
        for direction, images in enumerate(self.kinds):
            trips = [self.trip(direction, i) for i in range(min(SHOWN, len(images)))]
            stops = zip(TRIP, zip(*trips, strict=True), strict=True)
            blocks[" → ".join(self._ends(direction))] = {
                stop: torch.stack(there) for stop, there in stops
            }
        with plt.rc_context(STYLE):
            return draw_blocks(blocks)
