"""Figures of pictures: every pixel arrives, at a size that can be seen, under its title."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from gancourse import plotting
from gancourse.plotting.tiles import Tiles, to_pixels


@pytest.fixture(autouse=True)
def in_style():
    """Draw as the lessons do, and close the figures."""
    with plt.rc_context(plotting.STYLE):
        yield
    plt.close("all")


def samples_of_all_colours(n, side, channels=3):
    seeded = torch.Generator().manual_seed(0)
    return torch.rand(n, channels, side, side, generator=seeded) * 2 - 1


def drawn(figure):
    """Return the pixels of a figure as a notebook gets them, and what is said of them."""
    kind, data, shown = plotting.encode(figure)
    return kind, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), shown


def tiles_in(figure):
    return [tiles for tiles in figure.findobj(Tiles) if tiles.boxes]


def as_sent(tiles, at, height):
    """Return the box of a picture, with the row counted from the top, as a slice of an array."""
    x, y, wide, high = tiles.boxes[at]
    return slice(height - y - high, height - y), slice(x, x + wide)


@pytest.mark.parametrize("side", [8, 28, 32, 64])
def test_every_pixel_of_a_picture_arrives_as_a_square_of_the_same_colour(side):
    images = samples_of_all_colours(6, side)
    figure = plotting.draw_grids({"some": images}, ncol=3)
    kind, pixels, _ = drawn(figure)
    (tiles,) = tiles_in(figure)
    assert kind == "png" and len(tiles.boxes) == 6
    for i, wanted in enumerate(to_pixels(images)):
        found = pixels[as_sent(tiles, divmod(i, 3), len(pixels))]
        factor = len(found) // side
        assert found.shape == (factor * side, factor * side, 3)
        assert np.array_equal(found, wanted.repeat(factor, 0).repeat(factor, 1))


@pytest.mark.parametrize("across", [1, 4, 8])
@pytest.mark.parametrize("side", [8, 28, 32, 64, 96])
def test_small_pictures_are_at_least_96_pixels_wide_on_the_page(side, across):
    figure = plotting.draw_rows({"a": samples_of_all_colours(across, side)})
    _, pixels, shown = drawn(figure)
    (tiles,) = tiles_in(figure)
    assert tiles.side >= 96
    assert shown.get("tile", tiles.side) == tiles.side
    assert shown["width"] == pixels.shape[1] // 2 and shown["height"] == pixels.shape[0] // 2


def test_axes_too_small_for_their_pictures_are_told_of():
    figure, ax = plt.subplots(figsize=(3, 1.2), dpi=96)
    plotting.draw_images(ax, samples_of_all_colours(16, 64), "16 faces", ncol=8)
    assert drawn(figure)[2]["tile"] < 96


def test_a_picture_larger_than_its_place_is_reduced_and_not_cut():
    left_white = torch.full((1, 3, 400, 400), -1.0)
    left_white[..., :200] = 1
    figure = plotting.draw_columns({"large": left_white})
    _, pixels, shown = drawn(figure)
    (tiles,) = tiles_in(figure)
    found = pixels[as_sent(tiles, (0, 0), len(pixels))]
    assert found.shape == (192, 192, 3) and "tile" not in shown
    assert found[:, :90].min() > 250 and found[:, 102:].max() < 5


def test_every_column_has_its_title_above_itself_and_every_row_its_label_beside():
    titles = ["input", "made from the drawing by us", "target"]
    columns = {title: samples_of_all_colours(2, 64) for title in titles}
    figure = plotting.draw_columns(columns, labels=["first", "second"])
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (tiles,) = tiles_in(figure)
    assert [text.get_text().replace("\n", " ") for text in tiles.head_texts] == titles
    renderer = canvas.get_renderer()
    for c, text in enumerate(tiles.head_texts):
        box = text.get_window_extent(renderer)
        x, y, wide, high = tiles.boxes[0, c]
        assert abs((box.x0 + box.x1) / 2 - (x + wide / 2)) < 3
        assert y + high < box.y0 < y + high + 20 and box.y1 <= figure.bbox.height
        assert box.width <= wide * 1.1
    for r, text in enumerate(tiles.label_texts):
        box = text.get_window_extent(renderer)
        x, y, _, high = tiles.boxes[r, 0]
        assert 0 <= box.x0 and box.x1 < x and y < box.y0 and box.y1 < y + high


def test_rows_and_grids_have_their_names_too():
    rows = plotting.draw_rows({"before": samples_of_all_colours(3, 32)}, heads=["0", "1", "2"])
    (tiles,) = rows.findobj(Tiles)
    assert (tiles.labels, tiles.heads) == (["before"], ["0", "1", "2"])
    figure = plotting.draw_grids({n: samples_of_all_colours(4, 32) for n in "abc"}, 2, across=2)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["a", "b", "c"]
    corners = [
        (round(ax.get_position().x0, 3), round(ax.get_position().y0, 3)) for ax in figure.axes
    ]
    assert corners[0][0] == corners[2][0] < corners[1][0]
    assert corners[0][1] == corners[1][1] > corners[2][1]


def test_pictures_of_several_sizes_and_of_grey_and_colour_share_a_table():
    figure = plotting.draw_columns(
        {"small": samples_of_all_colours(1, 8, 1), "large": samples_of_all_colours(1, 32)}
    )
    drawn(figure)
    (tiles,) = tiles_in(figure)
    assert [box[2:] for box in tiles.boxes.values()] == [(192, 192)] * 2


def test_a_long_title_stays_within_the_figure():
    title = " ".join("digits" for _ in range(12)) + " of a shipped generator" * 12
    for end in range(len(title) // 2, len(title), 8):
        figure = plotting.draw_blocks(
            {title[:end]: Tiles([to_pixels(samples_of_all_colours(7, 28))])}
        )
        FigureCanvasAgg(figure).draw()
        (text,) = [text for text in figure.findobj(plt.Text) if "digits" in text.get_text()]
        assert text.get_text().split() == title[:end].split()
        assert text.get_window_extent().x1 <= figure.bbox.x1
