"""Pictures in one style: sample grids, points, curves, tables.

Real is blue and fake is red everywhere; the pair keeps its contrast for colour-blind readers.
"""

import html
import io
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torchvision.utils import make_grid

from gancourse.files import write_atomically

REAL, FAKE, INK, PALE = "#1b6ca8", "#d1495b", "#2b2d33", "#c9ccd3"
# D's opinion over the plane: red where it says fake, blue where it says real.
OPINION = mpl.colors.LinearSegmentedColormap.from_list(
    "opinion", ["#d1495b", "#efb3b8", "#f7f5f2", "#a9cbe4", "#1b6ca8"]
)
STYLE = {
    "figure.dpi": 96,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": "#9aa0a8",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e8ec",
    "grid.linewidth": 0.7,
    "axes.prop_cycle": mpl.cycler(
        color=[REAL, FAKE, "#e0a030", "#3a9d75", "#7d5ba6", "#7a7f87", "#40b5c4", "#b5651d"]
    ),
    "xtick.color": "#5a5f68",
    "ytick.color": "#5a5f68",
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "image.interpolation": "nearest",
}


def use_style():
    """Take this look for every figure; in a notebook, show each as a small, sharp PNG."""
    mpl.rcParams.update(STYLE)
    if "IPython" in sys.modules and (shell := sys.modules["IPython"].get_ipython()):
        shell.run_line_magic("matplotlib", "inline")
        shell.display_formatter.formatters["image/png"].for_type(Figure, _small_png)


def _small_png(figure):
    """Draw a figure for a screen of twice the usual density; return PNG data and its size.

    A palette of 256 colours makes the file several times smaller. They are chosen for coverage,
    then moved amid the pixels that they stand for, so that soft gradients show no bands.
    """
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=2 * STYLE["figure.dpi"])
    picture = Image.open(data).convert("RGB")
    width, height = picture.size
    data = io.BytesIO()
    picture = picture.quantize(256, Image.Quantize.MAXCOVERAGE, 2, dither=Image.Dither.NONE)
    picture.save(data, "PNG", optimize=True)
    return data.getvalue(), {"width": width // 2, "height": height // 2}


def to_pil(images, ncol=8, pad=2, scale=1):
    """Lay images out in a grid.

    Parameters
    ----------
    images : Tensor, (N, C, H, W)
        Pixels in [-1, 1]; C is 1 or 3.
    ncol : int
        Images in a row.
    pad : int
        Pixels between images, before scaling.
    scale : int
        Each pixel becomes scale x scale.

    Returns
    -------
    PIL.Image.Image
    """
    grid = make_grid(images.detach().float().cpu(), nrow=ncol, padding=pad, pad_value=1.0)
    pixels = ((grid.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    picture = Image.fromarray(pixels)
    if images.shape[1] == 1:
        picture = picture.convert("L")
    width, height = picture.size
    return picture.resize((width * scale, height * scale), Image.Resampling.NEAREST)


def side_by_side(*columns):
    """Lay pictures that belong together beside each other.

    Parameters
    ----------
    *columns : Tensor, (N, 1 or 3, H, W)
        In [-1, 1]; grey ones become colour.

    Returns
    -------
    Tensor, (N, 3, H, number of columns * W)
    """
    shape = (-1, 3, *columns[0].shape[2:])
    return torch.cat([images.float().cpu().expand(shape) for images in columns], 3)


def columns_for(images):
    """Return how many images in a row make a grid about as wide as it is high."""
    n, _, height, width = images.shape
    return int(np.ceil(np.sqrt(n * height / width)))


def draw_images(ax, images, title="", ncol=8):
    """Draw a grid of images into ``ax``; see :func:`to_pil`."""
    ax.imshow(to_pil(images, ncol), cmap="gray", vmin=0, vmax=255)
    ax.set_title(title)
    ax.axis("off")


def draw_points(ax, fake=None, real=None, title="", limit=None):
    """Draw points of the plane: real under fake.

    Parameters
    ----------
    ax : matplotlib Axes
    fake, real : Tensor, (N, 2), optional
    title : str
    limit : float, optional
        The axes run from -limit to limit.
    """
    if real is not None:
        ax.scatter(*real.cpu().T, s=9, color=REAL, alpha=0.35, linewidths=0, label="real")
    if fake is not None:
        ax.scatter(*fake.cpu().T, s=5, color=FAKE, alpha=0.55, linewidths=0, label="fake")
    if limit:
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit))
    ax.set(aspect="equal", xticks=[], yticks=[], title=title)
    ax.spines[:].set_visible(True)
    ax.grid(False)


def draw_opinion(ax, probability, limit):
    """Draw D's probability of "real" over the square from -limit to limit.

    Parameters
    ----------
    ax : matplotlib Axes
    probability : Tensor, (rows, columns)
        In [0, 1]; the first row is the lowest y.
    limit : float
    """
    extent = (-limit, limit, -limit, limit)
    return ax.imshow(
        probability.cpu(),
        origin="lower",
        extent=extent,
        cmap=OPINION,
        vmin=0,
        vmax=1,
        interpolation="bilinear" if len(probability) < 128 else "nearest",
    )


def draw_curves(ax, history, tags, title="", ylabel="", colours=None):
    """Draw logged curves over steps; a log window that lacks a tag gets no point."""
    steps = np.array(history.steps)
    for i, tag in enumerate(tags):
        values, colour = history[tag], {"color": colours[i]} if colours else {}
        logged = ~np.isnan(values)
        ax.plot(steps[logged], values[logged], label=tag, **colour)
    ax.set(title=title, xlabel="step", ylabel=ylabel)
    ax.legend()


def training_view(history, data):
    """Draw what a run shows while it goes: fixed-z samples beside the losses.

    Parameters
    ----------
    history : History
        With ``samples`` of shape (N, C, H, W) or (N, 2).
    data
        The data set; real points are drawn under the fake ones.

    Returns
    -------
    matplotlib Figure
    """
    with mpl.rc_context(STYLE):
        figure = plt.Figure(figsize=(8.2, 3.1))
        left, right = figure.subplots(1, 2, width_ratios=[1, 1.6])
        if history.samples.dim() == 4:
            images, title = history.samples, "input, output, target"
            height, width = images.shape[2:]
            if height == width:
                images, title = images[: 36 if width < 64 else 16], "fixed z"
            draw_images(left, images, title, ncol=columns_for(images))
        else:
            real = data.sample(512, torch.Generator().manual_seed(0))
            limit = 1.3 * float(real.abs().max())
            draw_points(left, history.samples, real, "fixed z", limit)
        beside = ("prob", "logit", "accuracy")  # on other scales than the losses
        tags = [tag for tag in history.values if not any(word in tag for word in beside)]
        draw_curves(right, history, tags, ylabel="loss")
        return figure


def as_display(figure):
    """Turn a figure into a picture for a notebook, as :func:`use_style` has all figures shown.

    Returns
    -------
    IPython.display.Image
    """
    from IPython.display import Image as Shown

    data, size = _small_png(figure)
    return Shown(data, format="png", width=size["width"])


def save_samples(samples, path):
    """Write samples to a PNG file: a grid of images, or a plot of points.

    Parameters
    ----------
    samples : Tensor, (N, C, H, W) in [-1, 1], or (N, 2)
    path : str or Path
    """
    data = io.BytesIO()
    if samples.dim() == 4:
        to_pil(samples, columns_for(samples), scale=2 if samples.shape[-2] < 64 else 1).save(
            data, "PNG"
        )
    else:
        with mpl.rc_context(STYLE):
            figure = plt.Figure(figsize=(4, 4))
            limit = 1.2 * float(samples.nan_to_num(0, 0, 0).abs().max())
            draw_points(figure.subplots(), samples, limit=limit)
            figure.savefig(data, format="png", dpi=150)
    write_atomically(Path(path), data.getvalue())


def mean_std(values, form=".1f"):
    """Write the mean of several runs and how far they scatter, as in "34.3 ± 4.3".

    Parameters
    ----------
    values : sequence of float
        One of each run.
    form : str
        Of both numbers.

    Returns
    -------
    str
        The standard deviation is that of these very runs: divided by their number.
    """
    values = torch.tensor([float(value) for value in values], dtype=torch.float64)
    return f"{values.mean():{form}} ± {values.std(correction=0):{form}}"


def table(columns, rows, caption=""):
    """Show a table that reads well in a notebook and as plain text.

    Parameters
    ----------
    columns : list of str
    rows : list of list
        Numbers are shown as given; write them with the digits that are meant.
    caption : str

    Returns
    -------
    Table
    """
    return Table(columns, [[str(cell) for cell in row] for row in rows], caption)


class Table:
    """What :func:`table` returns."""

    def __init__(self, columns, rows, caption):
        self.columns, self.rows, self.caption = columns, rows, caption

    def _repr_html_(self):
        def row(cells, tag):
            style = "text-align: left; padding: 3px 14px 3px 0; vertical-align: top"
            return "".join(f'<{tag} style="{style}">{html.escape(c)}</{tag}>' for c in cells)

        body = "".join(f"<tr>{row(cells, 'td')}</tr>" for cells in self.rows)
        caption = (
            f'<caption style="text-align: left; caption-side: bottom; opacity: .75; '
            f'padding-top: 4px">{html.escape(self.caption)}</caption>'
            if self.caption
            else ""
        )
        return f"<table>{caption}<thead><tr>{row(self.columns, 'th')}</tr></thead>{body}</table>"

    def __repr__(self):
        lines = [self.columns, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        text = "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )
        return f"{text}\n{self.caption}" if self.caption else text
