"""Two parallel lines: how far they are by two measures, and where each measure's gradient leads."""

import math

import ipywidgets as widgets
import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from gancourse.errors import CourseError
from gancourse.plotting import FAKE, INK, REAL, STYLE
from gancourse.widgets.explorer import Explorer, button, in_row, show, slider

REACH = 1.5  # the fake line can be moved from -REACH to REACH
WIDTH, HEIGHT = 780, 250  # CSS pixels
RATE = 0.2  # of a step down a gradient
POINTS = 7  # on each line, with an arrow between


def line_distances(theta):
    """Return how far the uniform distributions on two parallel lines of length 1 are apart.

    Arjovsky et al. 2017, arXiv:1701.07875, example 1: the real points are (0, y), the fakes
    (theta, y).

    Parameters
    ----------
    theta : float

    Returns
    -------
    wasserstein : float
        W1 = ``|theta|``.
    jensen_shannon : float
        In nats: 0 at theta = 0, log 2 everywhere else.
    """
    return abs(theta), math.log(2) if theta else 0.0


def line_slopes(theta):
    """Return the derivatives of :func:`line_distances` by theta.

    Both are 0 at theta = 0, where W1 has a kink and the other jumps.
    """
    return float((theta > 0) - (theta < 0)), 0.0


def place(moving, theta):
    """Move a line of fakes, the ways to it and the four marks to where theta says."""
    line, *ways = moving[:-4]
    line.set_data([theta, theta], [0, 1])
    for way, y in zip(ways, np.linspace(0.05, 0.95, POINTS), strict=True):
        way.set_data([0, theta], [y, y])
    heights = (*line_distances(theta), *line_slopes(theta))
    for mark, height in zip(moving[-4:], heights, strict=True):
        mark.set_data([theta], [height])


class ParallelLines(Explorer):
    """Move a line of fakes, and see two distances to the line of real points.

    Parameters
    ----------
    theta : float
        Where the fakes are at first, from -1.5 to 1.5.

    Raises
    ------
    CourseError
        If theta is beyond these.

    Examples
    --------
    >>> ParallelLines(0.8)  # doctest: +SKIP
    """

    def __init__(self, theta=0.8):
        if not -REACH <= theta <= REACH:
            raise CourseError(f"theta must be from {-REACH} to {REACH}, not {theta}")
        self.start = theta
        self.summary = (
            f"Two parallel lines {abs(theta):g} apart, and over their distance: Wasserstein, a V; "
            "Jensen-Shannon, flat but for one point; the derivatives of both."
        )

    def build(self):
        """Make the slider, the buttons and the picture."""
        self.theta = slider(
            widgets.FloatSlider,
            "θ",
            "Where the line of fakes is",
            label="24px",
            value=self.start,
            min=-REACH,
            max=REACH,
            step=0.05,
            readout_format="+.2f",
        )
        self.figure, self.moving = self._panels()
        canvas = FigureCanvasAgg(self.figure)
        for artist in self.moving:
            artist.set_animated(True)  # not drawn with the rest, which is drawn once
        canvas.draw()
        self.rest = canvas.copy_from_bbox(self.figure.bbox)
        self.image = widgets.Image(layout=widgets.Layout(width="100%"))
        self.told = widgets.HTML()
        steps = [
            button("Step by W", "One step down the gradient of W", lambda: self.step(0)),
            button("Step by JS", "One step down the gradient of JS", lambda: self.step(1)),
            button("Reset", "Put the line back", self.put_back),
        ]
        self.follow(self.theta)
        self.update()
        return self.stacked([self.image, self.theta, in_row([*steps, self.told])], WIDTH)

    def step(self, measure):
        """Move the fakes one step down the gradient of W (0) or of JS (1)."""
        before = self.theta.value
        self.theta.value = before - RATE * line_slopes(before)[measure]
        if self.theta.value == before:
            self.told.value = "The gradient is 0: nothing moves."

    def put_back(self):
        """Put the fakes where they were at first."""
        self.theta.value = self.start

    def update(self):
        """Draw the line and the marks where the slider stands."""
        theta = round(self.theta.value, 6)
        place(self.moving, theta)
        canvas = self.figure.canvas
        canvas.restore_region(self.rest)
        for artist in self.moving:
            artist.axes.draw_artist(artist)
        show(self.image, Image.fromarray(np.asarray(canvas.buffer_rgba())[:, :, :3].copy()))
        wasserstein, js = line_distances(theta)
        slopes = line_slopes(theta)
        self.told.value = (
            f"W = {wasserstein:.2f}, gradient {slopes[0]:+.0f}; "
            f"JS = {js:.3f}, gradient {slopes[1]:.0f}"
        )

    def still(self):
        """Draw the lines, both distances and their derivatives, at the first theta."""
        figure, moving = self._panels()
        place(moving, self.start)
        return figure

    @mpl.rc_context(STYLE)
    def _panels(self):
        """Return the figure, and the artists in it that theta moves: see :func:`place`."""
        figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=200)
        plane, distance, slope = figure.subplots(1, 3)
        figure.get_layout_engine().set(wspace=0.06)
        plane.plot([0, 0], [0, 1], color=REAL, linewidth=4, label="real")
        (line,) = plane.plot([], [], color=FAKE, linewidth=4, label="fake")
        ways = [plane.plot([], [], color=INK, linewidth=0.8)[0] for _ in range(POINTS)]
        plane.set(title="two lines", xlabel="θ", yticks=[0, 1])
        plane.set(xlim=(-REACH, REACH), ylim=(-0.05, 1.35))
        plane.legend(loc="upper center", ncol=2, fontsize=8)

        left, right = np.linspace(-REACH, 0, 2), np.linspace(0, REACH, 2)
        distance.plot([-REACH, 0, REACH], [REACH, 0, REACH], color=FAKE, label="W")
        for half in (left, right):
            distance.plot(half, [math.log(2)] * 2, color=REAL)
        distance.plot([], [], color=REAL, label="JS")
        distance.plot([0], [0], "o", color=REAL, markersize=4)
        distance.plot([0], [math.log(2)], "o", color=REAL, markersize=4, markerfacecolor="white")
        distance.set(title="distance", xlabel="θ", ylim=(-0.1, 2.1))
        slope.plot(left, [-1, -1], color=FAKE)
        slope.plot(right, [1, 1], color=FAKE)
        slope.plot([-REACH, REACH], [0, 0], color=REAL)
        slope.set(title="its gradient", xlabel="θ", ylim=(-1.5, 1.5), yticks=[-1, 0, 1])
        distance.legend(loc="upper center", ncol=2, fontsize=8)
        marks = [
            ax.plot([], [], "o", color=colour, markersize=8, markeredgecolor=INK)[0]
            for ax in (distance, slope)
            for colour in (FAKE, REAL)
        ]
        return figure, [line, *ways, *marks]
