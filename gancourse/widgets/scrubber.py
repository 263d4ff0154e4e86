"""The training scrubber: a slider over recorded steps of a GAN on points of the plane."""

import html
from math import ceil

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image

from gancourse.errors import CourseError
from gancourse.plotting import FAKE, INK, OPINION, REAL, STYLE
from gancourse.widgets.explorer import Explorer, encode, in_row

WIDTH = 420  # CSS pixels; drawn with twice as many, for dense screens
PANELS = 6  # in the still picture
# D's probability lies under the points, so it is paler than in a figure of its own.
TINTS = (255 * (0.5 * OPINION(np.linspace(0, 1, 256))[:, :3] + 0.5)).round().astype(np.uint8)


def extent_of(real, margin=0.25):
    """Choose a square of the plane to look at: its middle is 0, and it holds all points.

    Parameters
    ----------
    real : Tensor, (N, 2)
    margin : float
        Added on each side, as a share of the largest coordinate; the sum is rounded up to a
        multiple of 0.5.

    Returns
    -------
    tuple of float
        (x0, x1, y0, y1), in the data's units.
    """
    reach = ceil(2 * (1 + margin) * float(torch.as_tensor(real).abs().max())) / 2
    return (-reach, reach, -reach, reach)


def plane(extent, size=64):
    """Return a grid of points of the plane, at which to evaluate D.

    ``torch.sigmoid(netD(plane(extent))).reshape(64, 64)`` is the ``heat`` of a record.

    Parameters
    ----------
    extent : float or tuple of float
        (x0, x1, y0, y1), or r for (-r, r, -r, r).
    size : int
        Points on each side.

    Returns
    -------
    Tensor, (size * size, 2)
        The centres of size x size equal cells; row by row from the lowest y, and in a row from
        the lowest x.
    """
    x0, x1, y0, y1 = _extent(extent)
    middle = (torch.arange(size) + 0.5) / size
    y, x = torch.meshgrid(y0 + (y1 - y0) * middle, x0 + (x1 - x0) * middle, indexing="ij")
    return torch.stack([x, y], dim=-1).flatten(0, 1)


class Scrubber(Explorer):
    """Show how D's probability and the samples moved while a GAN was trained on points.

    Parameters
    ----------
    records : list of (int, dict)
        The step, and what was recorded there: ``samples`` (n, 2) and ``heat`` (rows, columns),
        D's probability of "real" in [0, 1] at the points of :func:`plane`. Further numbers,
        such as ``loss_d``, are shown beside the picture by their names.
    real : Tensor, (N, 2)
        Real points, drawn under the generated ones.
    extent : float or tuple of float, optional
        The part of the plane that ``heat`` covers: (x0, x1, y0, y1), or r for (-r, r, -r, r).
        By default :func:`extent_of` the real points.

    Raises
    ------
    CourseError
        If there are no records, or the parts, shapes or values of one are wrong.

    Examples
    --------
    >>> extent = extent_of(real)
    >>> def record(gan):
    ...     heat = gan.netD(plane(extent)).sigmoid().reshape(64, 64)
    ...     return {"samples": sample(gan, 512), "heat": heat}
    >>> Scrubber(history.records, real, extent=extent)  # doctest: +SKIP
    """

    def __init__(self, records, real, *, extent=None):
        self.real = _points(real, "real")
        self.extent = _extent(extent_of(self.real) if extent is None else extent)
        self.steps, self.frames = [], []
        for step, record in records:
            self.steps.append(int(step))
            self.frames.append(_frame(step, record))
        if not self.frames:
            raise CourseError(
                "records must hold one step or more, but is empty; train with record= and "
                "record_every=, and pass history.records"
            )
        x0, x1, y0, y1 = self.extent
        self.size = (2 * WIDTH, round(2 * WIDTH * (y1 - y0) / (x1 - x0)))  # (width, height)
        self._real = masked(cover(self.real, self.extent, self.size, 6.0, 0.5))
        self.summary = (
            f"The plane at {min(PANELS, len(self.steps))} of {len(self.steps)} recorded steps, "
            f"from {self.steps[0]} to {self.steps[-1]}: the discriminator's probability of real, "
            "real points, generated points."
        )

    def picture(self, index):
        """Draw one recorded step.

        Parameters
        ----------
        index : int
            Which record.

        Returns
        -------
        PIL.Image.Image
        """
        frame = self.frames[index]
        picture = tinted(frame["heat"], self.size)
        picture.paste(REAL, mask=self._real)
        for colour, radius in (("white", 6.2), (FAKE, 4.6)):
            covered = cover(frame["samples"], self.extent, self.size, radius, 0.75, "diamond")
            picture.paste(colour, mask=masked(covered))
        return picture

    def build(self):
        """Make the slider, the play button, the picture and the legend."""
        last = len(self.steps) - 1
        self.slider = widgets.SelectionSlider(
            options=[(f"{step:,}", i) for i, step in enumerate(self.steps)],
            value=last,
            description="Step",
            readout=False,  # it stands beside the picture
            tooltip="Training step; arrow keys move it by one record",
            style={"description_width": "36px"},
            layout=widgets.Layout(
                flex="1 1 160px", width="auto", min_width="0", padding="0 10px 0 0"
            ),
        )
        self.play = widgets.Play(
            min=0,
            max=last,
            value=last,
            interval=int(np.clip(6000 / (last + 1), 60, 500)),
            show_repeat=False,
            tooltip="Play the training from the start",
        )
        widgets.jslink((self.play, "value"), (self.slider, "index"))
        self.image = widgets.Image(
            format="jpeg", layout=widgets.Layout(width=f"{WIDTH}px", max_width="100%")
        )
        self.panel = widgets.HTML(layout=widgets.Layout(flex="1 1 200px", max_width="260px"))
        self.slider.observe(self.redraw, "index")
        self.update()
        parts = [
            in_row([self.play, self.slider], "8px"),
            in_row([self.image, self.panel], "20px", "flex-start"),
        ]
        return self.stacked(parts, 700)

    def update(self):
        """Draw the record that the slider stands at."""
        index = self.slider.index
        self.image.value = encode(self.picture(index), "jpeg")
        self.panel.value = self.legend(index)

    def legend(self, index):
        """Return the text beside the picture of a record, as HTML."""
        frame = self.frames[index]
        x0, x1, y0, y1 = self.extent
        fake = frame["samples"]
        inside = ((fake >= (x0, y0)) & (fake <= (x1, y1))).all(1).sum()
        outside = len(fake) - inside
        tints = ", ".join("rgb({} {} {})".format(*TINTS[i]) for i in (0, 64, 128, 191, 255))
        numbers = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{value:.3f}</td></tr>"
            for name, value in frame["numbers"].items()
        )
        return f"""
<div role="status"><b style="font-size: 1.5em">{self.steps[index]:,}</b>
<small>of {self.steps[-1]:,} steps</small></div>
<div style="margin-top: 10px">
<svg width="14" height="12" aria-hidden="true"><circle cx="6" cy="6" r="4" fill="{REAL}"/></svg>
real points<br>
<svg width="14" height="12" aria-hidden="true"><path d="M6 1l5 5-5 5-5-5z" fill="{FAKE}"/></svg>
generated points{f"<br><small>{outside} of {len(fake)} lie outside</small>" if outside else ""}
</div>
<div style="margin-top: 10px">D's probability of real
<div style="height: 12px; border-radius: 3px; background: linear-gradient(90deg, {tints})"></div>
<div style="display: flex; justify-content: space-between"><small>0</small><small>0.5</small>
<small>1</small></div>
<small>Dark line: 0.5, undecided.</small></div>
<table style="margin-top: 10px; font-variant-numeric: tabular-nums">{numbers}</table>
<small>{f"x {x0:g} to {x1:g}, y {y0:g} to {y1:g}".replace("-", "−")}</small>"""

    def still(self):
        """Draw up to six steps: the first, and then at growing distances up to the last."""
        last = len(self.steps) - 1
        chosen = sorted({0, *(round(i) for i in np.geomspace(1, max(last, 1), PANELS - 1))})
        chosen = [index for index in chosen if index <= last]
        with plt.rc_context(STYLE):
            down = -(-len(chosen) // 3)
            figure = plt.Figure(figsize=(8.4, 2.95 * down))
            axes = figure.subplots(down, 3, squeeze=False).flat
            for ax in list(axes)[len(chosen) :]:
                ax.remove()
            for ax, index in zip(figure.axes, chosen, strict=True):
                ax.imshow(self.picture(index), interpolation="antialiased")
                ax.set_title(f"step {self.steps[index]:,}")
                ax.axis("off")
            return figure


def tinted(cells, size):
    """Draw probabilities as tints, with a line where they are 1/2.

    Parameters
    ----------
    cells : float32 ndarray, (rows, columns)
        In [0, 1], at the points of :func:`plane`; the first row has the lowest y.
    size : tuple of int
        (width, height) in pixels.

    Returns
    -------
    PIL.Image.Image
    """

    def enlarged(numbers):
        return np.asarray(Image.fromarray(numbers).resize(size, Image.Resampling.BICUBIC))

    cells = cells[::-1]  # the first row of a picture is the highest y
    heat = enlarged(cells).clip(0, 1)
    picture = Image.fromarray(TINTS[(heat * 255).astype(np.uint8)])
    # The line is equally wide for all slopes, and there is none where the probability is flat.
    rise, run = np.gradient(cells)
    width, height = size
    slope = np.hypot(rise * cells.shape[0] / height, run * cells.shape[1] / width)
    slope = enlarged(slope)  # of the probability, per pixel
    away = np.abs(heat - 0.5) / np.maximum(slope, 1e-9)  # in pixels
    picture.paste(INK, mask=masked(0.6 * np.clip(1.8 - away, 0, 1) * (slope > 1e-6)))
    return picture


def cover(points, extent, size, radius, opacity, shape="circle"):
    """Compute the share of each pixel that points cover, with smooth edges.

    Parameters
    ----------
    points : ndarray, (n, 2)
    extent : tuple of float
    size : tuple of int
        (width, height) in pixels.
    radius : float
        Of a point, in pixels.
    opacity : float
        Of one point, in [0, 1); points that overlap cover more.
    shape : {"circle", "diamond"}

    Returns
    -------
    ndarray, (height, width)
        In [0, 1].
    """
    width, height = size
    x0, x1, y0, y1 = extent
    near = (points > (x0, y0)) & (points < (x1, y1))
    points = points[near.all(1)]
    x = (points[:, 0] - x0) / (x1 - x0) * width - 0.5
    y = (y1 - points[:, 1]) / (y1 - y0) * height - 0.5
    around = np.arange(-ceil(radius) - 1, ceil(radius) + 2)
    column = np.floor(x).astype(int)[:, None, None] + around[None, None, :]
    row = np.floor(y).astype(int)[:, None, None] + around[None, :, None]
    dx, dy = np.abs(column - x[:, None, None]), np.abs(row - y[:, None, None])
    distance = np.hypot(dx, dy) if shape == "circle" else (dx + dy) * 0.8
    thickness = -np.log1p(-opacity * np.clip(radius + 0.5 - distance, 0, 1))
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    total = np.bincount((row * width + column)[inside], thickness[inside], width * height)
    return (1 - np.exp(-total)).reshape(height, width).astype(np.float32)


def masked(amount):
    """Return shares from 0 to 1, (height, width), as the mask of a picture."""
    return Image.fromarray((amount * 255).astype(np.uint8))


def _extent(extent):
    try:
        x0, x1, y0, y1 = (
            (-extent, extent, -extent, extent)
            if isinstance(extent, int | float)
            else (float(edge) for edge in extent)
        )
        valid = x0 < x1 and y0 < y1
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise CourseError(
            f"extent must be (x0, x1, y0, y1) with x0 < x1 and y0 < y1, or one positive number, "
            f"not {extent!r}"
        )
    return (x0, x1, y0, y1)


def _array(value):
    value = value.detach().cpu().float() if isinstance(value, torch.Tensor) else value
    return np.array(value, dtype=np.float32)


def _points(value, name):
    points = _array(value)
    if points.ndim != 2 or points.shape[1] != 2:
        raise CourseError(f"{name} must hold points of the plane, (n, 2), not {points.shape}")
    return points


def _frame(step, record):
    missing = {"samples", "heat"} - set(record)
    if missing:
        raise CourseError(
            f"the record of step {step} has no {' and no '.join(sorted(missing))}; "
            f"it has: {', '.join(record) or 'nothing'}"
        )
    heat = _array(record["heat"])
    if heat.ndim != 2 or min(heat.shape) < 2:
        raise CourseError(
            f"heat at step {step} must be (rows, columns), not {heat.shape}: reshape D's "
            "probabilities at the points of plane(extent, size) to (size, size)"
        )
    if not (np.isfinite(heat).all() and heat.min() >= 0 and heat.max() <= 1):
        raise CourseError(
            f"heat at step {step} must be probabilities in [0, 1], not values from {heat.min():g} "
            f"to {heat.max():g}: D returns logits, so take torch.sigmoid of them"
        )
    numbers = {
        name: float(value)
        for name, value in record.items()
        if isinstance(value, int | float | np.number) or getattr(value, "shape", None) == ()
    }
    return {"samples": _points(record["samples"], "samples"), "heat": heat, "numbers": numbers}
