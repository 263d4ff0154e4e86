"""Figures that consist of pictures: columns, rows, grids and blocks, each with its title.

A figure is as large as its pictures need. A cell shows it if it is the cell's last value, or by
``display``.
"""

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import PlaceHolderLayoutEngine

from gancourse.plotting.tiles import (
    DPI,
    LEAST,
    LINE,
    WIDEST,
    Tiles,
    broken,
    in_columns,
    in_rows,
    side_of,
    to_pixels,
)

BETWEEN, MARGIN = 18, 4  # blocks of pictures, and the edge of the figure, in pixels of the page


def draw_columns(columns, labels=()):
    """Draw columns of pictures, a title above each.

    Parameters
    ----------
    columns : dict of str to float torch.Tensor, (rows, 1 or 3, H, W) in [-1, 1]
        By title. Grey and coloured pictures, and several sizes, may be mixed; smaller pictures are
        enlarged by whole factors as far as they fit.
    labels : sequence of str
        A label beside each row.

    Returns
    -------
    matplotlib Figure
        Its pictures have the side that :func:`gancourse.plotting.tiles.side_of` gives.
    """
    return draw_blocks({"": in_columns(columns, labels)})


def draw_rows(rows, heads=()):
    """Draw rows of pictures, a label beside each; see :func:`draw_columns`.

    Parameters
    ----------
    rows : dict of str to float torch.Tensor, (columns, 1 or 3, H, W) in [-1, 1]
        By label.
    heads : sequence of str
        A title above each column.

    Returns
    -------
    matplotlib Figure
    """
    pixels = [to_pixels(images) for images in rows.values()]
    return draw_blocks({"": Tiles(pixels, heads, rows)})


def draw_grids(grids, ncol, across=None):
    """Draw several grids of pictures, a title above each.

    Parameters
    ----------
    grids : dict of str to float torch.Tensor, (N, 1 or 3, H, W) in [-1, 1]
        By title.
    ncol : int
        The number of pictures in a row of each grid.
    across : int, optional
        The number of grids side by side; by default all.

    Returns
    -------
    matplotlib Figure
    """
    pixels = {title: to_pixels(images) for title, images in grids.items()}
    return draw_blocks({title: Tiles(in_rows(x, ncol)) for title, x in pixels.items()}, across)


def fixed_layout():
    """Return a layout for a figure whose Axes have their places.

    With ``layout="none"`` the style's layout comes back once matplotlib 3.11 has saved the figure.
    """
    return PlaceHolderLayoutEngine(adjust_compatible=True, colorbar_gridspec=True)


def draw_blocks(blocks, across=None):
    """Draw blocks of pictures on a figure of their size, a title above each.

    Parameters
    ----------
    blocks : dict of str to (dict or gancourse.plotting.tiles.Tiles)
        By title. A dict holds columns, as for :func:`draw_columns`.
    across : int, optional
        The number of blocks side by side; by default all.

    Returns
    -------
    matplotlib Figure
    """
    across = min(across or len(blocks), len(blocks))
    tiles = [in_columns(x) if isinstance(x, dict) else x for x in blocks.values()]
    columns = across * max(block.shape[1] for block in tiles)
    labels = across * max(block.room(LEAST)[0] for block in tiles)
    side = side_of(max(max(block.size) for block in tiles), columns, WIDEST - labels)
    sizes = [block.extent(side) for block in tiles]
    width = max(wide for wide, _ in sizes)
    font = FontProperties(
        size=mpl.rcParams["axes.titlesize"], weight=mpl.rcParams["axes.titleweight"]
    )
    titles = [broken(title, width, font) for title in blocks]
    above = LINE * max(title.count("\n") + 1 for title in titles) + 4 if any(titles) else 0
    lines = [max(high for _, high in sizes[i : i + across]) for i in range(0, len(sizes), across)]
    total = np.ceil(
        [
            across * (width + BETWEEN) - BETWEEN + 2 * MARGIN,
            sum(lines) + len(lines) * (above + BETWEEN) - BETWEEN + 2 * MARGIN,
        ]
    )
    figure = Figure(figsize=total / DPI, layout=fixed_layout())
    for i, (title, block, (wide, high)) in enumerate(zip(titles, tiles, sizes, strict=True)):
        x = MARGIN + i % across * (width + BETWEEN)
        top = MARGIN + sum(lines[: i // across]) + i // across * (above + BETWEEN) + above
        box = np.array([x, total[1] - top - high, wide, high])
        ax = figure.add_axes(tuple(box / total[[0, 1, 0, 1]]))
        ax.set_title(title, loc="left", pad=4, linespacing=1.15)
        block.fill(ax)
    return figure
