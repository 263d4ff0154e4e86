"""Labelling: name a few points of the plane, and see what learners make of them."""

import html
from itertools import zip_longest
from pathlib import Path

import anywidget
import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import torch
import traitlets
from ipywidgets.widgets.trait_types import CByteMemoryView

from gancourse.errors import CourseError
from gancourse.plotting import FAKE, INK, REAL, STYLE
from gancourse.widgets.explorer import Explorer, button, encode, headed, in_row
from gancourse.widgets.scrubber import cover, extent_of, masked, tinted

SIDE = 320  # CSS pixels; drawn with twice as many, for dense screens
MOST = 12  # labels
COLOURS = (FAKE, REAL)  # of the classes: low and high probabilities have these hues
KEYS = "arrows move, Space labels, 1 and 2 choose the class, Backspace takes the last one back"
STYLE_SHEET = """
.gancourse-plane { position: relative; overflow: hidden; line-height: 0; border-radius: 4px;
  cursor: crosshair; touch-action: manipulation; }
.gancourse-plane img { width: 100%; aspect-ratio: 1; }
.gancourse-plane:focus-visible { outline-offset: -2px; }
.gancourse-plane .gancourse-ring { position: absolute; width: 16px; height: 16px;
  border-radius: 50%; transform: translate(-50%, -50%); pointer-events: none;
  box-shadow: 0 0 0 2px #fff, inset 0 0 0 2px #2b2d33, 0 0 0 3px #2b2d33; }
.gancourse-plane .gancourse-ring[hidden] { display: none; }
"""


class Labelling(Explorer):
    """Give a few points of the plane a class, and watch the boundary of each learner.

    A click labels a point: with the mouse, a finger or a pen; or with the keyboard, once a plane
    has been reached with Tab: arrows move, Space labels, 1 and 2 choose the class, Backspace takes
    the last label back. The learners begin again with each label, and are drawn as they learn.

    Parameters
    ----------
    points : Tensor, (N, 2)
        All points; none of them has a label.
    classes : Tensor, (N,)
        Their true classes, 0 or 1, which no learner is given. The share of points that a learner
        gets right is shown.
    learners : dict of str to callable
        By title. ``learn(x, y)`` takes the labelled points, (n, 2), and their classes, (n,), and
        returns an iterable of probabilities of class 1, (size, size), at the points of
        ``plane(extent, size)``: what it has learned so far, and at last what it has learned.
    labels : sequence of (float, float, int)
        The labels at first: x, y, class.
    names : pair of str
        Of the classes.
    extent : tuple of float, optional
        The part of the plane that is shown, (x0, x1, y0, y1); by default ``extent_of(points)``.

    Raises
    ------
    CourseError
        If the points, the classes, or what a learner returns have another form.
    """

    caption_without_kernel = "A still picture. Run this cell to label points."

    def __init__(self, points, classes, learners, *, labels=(), names=("one", "two"), extent=None):
        self.points = torch.as_tensor(points).detach().cpu().float()
        self.classes = torch.as_tensor(classes).detach().cpu().long()
        if self.points.ndim != 2 or self.points.shape[1] != 2 or not len(self.points):
            raise CourseError(f"points must be (N, 2) with N > 0, not {tuple(self.points.shape)}")
        if self.classes.shape != self.points.shape[:1] or not self.classes.lt(2).all():
            raise CourseError("classes must hold 0 or 1 for each point")
        if not learners:
            raise CourseError("learners must hold one function or more, by title")
        self.learners, self.names = dict(learners), tuple(names)
        self.extent = extent or extent_of(self.points, 0.1)
        self.labels = [(float(x), float(y), int(c)) for x, y, c in labels]
        if any(c not in (0, 1) for _, _, c in self.labels):
            raise CourseError("a label is (x, y, class) with class 0 or 1")
        self._size = (2 * SIDE, 2 * SIDE)
        self._all = masked(cover(self.points.numpy(), self.extent, self._size, 5.0, 0.45))
        self.summary = (
            f"The plane with {len(self.points)} points and {len(self.labels)} labels, as "
            f"{' and as '.join(self.learners)} divide it."
        )

    @property
    def ready(self):
        """Whether both classes have a label."""
        return {c for _, _, c in self.labels} == {0, 1}

    def learn(self):
        """Yield what each learner has learned so far, a dict by title, as long as any goes on."""
        x = torch.tensor([label[:2] for label in self.labels])
        y = torch.tensor([label[2] for label in self.labels])
        latest = {}
        for found in zip_longest(*(learn(x, y) for learn in self.learners.values())):
            for title, heat in zip(self.learners, found, strict=True):
                if heat is not None:
                    latest[title] = self._heat(heat, title)
            yield dict(latest)
        silent = [title for title in self.learners if title not in latest]
        if silent:
            raise CourseError(f"{silent[0]} gave no probabilities; it must yield them once or more")

    def _heat(self, heat, title):
        heat = torch.as_tensor(heat).detach().cpu().float().numpy()
        if heat.ndim != 2 or min(heat.shape) < 2 or not (heat.min() >= 0 and heat.max() <= 1):
            raise CourseError(
                f"{title} must give probabilities in [0, 1], (size, size), not {heat.shape}"
            )
        return heat

    def right(self, heat):
        """Return the share of points that probabilities, (size, size), put into their class."""
        x0, x1, y0, y1 = self.extent
        rows, columns = heat.shape
        column = (self.points[:, 0] - x0) / (x1 - x0) * columns
        row = (self.points[:, 1] - y0) / (y1 - y0) * rows
        said = heat[row.long().clamp(0, rows - 1), column.long().clamp(0, columns - 1)] > 0.5
        return float((torch.from_numpy(said) == self.classes.bool()).float().mean())

    def picture(self, heat):
        """Draw the plane: probabilities, all points, the labels."""
        picture = tinted(heat, self._size)
        picture.paste(INK, mask=self._all)
        for c, colour in enumerate(COLOURS):
            places = np.array([label[:2] for label in self.labels if label[2] == c])
            for shade, radius in ((INK, 17.0), ("white", 15.0), (colour, 11.0)):
                if len(places):
                    disc = cover(places, self.extent, self._size, radius, 0.999)
                    picture.paste(shade, mask=masked(disc))
        return picture

    def build(self):
        """Make a plane for each learner, and the tools."""
        self.planes, self.heads = {}, {}
        for title in self.learners:
            plane = Plane(label=f"{title}: plane to label points in; {KEYS}")
            plane.layout = widgets.Layout(width="100%", margin="0")
            plane.on_msg(self._received)
            self.planes[title], self.heads[title] = plane, widgets.HTML()
        self.choice = widgets.ToggleButtons(
            options=[(name, c) for c, name in enumerate(self.names)],
            tooltips=[f"Label points as {name}" for name in self.names],
            style={"button_width": "auto"},
        )
        self.undo = button("Undo", "Take the last label back", self.take_back, "72px")
        self.clear = button("Clear", "Take all labels back", lambda: self.take_back(True), "72px")
        self.state = widgets.HTML()
        parts = [
            widgets.HTML(f"<style>{STYLE_SHEET}</style>", layout=widgets.Layout(display="none")),
            in_row(
                [
                    widgets.VBox(
                        [headed(html.escape(title), plane), self.heads[title]],
                        layout=widgets.Layout(flex="1 1 220px", max_width=f"{SIDE}px"),
                    )
                    for title, plane in self.planes.items()
                ],
                "8px 20px",
                "stretch",
            ),
            in_row([widgets.Label("The next point is"), self.choice, self.undo, self.clear]),
            self.state,
            widgets.HTML(f"<small>With the keyboard: Tab to a plane, then {KEYS}.</small>"),
        ]
        self.update()
        return self.stacked(parts, 2 * SIDE + 20)

    def _received(self, _, content, __):
        action = content.get("action")
        if action == "choose":
            x0, x1, y0, y1 = self.extent
            x, y = (min(1.0, max(0.0, float(content[name]))) for name in "xy")
            self.add(x0 + x * (x1 - x0), y1 - y * (y1 - y0), self.choice.value)
        elif action == "class" and content.get("number") in (1, 2):
            self.choice.value = content["number"] - 1
        elif action == "undo":
            self.take_back()

    def add(self, x, y, c):
        """Label a point, in the units of the data, and let all learn again."""
        if len(self.labels) < MOST:
            self.labels.append((x, y, c))
            self.redraw()

    def take_back(self, all_of_them=False):
        """Take the last label back, or all of them."""
        del self.labels[0 if all_of_them else -1 :]
        self.redraw()

    def update(self):
        """Let all learners learn, and draw each as it learns."""
        missing = [n for c, n in enumerate(self.names) if all(y != c for _, _, y in self.labels)]
        if missing:
            blank = np.full((2, 2), 0.5, np.float32)
            for title in self.learners:
                self._show(title, blank)
                self.heads[title].value = ""
            self.state.value = f"Label a point of: {' and '.join(map(html.escape, missing))}"
            return
        self.state.value = "learning ..."
        for found in self.learn():
            for title, heat in found.items():
                self._show(title, heat)
                self.heads[title].value = f"{self.right(heat):.0%} of the points right"
        self.state.value = f"learned, with {len(self.labels)} labels"

    def _show(self, title, heat):
        self.planes[title].picture = encode(self.picture(heat), "jpeg")

    def still(self):
        """Draw what each learner has learned of the labels."""
        found = [{}, *(self.learn() if self.ready else ())][-1]
        with plt.rc_context(STYLE):
            figure = plt.Figure(figsize=(3.4 * len(self.learners), 3.6))
            axes = figure.subplots(1, len(self.learners), squeeze=False)[0]
            for ax, title in zip(axes, self.learners, strict=True):
                heat = found.get(title, np.full((2, 2), 0.5, np.float32))
                ax.imshow(self.picture(heat), interpolation="antialiased")
                share = f"\n{self.right(heat):.0%} of the points right" if found else ""
                ax.set_title(title + share)
                ax.axis("off")
            return figure


class Plane(anywidget.AnyWidget):
    """A picture whose points can be chosen, in the browser.

    Attributes
    ----------
    picture : bytes
        A JPEG.
    label : str
        Name of the plane, for screen readers.
    """

    _esm = Path(__file__).with_name("plane.js")

    picture = CByteMemoryView(b"").tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
