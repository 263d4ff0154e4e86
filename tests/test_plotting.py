"""Figures: the right pixels, small files, and one style."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from gancourse import plotting
from gancourse.data.mixtures import ring
from gancourse.tiles import Tiles, to_pixels
from gancourse.training.history import History


def test_a_grid_maps_the_range_of_a_model_to_the_range_of_a_picture():
    images = torch.stack([torch.full((1, 4, 4), v) for v in (-1.0, 0.0, 1.0, 3.0)])
    picture = np.asarray(plotting.to_pil(images, ncol=4, pad=0))
    assert picture.shape == (4, 16)
    assert [picture[0, i * 4] for i in range(4)] == [0, 128, 255, 255]


def test_a_grid_of_colour_is_scaled_without_blur():
    images = torch.rand(6, 3, 8, 8) * 2 - 1
    small, large = (plotting.to_pil(images, ncol=3, scale=s) for s in (1, 3))
    assert large.size == tuple(3 * side for side in small.size) and large.mode == "RGB"
    assert np.array_equal(np.asarray(large)[::3, ::3], np.asarray(small))


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


def test_a_photograph_is_sent_as_a_jpeg_close_to_it_with_colour_at_full_density():
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, 700)] * 2, indexing="ij")
    seeded = torch.Generator().manual_seed(0)
    waves = torch.stack([torch.sin(9 * x + 3 * y), torch.cos(7 * y * x), torch.sin(5 * x - 8 * y)])
    photograph = (0.8 * waves + 0.03 * torch.randn(3, 700, 700, generator=seeded)).clamp(-1, 1)
    figure = plt.figure(figsize=(700 / 192, 700 / 192), layout=plotting.fixed_layout())
    ax = figure.add_axes((0, 0, 1, 1))
    ax.axis("off")
    tiles = Tiles([to_pixels(photograph[None])])
    tiles.fill(ax)
    kind, pixels, _ = drawn(figure)
    assert kind == "jpeg" and tiles.side == 350
    wanted = to_pixels(photograph[None])[0].astype(int)
    assert np.abs(pixels - wanted).mean() < 4
    encoded = Image.open(io.BytesIO(plotting.encode(figure)[1]))
    assert encoded.layer and all(layer[1:3] == (1, 1) for layer in encoded.layer)  # 4:4:4


def test_a_plot_keeps_more_than_256_colours():
    figure, ax = plt.subplots()
    ax.imshow(
        torch.stack([torch.linspace(0, 1, 900).expand(9, -1)] * 3, 2) ** torch.tensor([1, 2, 3])
    )
    _, pixels, _ = drawn(figure)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 400


@pytest.mark.parametrize(
    "samples", [torch.zeros(9, 1, 8, 8), torch.randn(50, 2), {"a": torch.zeros(2, 1, 8, 8)}]
)
def test_samples_are_written_as_a_picture(tmp_path, samples):
    plotting.save_samples(samples, tmp_path / "s.png")
    assert Image.open(tmp_path / "s.png").size[0] > 30
    assert [p.name for p in tmp_path.iterdir()] == ["s.png"]


@pytest.mark.parametrize(
    "samples",
    [
        torch.zeros(64, 1, 28, 28),
        torch.randn(64, 2),
        {"input": torch.zeros(12, 1, 64, 64), "output": torch.zeros(12, 3, 64, 64)},
    ],
)
def test_the_training_view_draws_pictures_and_points(samples):
    history = History()
    for step in (1, 2, 3):
        history.add(step, 0.1, {"D/adv": 1, "G/adv": 0.5, "D/prob_real": 0.5, "D/logit_fake": 2})
    history.samples = samples
    figure = plotting.training_view(history, ring())
    labels = [line.get_label() for line in figure.axes[1].lines]
    assert labels == ["D/adv", "G/adv"]
    shown = plotting.as_display(figure)
    picture = Image.open(io.BytesIO(shown.data))
    assert (shown.width, shown.height) == (picture.width // 2, picture.height // 2)
    assert all(tiles.side >= 96 for tiles in tiles_in(figure))
    for tiles in tiles_in(figure):  # the pictures lie beside the curves and in the figure
        boxes = np.array(list(tiles.boxes.values()))
        assert boxes[:, :2].min() >= 0
        assert (boxes[:, 0] + boxes[:, 2]).max() < figure.axes[1].get_position().x0 * picture.width


def test_a_curve_runs_through_the_windows_that_logged_its_tag():
    history = History()
    for step, losses in enumerate(({"D": 3.0}, {"D": 2.0, "G": 7.0}, {"D": 1.0}, {"G": 8.0}), 1):
        history.add(step, 0.1, losses)
    ax = plt.Figure().subplots()
    plotting.draw_curves(ax, history, ["D", "G"])
    drawn = [line.get_xydata().tolist() for line in ax.lines]
    assert drawn == [[[1, 3], [2, 2], [3, 1]], [[2, 7], [4, 8]]]


def test_the_style_does_not_leak_out_of_the_training_view():
    with plt.rc_context({"font.size": 17.0}):
        history = History()
        history.add(1, 0.1, {"D/adv": 1.0})
        history.samples = torch.zeros(4, 1, 4, 4)
        plotting.training_view(history, None)
        assert plt.rcParams["font.size"] == 17.0


def test_opinions_run_from_the_colour_of_fake_to_the_colour_of_real():
    ends = [plotting.OPINION(x)[:3] for x in (0.0, 1.0)]
    expected = [
        tuple(int(c[i : i + 2], 16) / 255 for i in (1, 3, 5))
        for c in (plotting.FAKE, plotting.REAL)
    ]
    assert np.allclose(ends, expected, atol=0.01)


def test_runs_are_written_as_mean_and_standard_deviation():
    assert plotting.mean_std([1, 3]) == "2.0 ± 1.0"
    assert plotting.mean_std([torch.tensor(4.0)], ".0f") == "4 ± 0"


def test_a_table_reads_as_text_and_cannot_be_broken_by_its_content():
    table = plotting.table(["name", "n"], [["<b>", 1], ["longer", 22]], "a caption")
    assert repr(table).splitlines() == ["name    n", "<b>     1", "longer  22", "a caption"]
    assert "&lt;b&gt;" in table._repr_html_() and "a caption" in table._repr_html_()
