"""Before and after: wipe from a picture to its translation, and on to what comes back."""

import html

import ipywidgets as widgets
import matplotlib.pyplot as plt
import torch
from PIL import ImageDraw

from gancourse.errors import CourseError
from gancourse.plotting import STYLE, draw_images
from gancourse.widgets.board import GAP, Board
from gancourse.widgets.explorer import (
    Explorer,
    as_images,
    ask,
    is_smooth,
    picture_of,
    show,
    slider,
)

SIDE, TILE, THUMB = 360, 112, 52  # CSS pixels: the wipe, the three of the trip, the choice
COLUMNS = 6  # of the choice
MOST = 24  # pictures of each kind
TRIP = ("source", "translation", "way back")


def before_after(images, translate, back, *, names=("A", "B")):
    """Wipe between a picture, its translation, and the picture that is made of that again.

    Parameters
    ----------
    images : Tensor, or pair of Tensor, (n, C, H, W)
        Pictures of the first kind; or pictures of the first and of the second kind, and then
        there is a choice of the direction. In [-1, 1] or uint8; 24 of each at most are offered.
    translate, back : Module or callable
        From the first kind to the second, and from the second to the first: of images
        (1, C, H, W) in [-1, 1] they return images of the same height and width.
    names : pair of str
        What the two kinds are called.

    Returns
    -------
    BeforeAfter
        Shows itself as the last value of a cell.

    Raises
    ------
    CourseError
        If the images, or what comes back, do not fit.

    Examples
    --------
    >>> before_after(  # doctest: +SKIP
    ...     (data.a.images(range(12)), data.b.images(range(12))),
    ...     lambda images: sample(gan, images, direction="AB"),
    ...     lambda images: sample(gan, images, direction="BA"),
    ...     names=("summer", "winter"),
    ... )
    """
    return BeforeAfter(images, translate, back, names)


class BeforeAfter(Explorer):
    """What :func:`before_after` returns."""

    def __init__(self, images, translate, back, names=("A", "B")):
        self.names = [str(name) for name in names]
        if len(self.names) != 2:
            raise CourseError(f"names must be two, of the two kinds of picture, not {names}")
        kinds = list(images) if isinstance(images, tuple | list) else [images]
        if len(kinds) not in (1, 2):
            raise CourseError(f"images must be of one or of two kinds, not {len(kinds)}")
        self.kinds = [
            as_images(given, f"images of {name}")[:MOST]
            for given, name in zip(kinds, self.names, strict=False)
        ]
        self.functions = [("translate", translate), ("back", back)]
        self._trips = {}
        for direction in range(len(self.kinds)):
            self.trip(direction, 0)  # tells what is wrong
        self.summary = (
            f"Pictures of {self.names[0]}, their translations to {self.names[1]}, and what comes "
            "back from those."
        )

    def trip(self, direction, index):
        """Translate a picture, and back.

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
                        f"a picture of {tuple(stops[0].shape[1:])} has become one of "
                        f"{tuple(stops[-1].shape[1:])} after {name}; height and width must stay, "
                        "and the channels must come back"
                    )
            self._trips[direction, index] = [stop[0] for stop in stops]
        return self._trips[direction, index]

    def errors(self, direction, index):
        """Measure how far translation and way back are from the source.

        Returns
        -------
        (float, float)
            Mean absolute differences, in levels of 255; the first is NaN if the translation has
            other channels.
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
            "0: the source. 100: its translation. 200: what comes back from that",
            value=50,
            min=0,
            max=200,
        )
        self.wipe.readout = False
        self.wipe.style.description_width = "36px"
        self.share = widgets.Label(layout=widgets.Layout(width="126px", flex="none"))
        self.image = widgets.Image(layout=widgets.Layout(width="100%", margin="0"))
        self.stops = Board(list(TRIP), 3, TILE, lambda stop: self.go(100 * stop))
        self.caption = widgets.HTML()
        self.shelf_box = widgets.VBox(layout=widgets.Layout(overflow="visible"))
        self.problem = widgets.HTML()
        self.picked = [0] * len(self.kinds)  # in each direction
        self.shelves = []
        for direction, images in enumerate(self.kinds):
            labels = [f"{self.names[direction]} {i + 1}" for i in range(len(images))]
            shelf = Board(labels, min(COLUMNS, len(labels)), THUMB, self.pick)
            shelf.show(images)
            self.shelves.append(shelf)
        for control in (self.direction, self.wipe):
            control.observe(self.answer, "value")
        self._shown = None
        self.update()

        heads = "".join(f"<div>{name}</div>" for name in TRIP)
        head = widgets.HTML(
            '<div aria-hidden="true" style="display: grid; text-align: center; font-size: 12px; '
            f'grid-template-columns: repeat(3, minmax(0, 1fr))">{heads}</div>',
            layout=widgets.Layout(width=self.stops.ui.layout.width, max_width="100%", margin="0"),
        )
        row = widgets.Layout(align_items="center", min_width="0")
        left = widgets.VBox(
            [self.image, widgets.HBox([self.wipe, self.share], layout=row)],
            layout=widgets.Layout(flex="1 1 280px", max_width=f"{SIDE}px", min_width="0"),
        )
        choose = widgets.HTML("<small>Choose a picture:</small>")
        right = widgets.VBox(
            [head, self.stops.ui, self.caption, choose, self.shelf_box],
            layout=widgets.Layout(flex="0 1 auto", max_width="100%", overflow="visible"),
        )
        parts = [] if len(self.kinds) == 1 else [self.direction]
        wide = widgets.Layout(flex_flow="row wrap", align_items="flex-start", grid_gap="12px 24px")
        return widgets.VBox(
            [*parts, widgets.HBox([left, right], layout=wide), self.problem],
            layout=widgets.Layout(
                max_width=f"{SIDE + 24 + max(3 * (TILE + GAP), COLUMNS * (THUMB + GAP))}px",
                grid_gap="8px",
            ),
        )

    def update(self):
        """Draw the wipe where the slider stands; the rest if the picture is another."""
        direction = self.direction.value
        index = self.picked[direction]
        stops = self.trip(direction, index)
        position = self.wipe.value
        show(self.image, self.wiped(stops, position), is_smooth(stops[0]))
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
        """Draw two neighbouring stops of the trip in one picture, the later one on the left.

        Parameters
        ----------
        stops : list of Tensor, (C, H, W)
        position : int
            0 to 200: of the source, the translation, and the way back.

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
        self.answer()

    def go(self, position):
        """Move the wipe."""
        self.wipe.value = position

    def still(self):
        """Draw the trips of the first pictures, the stops of each below each other."""
        count = 8 if len(self.kinds) == 1 else 4
        with plt.rc_context(STYLE):
            columns = [images[:count] for images in self.kinds]
            tile = min(7.6 / sum(map(len, columns)), 1.1)  # inches
            widths = [len(images) for images in columns]
            figure = plt.Figure(figsize=(tile * sum(widths) + 0.9, 3 * tile + 0.35))
            axes = figure.subplots(1, len(columns), width_ratios=widths, squeeze=False)[0]
            for direction, ax in enumerate(axes):
                trips = [self.trip(direction, i) for i in range(widths[direction])]
                channels = max(len(image) for image in trips[0])
                images = torch.stack(
                    [trip[stop].expand(channels, -1, -1) for stop in range(3) for trip in trips]
                )
                draw_images(ax, images, " → ".join(self._ends(direction)), ncol=len(trips))
                ax.axis("on")
                ax.grid(False)
                ax.spines[:].set_visible(False)
                ax.tick_params(length=0)
                ax.set_xticks([])
                height = images.shape[2] + 2  # with the line between
                ax.set_yticks(
                    (torch.arange(3) + 0.5) * height, TRIP if direction == 0 else [""] * 3
                )
            return figure


def levels(one, other):
    """Return the mean absolute difference of two images in [-1, 1], in levels of 255."""
    return 127.5 * (one - other).abs().mean().item()
