"""The latent explorer shows what its sliders ask the generator for."""

import io

import numpy as np
import pytest
import torch
from noise import Noise
from PIL import Image

from gancourse.errors import CourseError
from gancourse.gans import vanilla
from gancourse.plotting.tiles import Tiles
from gancourse.trained import TrainedGenerator
from gancourse.training.runtime import start
from gancourse.widgets import LatentExplorer, principal_directions
from gancourse.widgets.latent import REACH


def generator(latent_dim=8, low=None):
    """Make a generator of 4 x 4 images in which axis i of z has strength i + 1."""
    basis, _ = torch.linalg.qr(torch.randn(16, latent_dim, generator=torch.Generator()))
    weight = basis * torch.arange(1.0, latent_dim + 1)
    return Noise(lambda z: (z @ weight.T).tanh().reshape(-1, 1, 4, 4), latent_dim, low)


def decoded(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("L")).astype(float)


def as_drawn(image, side):
    """Compute the grey values of one image drawn in whole pixels, side x side."""
    grey = ((image[0].clamp(-1, 1) + 1) * 127.5).round()
    return grey.repeat_interleave(side // 4, 0).repeat_interleave(side // 4, 1).numpy()


def live(*args, **options):
    tool = LatentExplorer(*args, **options)
    tool.ui  # noqa: B018 - makes the widget
    return tool


def test_directions_are_those_that_change_the_images_most_strongest_first():
    strengths = torch.tensor([1.0, 4.0, 2.0, 3.0])
    drawn = Noise(lambda z: (z * strengths).reshape(-1, 1, 2, 2), 4)
    found = principal_directions(drawn, 3)
    assert torch.allclose(found, torch.eye(4)[[1, 3, 2]], atol=1e-4)
    found = principal_directions(drawn, 1, generate=lambda z: drawn(z.flip(1)))
    assert torch.allclose(found, torch.eye(4)[[2]], atol=1e-4)


def test_directions_are_unit_vectors_at_right_angles():
    found = principal_directions(generator())
    assert torch.allclose(found @ found.T, torch.eye(6), atol=1e-5)


def test_a_generator_with_few_numbers_in_z_has_as_many_sliders():
    assert len(live(generator(2)).sliders) == 2


@pytest.mark.parametrize("directions", [1, 6])
def test_the_alternative_text_says_how_many_directions_the_still_picture_shows(
    directions, monkeypatch
):
    tool = LatentExplorer(generator(directions))
    monkeypatch.setattr("gancourse.widgets.latent.draw_rows", lambda rows, **options: rows)
    assert f"along {len(tool.still())} of {directions} directions" in tool.summary


@pytest.mark.parametrize("low", [None, -1.0, 0.0])
def test_a_slider_moves_every_sample_by_standard_deviations_along_its_direction(low):
    netG = generator(low=low)
    tool = LatentExplorer(netG, seed=5, directions=torch.eye(8))
    sd = {None: 1.0, -1.0: 2 / 12**0.5, 0.0: 1 / 12**0.5}[low]
    assert tool.sd == pytest.approx(sd, rel=0.02)
    moved = netG(netG.draw_z(16, 5) + 2.0 * tool.sd * torch.eye(8)[6])
    assert torch.allclose(tool.images(2.0 * torch.eye(8)[6]), moved, atol=1e-5)


def test_unmoved_samples_are_those_that_the_generator_draws():
    netG = generator(low=-1.0)
    assert torch.allclose(LatentExplorer(netG).images(torch.zeros(6)), netG(netG.draw_z(16)))


@pytest.mark.parametrize("low, mean", [(None, 0.0), (0.0, 0.5)])
def test_truncation_scales_towards_the_mean_of_z(low, mean):
    netG = generator(low=low)
    tool = LatentExplorer(netG)
    assert tool.mean == pytest.approx(mean, abs=0.02)
    half = tool.images(torch.zeros(6), truncation=0.5)
    assert torch.allclose(half, netG((netG.draw_z(16) + tool.mean) / 2), atol=1e-5)
    none = tool.images(torch.zeros(6), truncation=0.0)
    assert torch.allclose(none, netG(torch.full((16, 8), tool.mean)), atol=1e-5)


def test_no_colour_between_two_pixels_is_made_up():
    def stripes(side):
        row = torch.tensor([-1.0, 1.0]).repeat(side // 2)
        return Noise(lambda z: row.expand(len(z), 1, side, side), 4)

    coarse, fine = (live(stripes(side), directions=torch.eye(4)) for side in (32, 64))
    for tool in (coarse, fine):
        assert set(np.unique(decoded(tool.large.value))) == {0, 255}


def test_both_pictures_follow_a_slider_and_reset_puts_them_back():
    tool = live(generator())
    start_large, start_grid = tool.large.value, tool.grid.value
    tool.sliders[0].value = 2.0
    assert tool.large.value != start_large
    assert tool.grid.value != start_grid
    tool.truncation.value = 0.3
    tool.reset.click()
    assert (tool.large.value, tool.grid.value) == (start_large, start_grid)


def test_another_seed_gives_other_samples_and_the_same_seed_the_same():
    tool = live(generator())
    before = tool.grid.value
    tool.seed_box.value = 1
    other = tool.grid.value
    tool.seed_box.value = 0
    assert before == tool.grid.value != other


def test_the_large_picture_is_the_chosen_one_of_the_grid():
    tool = live(generator())
    images = tool.images(torch.zeros(6))
    for number in (1, 7):
        tool.picked.value = number
        large = decoded(tool.large.value)
        assert np.array_equal(large, as_drawn(images[number - 1], len(large)))


def test_the_grid_holds_the_samples_row_by_row():
    tool = live(generator())
    grid = decoded(tool.grid.value)
    step, tile = 5, 4  # one pixel between two samples
    sixth = grid[step : step + tile, step : step + tile]
    assert np.array_equal(sixth, as_drawn(tool.images(torch.zeros(6))[5], tile))


def test_the_range_of_the_sliders_is_given_in_standard_deviations():
    for slider in live(generator()).sliders:
        assert (slider.min, slider.max, slider.value) == (-REACH, REACH, 0)
        assert slider.description and "standard deviations" in slider.tooltip


def test_the_page_enlarges_small_images_and_large_ones_are_sent_for_dense_screens():
    def plain(side):
        return Noise(lambda z: torch.zeros(len(z), 1, side, side), 4)

    for side, large, grid in ((64, 64, 4 * 64 + 3 * 3), (128, 792, 792)):
        tool = live(plain(side), directions=torch.eye(4))
        assert decoded(tool.large.value).shape == (large, large)
        assert decoded(tool.grid.value).shape == (grid, grid)
        enlarged = [
            "gancourse-pixels" in picture._dom_classes for picture in (tool.large, tool.grid)
        ]
        assert enlarged == [side == 64] * 2


def test_colour_images_are_shown_in_colour():
    def blue(z):
        return torch.tensor([-1.0, -1.0, 1.0]).reshape(1, 3, 1, 1).expand(len(z), 3, 8, 8)

    tool = live(Noise(blue, 4), directions=torch.eye(4))
    assert Image.open(io.BytesIO(tool.large.value)).getpixel((3, 3)) == (0, 0, 255)


def test_still_picture_has_a_row_a_direction_and_names_its_units():
    tool = LatentExplorer(generator())
    (tiles,) = tool.still().findobj(Tiles)
    assert tiles.labels == [f"direction {i}" for i in range(1, 3)]
    assert tiles.heads == ["-3 sd", "-1.5 sd", "0", "+1.5 sd", "+3 sd"]
    middle = [row[2] for row in tiles.rows]
    assert all(np.array_equal(picture, middle[0]) for picture in middle)


def test_a_gan_that_was_just_trained_shows_its_own_samples():
    gan = vanilla.build(vanilla.PRESETS["smoke"], start("cpu"))
    trained = TrainedGenerator(gan, vanilla)
    tool = LatentExplorer(trained, seed=3)
    assert torch.allclose(tool.images(torch.zeros(6)), trained.sample(16, 3), atol=1e-5)
    assert "vanilla" in repr(trained)


@pytest.mark.parametrize(
    "netG, options, message",
    [
        (Noise(lambda z: z, 8), {}, "must return images"),
        (generator(), {"directions": torch.eye(3)}, r"directions .* \(k, 8\)"),
        (torch.nn.Linear(8, 16), {}, "latent_dim and draw_z.* Linear .* TrainedGenerator"),
    ],
)
def test_what_does_not_fit_is_explained(netG, options, message):
    with pytest.raises(CourseError, match=message):
        LatentExplorer(netG, **options)
