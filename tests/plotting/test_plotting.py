"""Figures: the right pixels, small files, and one style."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from gancourse import plotting
from gancourse.data.mixtures import ring
from gancourse.plotting.sheets import fixed_layout
from gancourse.plotting.tiles import Tiles, to_pixels
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


def drawn(figure):
    """Return the pixels of a figure as a notebook gets them, and what is said of them."""
    kind, data, shown = plotting.encode(figure)
    return kind, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), shown


def tiles_in(figure):
    return [tiles for tiles in figure.findobj(Tiles) if tiles.boxes]


def test_a_photograph_is_sent_as_a_jpeg_close_to_it_with_colour_at_full_density():
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, 700)] * 2, indexing="ij")
    seeded = torch.Generator().manual_seed(0)
    waves = torch.stack([torch.sin(9 * x + 3 * y), torch.cos(7 * y * x), torch.sin(5 * x - 8 * y)])
    photograph = (0.8 * waves + 0.03 * torch.randn(3, 700, 700, generator=seeded)).clamp(-1, 1)
    figure = plt.figure(figsize=(700 / 192, 700 / 192), layout=fixed_layout())
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
