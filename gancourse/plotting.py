"""Figures in one style: grids of pictures, points, curves, tables.

Real is blue and fake is red in every figure, two colours that colour-blind readers can tell apart.
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
# D's probability of "real", from the colour of fake (0) to the colour of real (1).
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
    """Set the style of all figures; in a notebook, show them as PNG of twice the usual density."""
    mpl.rcParams.update(STYLE)
    if "IPython" in sys.modules and (shell := sys.modules["IPython"].get_ipython()):
        shell.run_line_magic("matplotlib", "inline")
        shell.display_formatter.formatters["image/png"].for_type(Figure, _small_png)


def _small_png(figure):
    """Return a figure as PNG data of twice the usual density, and its size on the page.

    A palette of 256 colours makes the file several times smaller. The colours are chosen to cover
    the range of the pixels, then improved by k-means, which avoids visible bands in gradients.
    Every fourth pixel of every fourth row is enough for that, and takes a tenth of the time.
    """
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=2 * STYLE["figure.dpi"])
    picture = Image.open(data, formats=("PNG",)).convert("RGB")
    width, height = picture.size
    data = io.BytesIO()
    few = picture.resize((width // 4, height // 4), Image.Resampling.NEAREST)
    palette = few.quantize(256, Image.Quantize.MAXCOVERAGE, 2)
    picture = picture.quantize(palette=palette, dither=Image.Dither.NONE)
    picture.save(data, "PNG", optimize=True)
    return data.getvalue(), {"width": width // 2, "height": height // 2}


def to_pil(images, ncol=8, pad=2, scale=1):
    """Arrange images in a grid.

    Parameters
    ----------
    images : float torch.Tensor, (N, C, H, W) in [-1, 1]
        Values outside are clamped. C is 1 or 3.
    ncol : int
        The number of images in a row.
    pad : int
        The distance between images in pixels, before scaling.
    scale : int
        The factor by which the grid is enlarged, without interpolation.

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
    """Join pictures that belong together, such as input, output and target, side by side.

    Parameters
    ----------
    *columns : float torch.Tensor, (N, 1 or 3, H, W) in [-1, 1]
        Grey pictures become colour pictures; smaller ones are enlarged pixel by pixel.

    Returns
    -------
    float32 torch.Tensor, (N, 3, H, number of columns * W), on the CPU
        H and W are those of the largest.
    """
    size = max(tuple(images.shape[2:]) for images in columns)
    shown = [torch.nn.functional.interpolate(c.float().cpu(), size) for c in columns]
    return torch.cat([images.expand(-1, 3, -1, -1) for images in shown], 3)


def columns_for(images):
    """Return the number of images in a row that makes their grid about square."""
    n, _, height, width = images.shape
    return int(np.ceil(np.sqrt(n * height / width)))


def draw_images(ax, images, title="", ncol=8):
    """Draw a grid of images on matplotlib Axes; see :func:`to_pil`."""
    ax.imshow(to_pil(images, ncol), cmap="gray", vmin=0, vmax=255)
    ax.set_title(title)
    ax.axis("off")


def draw_points(ax, fake=None, real=None, title="", limit=None):
    """Draw points of the plane, the fake ones over the real ones.

    Parameters
    ----------
    ax : matplotlib Axes
    fake, real : float torch.Tensor, (N, 2), optional
    title : str
    limit : float, optional
        Both axes run from -limit to limit; by default matplotlib fits them to the points.
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
    probability : float torch.Tensor, (rows, columns) in [0, 1]
        The first row has the lowest y.
    limit : float

    Returns
    -------
    matplotlib AxesImage
        For a colour bar.
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
    """Draw logged values over the steps.

    Parameters
    ----------
    ax : matplotlib Axes
    history : History
    tags : sequence of str
        The log tags to draw; a window that lacks one gets no point.
    title, ylabel : str
    colours : sequence of str, optional
        One for each tag; by default those of the style.
    """
    steps = np.array(history.steps)
    for i, tag in enumerate(tags):
        values, colour = history[tag], {"color": colours[i]} if colours else {}
        logged = ~np.isnan(values)
        ax.plot(steps[logged], values[logged], label=tag, **colour)
    ax.set(title=title, xlabel="step", ylabel=ylabel)
    ax.legend()


def training_view(history, data):
    """Draw the figure that a run shows during training: samples beside the losses.

    Parameters
    ----------
    history : History
        With ``samples`` of shape (N, C, H, W) in [-1, 1], or (N, 2).
    data : gancourse.data.Data
        The data set, from which real points are drawn if the samples are points.

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
        not_losses = ("prob", "logit", "accuracy")  # they have other scales
        tags = [tag for tag in history.values if not any(word in tag for word in not_losses)]
        draw_curves(right, history, tags, ylabel="loss")
        return figure


def as_display(figure):
    """Return a figure as a picture for a notebook, in the density of :func:`use_style`.

    Parameters
    ----------
    figure : matplotlib Figure

    Returns
    -------
    IPython.display.Image
    """
    from IPython.display import Image as Shown

    data, size = _small_png(figure)
    return Shown(data, format="png", width=size["width"])


def save_samples(samples, path):
    """Write samples to a PNG file, as a grid of images or a plot of points.

    Parameters
    ----------
    samples : float torch.Tensor, (N, C, H, W) in [-1, 1], or (N, 2)
    path : str or Path

    Raises
    ------
    CourseError
        If the file cannot be written.
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
    """Return the mean and the standard deviation of several runs as text, such as "34.3 ± 4.3".

    Parameters
    ----------
    values : sequence of float
        One value for each run.
    form : str
        The format of both numbers.

    Returns
    -------
    str
        The standard deviation is the square root of the mean squared deviation: the sum is
        divided by the number of runs, not by one less.
    """
    values = torch.tensor([float(value) for value in values], dtype=torch.float64)
    return f"{values.mean():{form}} ± {values.std(correction=0):{form}}"


def table(columns, rows, caption=""):
    """Return a table that a notebook shows as HTML and that prints as aligned text.

    Parameters
    ----------
    columns : list of str
        The headings.
    rows : list of list
        The cells, shown as ``str`` gives them. Format numbers beforehand.
    caption : str
        A line below the table.

    Returns
    -------
    Table
    """
    return Table(columns, [[str(cell) for cell in row] for row in rows], caption)


class Table:
    """A table; made by :func:`table`."""

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
