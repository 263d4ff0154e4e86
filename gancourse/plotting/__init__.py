"""Figures in one style: grids of pictures, points, curves, tables.

Real is blue and fake is red in every figure, two colours that colour-blind readers can tell apart.
"""

import html
import io
import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image

from gancourse.files.writing import write_atomically
from gancourse.plotting.sheets import (
    MARGIN,
    draw_blocks,
    draw_columns,
    draw_grids,
    draw_rows,
    fixed_layout,
)
from gancourse.plotting.tiles import (
    DENSITY,
    DPI,
    LINE,
    Tiles,
    in_columns,
    in_rows,
    side_of,
    to_pixels,
)

__all__ = [
    "FAKE",
    "INK",
    "OPINION",
    "PALE",
    "REAL",
    "STYLE",
    "as_display",
    "columns_for",
    "draw_blocks",
    "draw_columns",
    "draw_curves",
    "draw_grids",
    "draw_images",
    "draw_opinion",
    "draw_points",
    "draw_rows",
    "encode",
    "legend_above",
    "mean_std",
    "save_samples",
    "table",
    "to_pil",
    "training_view",
    "use_style",
]

REAL, FAKE, INK, PALE = "#1b6ca8", "#d1495b", "#2b2d33", "#c9ccd3"
# D's probability of "real", from the colour of fake (0) to the colour of real (1).
OPINION = mpl.colors.LinearSegmentedColormap.from_list(
    "opinion", ["#d1495b", "#efb3b8", "#f7f5f2", "#a9cbe4", "#1b6ca8"]
)
LARGE, QUALITY = 120_000, 90  # bytes of a PNG that a JPEG of this quality may replace
SMALL = 64  # pictures of so many pixels a side must be drawn at LEAST pixels of the page
STYLE = {
    "figure.dpi": DPI,
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
    """Set the style of all figures; in a notebook, show them as :func:`encode` gives them."""
    mpl.rcParams.update(STYLE)
    if "IPython" in sys.modules and (shell := sys.modules["IPython"].get_ipython()):
        shell.run_line_magic("matplotlib", "inline")
        formatter = shell.display_formatter
        formatter.formatters["image/png"].pop(Figure, None)
        formatter.mimebundle_formatter.for_type(Figure, _bundle)


def encode(figure):
    """Return a figure as a file of twice the usual density, in true colour.

    A PNG keeps every pixel. Where a JPEG of high quality, with colour at full density, is much
    smaller than a large PNG, it takes its place.

    Parameters
    ----------
    figure : matplotlib Figure

    Returns
    -------
    kind : str
        "png" or "jpeg".
    data : bytes
    shown : dict
        ``width`` and ``height`` on the page, in its pixels; and ``tile``, the least side at which
        the figure shows a small picture, if it shows any.
    """
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DENSITY * DPI, pil_kwargs={"compress_level": 1})
    picture = Image.open(drawn, formats=("PNG",)).convert("RGB")
    red, green, blue = picture.split()
    grey = red.tobytes() == green.tobytes() == blue.tobytes()
    png, jpeg = io.BytesIO(), io.BytesIO()
    (red if grey else picture).save(png, "PNG", optimize=True)
    kind, data = "png", png.getvalue()
    if len(data) > LARGE:
        picture.save(jpeg, "JPEG", quality=QUALITY, subsampling="4:4:4")
        if len(jpeg.getvalue()) < 0.75 * len(data):
            kind, data = "jpeg", jpeg.getvalue()
    shown = {"width": picture.width // DENSITY, "height": picture.height // DENSITY}
    sides = [tiles.side for tiles in figure.findobj(Tiles) if max(tiles.size) <= SMALL]
    return kind, data, shown | ({"tile": min(sides)} if sides else {})


def _bundle(figure, **_):
    """Return a figure as IPython displays it: data and metadata by MIME type."""
    kind, data, shown = encode(figure)
    return {f"image/{kind}": data, "text/plain": repr(figure)}, {f"image/{kind}": shown}


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
    from torchvision.utils import make_grid  # torchvision takes a second or two to import

    grid = make_grid(images.detach().float().cpu(), nrow=ncol, padding=pad, pad_value=1.0)
    picture = Image.fromarray(to_pixels(grid[None])[0])
    if images.shape[1] == 1:
        picture = picture.convert("L")
    width, height = picture.size
    return picture.resize((width * scale, height * scale), Image.Resampling.NEAREST)


def columns_for(images):
    """Return the number of images in a row that makes their grid about square."""
    n, _, height, width = images.shape
    return int(np.ceil(np.sqrt(n * height / width)))


def draw_images(ax, images, title="", ncol=8):
    """Draw a grid of images on matplotlib Axes, from the upper left, enlarged by a whole factor.

    Parameters
    ----------
    ax : matplotlib Axes
    images : float torch.Tensor, (N, 1 or 3, H, W) in [-1, 1]
    title : str
    ncol : int
        The number of images in a row.
    """
    ax.set_title(title, loc="left")
    Tiles(in_rows(to_pixels(images), ncol)).fill(ax)


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
        ax.scatter(*real.float().cpu().T, s=9, color=REAL, alpha=0.35, linewidths=0, label="real")
    if fake is not None:
        ax.scatter(*fake.float().cpu().T, s=5, color=FAKE, alpha=0.55, linewidths=0, label="fake")
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
    ax.set(xlabel="step", ylabel=ylabel)
    legend_above(ax, title)


def legend_above(ax, title=""):
    """Put the title of Axes, and under it their legend in a line or two, above the curves."""
    names = ax.get_legend_handles_labels()[1]
    lines = -(-len(names) // 2)
    ax.set_title(title, pad=6 + 13 * lines)
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=2,
        borderaxespad=0,
        borderpad=0.2,
        handlelength=1.2,
        columnspacing=1,
        labelspacing=0.2,
    )


def training_view(history, data):
    """Draw the figure that a run shows during training: samples beside the losses.

    Parameters
    ----------
    history : History
        With ``samples``: pictures, (N, C, H, W) in [-1, 1]; columns of them by title, a dict; or
        points, (N, 2).
    data : gancourse.data.Data
        The data set, from which real points are drawn if the samples are points.

    Returns
    -------
    matplotlib Figure
    """
    with mpl.rc_context(STYLE):
        figure = plt.Figure(layout=fixed_layout())
        left, right = (figure.add_axes((0, 0, 1, 1)) for _ in range(2))
        wide, high = _draw_samples(left, history.samples, data)
        not_losses = ("prob", "logit", "accuracy")  # they have other scales
        tags = [tag for tag in history.values if not any(word in tag for word in not_losses)]
        draw_curves(right, history, tags, ylabel="loss")
        above = LINE + 4  # for a title
        width, height = np.ceil([wide + 440, high + 2 * MARGIN + above])
        figure.set_size_inches(width / DPI, height / DPI)
        curves, legend = min(high, 320), 13 * -(-len(tags) // 2) + 4
        for ax, box in (
            (left, (MARGIN, MARGIN, wide, high)),
            (right, (wide + 76, MARGIN + high - curves + 44, 350, curves - 44 - legend)),
        ):
            ax.set_position(np.array(box) / [width, height, width, height])
        return figure


def _draw_samples(ax, samples, data):
    """Draw what a run has sampled; return the width and the height that it needs on the page."""
    if not isinstance(samples, dict) and samples.dim() == 2:
        real = data.sample(512, torch.Generator().manual_seed(0))
        draw_points(ax, samples, real, "fixed z", limit=1.3 * float(real.abs().max()))
        return 290, 290
    if isinstance(samples, dict):
        tiles = in_columns({title: images[:4] for title, images in samples.items()})
    else:
        tiles = Tiles(in_rows(to_pixels(samples[:16]), 4))
        ax.set_title("fixed z", loc="left")
    tiles.fill(ax)
    return tiles.extent(side_of(max(tiles.size), tiles.shape[1], 450))


def as_display(figure):
    """Return a figure as a picture for a notebook, as :func:`encode` gives it.

    Parameters
    ----------
    figure : matplotlib Figure

    Returns
    -------
    IPython.display.Image
    """
    from IPython.display import Image as Shown

    kind, data, shown = encode(figure)
    size = {edge: shown.pop(edge) for edge in ("width", "height")}
    return Shown(data, format=kind, metadata=shown, **size)


def save_samples(samples, path):
    """Write samples to a PNG file: a grid of images, columns with titles, or a plot of points.

    Parameters
    ----------
    samples : float torch.Tensor, (N, C, H, W) in [-1, 1], or (N, 2); or a dict of str to Tensor
        Columns by title, as for :func:`draw_columns`.
    path : str or Path

    Raises
    ------
    CourseError
        If the file cannot be written.
    """
    data = io.BytesIO()
    if isinstance(samples, dict):
        with mpl.rc_context(STYLE):
            draw_columns(samples).savefig(data, format="png", dpi=DENSITY * DPI)
    elif samples.dim() == 4:
        to_pil(samples, columns_for(samples), scale=2 if samples.shape[-2] < 64 else 1).save(
            data, "PNG"
        )
    else:
        with mpl.rc_context(STYLE):
            figure = plt.Figure(figsize=(4, 4))
            limit = 1.2 * float(samples.nan_to_num(0, 0, 0).abs().max())
            draw_points(figure.subplots(), samples, limit=limit)
            figure.savefig(data, format="png", dpi=150)
    write_atomically(path, data.getvalue())


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
