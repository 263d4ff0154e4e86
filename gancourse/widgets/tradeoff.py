"""Distortion against perception: move a network between two, and watch picture and measures."""

import html

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image, ImageDraw

from gancourse.errors import CourseError
from gancourse.plotting import FAKE, STYLE, draw_columns
from gancourse.widgets.board import GAP, Board
from gancourse.widgets.explorer import (
    Explorer,
    as_images,
    ask,
    in_row,
    levels,
    show,
    slider,
    with_unit,
)
from gancourse.widgets.upload import Upload

TILE, THUMB, PLANE = 160, 64, 300  # CSS pixels: a picture, one of the choice, the plane
COLUMNS = 5  # of the choice
MOST = 14  # pictures to choose from
ROWS = 3  # of the still picture
BESIDE = 3.8  # inches of the still picture for the plane
SHOWN = ("small picture", "bicubic", "the network", "the truth")


class Tradeoff(Explorer):
    """Move a network from one that errs little to one that looks real, with what it enlarges.

    Parameters
    ----------
    images : Tensor, (n, C, H, W)
        Large pictures to choose from, in [-1, 1] or uint8; 14 at most are offered.
    shrink : callable
        ``shrink(images)`` returns the small pictures of large ones.
    enlarge : callable
        ``enlarge(small, alpha)`` returns large pictures by the network at ``alpha``, a tensor
        (1,): 0 is the first end, 1 the last.
    places : sequence of (float, float, float)
        Points that were measured beforehand: alpha, the distortion (PSNR in dB, more is better),
        and the distance from real pictures (less is better). In the order of alpha.
    fixed : dict of str to (float, float), optional
        Distortion and distance of other methods, by name.
    ends : pair of str
        Names of the network at 0 and at 1.
    axes : pair of str
        What distortion and distance are called.

    Raises
    ------
    CourseError
        If the pictures, the points or the answers do not fit.
    """

    caption_without_kernel = "A still picture. Run this cell to move the network."

    def __init__(
        self,
        images,
        shrink,
        enlarge,
        places,
        *,
        fixed=None,
        ends=("MSE", "GAN"),
        axes=("PSNR (dB): more is nearer", "judge FID: less looks more real"),
    ):
        self.images = as_images(images)[:MOST]
        self.shrink, self.enlarge = shrink, enlarge
        self.places = [tuple(map(float, place)) for place in places]
        steps = [alpha for alpha, _, _ in self.places]
        if len(steps) < 2 or steps != sorted({*steps}):
            raise CourseError("places must be two or more (alpha, distortion, distance), by alpha")
        self.fixed, self.ends, self.axes = dict(fixed or {}), tuple(ends), tuple(axes)
        self.own = None  # the reader's picture
        self.columns(0, steps[0])  # an error shows before the widget
        self.summary = (
            f"Pictures enlarged by networks between {ends[0]} and {ends[1]}, and where these "
            f"networks lie in the plane of {axes[0]} and {axes[1]}."
        )

    def columns(self, index, alpha):
        """Return what is shown of a picture, four of (1, C, H, W), by title.

        Parameters
        ----------
        index : int
            The reader's own picture is the last.
        alpha : float

        Returns
        -------
        dict of str to Tensor
        """
        truth = self.own if index == len(self.images) else self.images[index : index + 1]
        small = ask(self.shrink, truth, signature=("shrink", "images"))
        made = ask(self.enlarge, small, torch.tensor([alpha]), signature=("enlarge", "small"))
        if made.shape != truth.shape:
            raise CourseError(
                f"enlarge made {tuple(made.shape[1:])} of a picture of {tuple(truth.shape[1:])}"
            )
        side = {"size": truth.shape[2:], "mode": "bicubic"}
        bicubic = F.interpolate(small, **side).clamp(-1, 1)
        return dict(zip(SHOWN, (small, bicubic, made.clamp(-1, 1), truth), strict=True))

    def place(self, alpha):
        """Return distortion and distance at ``alpha``, between the two nearest measured points."""
        points = self.places
        low = max([p for p in points if p[0] <= alpha], default=points[0])
        high = min([p for p in points if p[0] >= alpha], default=points[-1])
        share = (alpha - low[0]) / (high[0] - low[0]) if high[0] > low[0] else 0.0
        return tuple(a + share * (b - a) for a, b in zip(low[1:], high[1:], strict=True))

    def build(self):
        """Make the pictures, the slider, the plane and the choice."""
        first, last = self.places[0][0], self.places[-1][0]
        self.alpha = slider(
            widgets.FloatSlider,
            "alpha",
            f"{first:g}: {self.ends[0]}. {last:g}: {self.ends[1]}",
            value=(first + last) / 2,
            min=first,
            max=last,
            step=(last - first) / 20,
            readout_format=".2f",
        )
        self.board = Board(list(SHOWN), 4, TILE)
        self.status = widgets.HTML()
        self.plane = widgets.Image(layout=widgets.Layout(width="100%", margin="0"))
        self._background, self._to_pixels = self._draw_plane()
        labels = [f"Picture {i + 1}" for i in range(len(self.images))] + ["Your picture"]
        self.shelf = Board(labels, COLUMNS, THUMB, self.pick)
        self.chooser, self.received = Upload(self.receive), widgets.HTML()
        self.picked = 0
        self.follow(self.alpha)
        self._show_shelf()
        self.update()

        ends = f"{self.ends[0]} ... {self.ends[1]}"
        left = widgets.VBox([self.plane], layout=widgets.Layout(flex="0 1 280px", min_width="0"))
        right = widgets.VBox(
            [
                widgets.HTML("<small>Choose a picture, or open one of your own:</small>"),
                self.shelf.ui,
                in_row([self.chooser, self.received]),
            ],
            layout=widgets.Layout(flex="0 1 auto", overflow="visible", max_width="100%"),
        )
        parts = [
            self.board.heads(SHOWN),
            self.board.ui,
            with_unit(self.alpha, widgets.Label(ends), "126px", "none"),
            self.status,
            in_row([left, right], "12px 24px", "flex-start"),
        ]
        return self.stacked(parts, 4 * (TILE + GAP))

    def update(self):
        """Draw the pictures and the place of the network where the slider stands."""
        alpha = self.alpha.value
        found = self.columns(self.picked, alpha)
        self.board.show(self._padded(found))
        distortion, distance = self.place(alpha)
        plane = self._background.copy()
        x, y = self._to_pixels(distortion, distance)
        ImageDraw.Draw(plane).ellipse(
            [x - 13, y - 13, x + 13, y + 13], fill=FAKE, outline="white", width=4
        )
        show(self.plane, plane)
        far = levels(found["the network"], found["the truth"])
        bicubic = levels(found["bicubic"], found["the truth"])
        self.status.value = (
            f'<div role="status">This picture: off by <b>{far:.1f}</b> of 255 levels on average '
            f"(bicubic {bicubic:.1f}). The network, over many pictures: "
            f"{html.escape(self.axes[0].partition(':')[0])} <b>{distortion:.2f}</b>, "
            f"{html.escape(self.axes[1].partition(':')[0])} <b>{distance:.1f}</b>.</div>"
        )

    def _padded(self, found):
        """Return the pictures, the small one enlarged without interpolation, as one tensor."""
        size = found["the truth"].shape[2:]
        pictures = [
            image if image.shape[2:] == size else F.interpolate(image, size)
            for image in found.values()
        ]
        return torch.cat(pictures)

    def pick(self, index):
        """Take another picture of the shelf."""
        if index < len(self.images) or self.own is not None:
            self.picked = index
            self._show_shelf()
            self.redraw()

    def _show_shelf(self):
        shown = self.images if self.own is None else torch.cat([self.images, self.own])
        self.shelf.show(shown)
        marks = {} if self.own is not None else {len(self.images): "empty"}
        self.shelf.mark(marks | {self.picked: "here"})

    def receive(self, name, read):
        """Take the reader's picture, or show beside the button what is wrong with it.

        Parameters
        ----------
        name : str
            Of the file.
        read : callable
            ``read(size)`` returns the picture, (1, 3, size, size) in [-1, 1], or raises a
            DataError.
        """
        try:
            own = read(self.images.shape[-1])
        except CourseError as problem:
            self.received.value = (
                '<div role="alert" style="color: var(--jp-error-color1, #b00020)">'
                f"{html.escape(str(problem))}</div>"
            )
            return
        side = self.images.shape[-1]
        self.received.value = f"<small>{html.escape(name)}, at {side}x{side} pixels</small>"
        self.own = own if self.images.shape[1] == 3 else own.mean(1, keepdim=True)
        self.pick(len(self.images))

    def _draw_axes(self, ax):
        """Draw the path of the network and the other methods."""
        _, distortions, distances = zip(*self.places, strict=True)
        ax.plot(distortions, distances, color=FAKE, marker="o", markersize=4)
        ends = zip(self.ends, (self.places[0], self.places[-1]), strict=True)
        named = {name: place[1:] for name, place in ends} | self.fixed
        for name, (x, y) in named.items():
            if name in self.fixed:
                ax.plot([x], [y], "s", color="#55606e", markersize=5)
            ax.annotate(name, (x, y), (6, 6), textcoords="offset points", fontsize=9)
        ax.margins(0.22)
        ax.set(xlabel=self.axes[0], ylabel=self.axes[1])

    def _draw_plane(self):
        """Return the plane as a picture, and a function from its units to pixels of that."""
        with plt.rc_context(STYLE):
            inches = PLANE / 100
            figure = plt.Figure(figsize=(inches, inches), dpi=200, layout="constrained")
            ax = figure.add_subplot()
            self._draw_axes(ax)
            FigureCanvasAgg(figure).draw()
        picture = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")
        transform = ax.transData.frozen()

        def to_pixels(distortion, distance):
            x, y = transform.transform((distortion, distance))
            return x, picture.height - y

        return picture, to_pixels

    def still(self):
        """Draw the plane, and pictures by the networks at both ends and in the middle."""
        first, last = self.places[0][0], self.places[-1][0]
        stops = {
            self.ends[0]: first,
            "half-way": (first + last) / 2,
            self.ends[1]: last,
        }
        rows = range(min(ROWS, len(self.images)))
        found = [{name: self.columns(i, alpha) for name, alpha in stops.items()} for i in rows]

        def column(stop, title):
            return torch.cat([self._padded(row[stop])[SHOWN.index(title)][None] for row in found])

        start = self.ends[0]
        columns = {"small picture": column(start, SHOWN[0]), "bicubic": column(start, SHOWN[1])}
        columns |= {name: column(name, SHOWN[2]) for name in stops}
        columns["the truth"] = column(start, SHOWN[3])
        with plt.rc_context(STYLE):
            figure = draw_columns(columns)
            wide, high = figure.get_size_inches()
            figure.set_size_inches(wide + BESIDE, high)
            for ax in figure.axes:
                box = ax.get_position()
                share = wide / (wide + BESIDE)
                ax.set_position([box.x0 * share, box.y0, box.width * share, box.height])
            left = (wide + 0.7) / (wide + BESIDE)
            self._draw_axes(figure.add_axes((left, 0.17, 0.99 - left, 0.75)))
            return figure
