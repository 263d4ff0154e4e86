"""The latent explorer shows what its sliders ask the generator for."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from gancourse.errors import CourseError
from gancourse.gans import vanilla
from gancourse.training.runtime import start
from gancourse.widgets import digit_explorer, latent_explorer, principal_directions
from gancourse.widgets.latent import REACH


def generator(latent_dim=8):
    """Make a small generator of 4 x 4 images with known strengths of its directions."""
    torch.manual_seed(0)
    first = nn.Linear(latent_dim, 16, bias=False)
    basis, _ = torch.linalg.qr(torch.randn(16, latent_dim))
    with torch.no_grad():
        first.weight.copy_(basis * torch.arange(1.0, latent_dim + 1))  # axis i has strength i + 1
    return nn.Sequential(first, nn.Tanh(), nn.Unflatten(1, (1, 4, 4)))


def decoded(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("L")).astype(float)


def as_drawn(image, side):
    """Compute the grey values of one image drawn in whole pixels, side x side."""
    grey = ((image[0].clamp(-1, 1) + 1) * 127.5).round()
    return grey.repeat_interleave(side // 4, 0).repeat_interleave(side // 4, 1).numpy()


def live(*args, **options):
    tool = latent_explorer(*args, **options)
    tool.ui  # noqa: B018 - makes the widget
    return tool


def test_directions_of_a_linear_layer_are_its_singular_vectors_strongest_first():
    found = principal_directions(generator(), 8, 3)
    assert torch.allclose(found, torch.eye(8)[[7, 6, 5]], atol=1e-5)


def test_directions_of_a_function_are_found_from_its_answers():
    weight = generator()[0].weight.detach()
    found = principal_directions(lambda z: (z @ weight.T).reshape(-1, 1, 4, 4), 8, 3)
    assert torch.allclose(found, torch.eye(8)[[7, 6, 5]], atol=1e-4)


def test_directions_are_unit_vectors_at_right_angles():
    found = principal_directions(lambda z: generator()(z), 8)
    assert torch.allclose(found @ found.T, torch.eye(6), atol=1e-5)


def test_a_generator_with_few_numbers_in_z_has_as_many_sliders():
    assert len(live(generator(2), 2).sliders) == 2


def test_a_slider_moves_every_sample_by_standard_deviations_along_its_direction():
    netG = generator()
    tool = latent_explorer(netG, 8, prior="normal", seed=5)
    z = torch.randn(16, 8, generator=torch.Generator().manual_seed(5))
    moved = tool.images([0, 2.0, 0, 0, 0, 0])
    assert torch.allclose(moved, netG(z + 2.0 * torch.eye(8)[6]).detach(), atol=1e-5)


def test_truncation_scales_towards_the_mean_of_the_prior():
    netG = generator()
    tool = latent_explorer(netG, 8, prior="normal")
    z = torch.randn(16, 8, generator=torch.Generator().manual_seed(0))
    half = tool.images(torch.zeros(6), truncation=0.5)
    assert torch.allclose(half, netG(z / 2).detach(), atol=1e-5)
    none = tool.images(torch.zeros(6), truncation=0.0)
    assert torch.allclose(none, netG(torch.zeros(16, 8)).detach(), atol=1e-5)


@pytest.mark.parametrize("prior", ["uniform", "normal"])
def test_both_priors_have_mean_0_and_variance_1(prior):
    asked = []
    tool = latent_explorer(lambda z: asked.append(z) or z.reshape(-1, 1, 4, 4), 16, prior=prior)
    tool.images(torch.zeros(6), n=20_000)
    assert asked[-1].mean().abs() < 0.02
    assert (asked[-1].var() - 1).abs() < 0.02


def test_a_slider_counts_standard_deviations_of_a_narrower_prior_too():
    asked = []
    tool = latent_explorer(
        lambda z: asked.append(z) or z.reshape(-1, 1, 4, 4),
        16,
        prior=(-1, 1),
        directions=torch.eye(16)[:1],
    )
    start = torch.rand(16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    tool.images([3.0], truncation=0.5)
    assert torch.allclose(asked[-1], start / 2 + 3.0 / 3**0.5 * torch.eye(16)[0])


def test_fine_images_are_enlarged_smoothly_and_coarse_ones_show_their_pixels():
    def stripes(side):
        row = torch.tensor([-1.0, 1.0]).repeat(side // 2)
        return lambda z: row.expand(len(z), 1, side, side)

    coarse, fine = (live(stripes(side), 4, directions=torch.eye(4)) for side in (32, 64))
    assert set(np.unique(decoded(coarse.large.value))) == {0, 255}
    assert len(np.unique(decoded(fine.large.value))) > 50


def test_both_pictures_follow_a_slider_and_reset_puts_them_back():
    tool = live(generator(), 8)
    start_large, start_grid = tool.large.value, tool.grid.value
    tool.sliders[0].value = 2.0
    assert tool.large.value != start_large
    assert tool.grid.value != start_grid
    tool.truncation.value = 0.3
    tool.reset.click()
    assert (tool.large.value, tool.grid.value) == (start_large, start_grid)


def test_another_seed_gives_other_samples_and_the_same_seed_the_same():
    tool = live(generator(), 8)
    before = tool.grid.value
    tool.seed_box.value = 1
    other = tool.grid.value
    tool.seed_box.value = 0
    assert before == tool.grid.value != other


def test_the_large_picture_is_the_chosen_one_of_the_grid():
    tool = live(generator(), 8)
    images = tool.images(torch.zeros(6))
    for number in (1, 7):
        tool.picked.value = number
        large = decoded(tool.large.value)
        assert np.array_equal(large, as_drawn(images[number - 1], len(large)))


def test_the_grid_holds_the_samples_row_by_row():
    tool = live(generator(), 8)
    grid = decoded(tool.grid.value)
    step, tile = 168, 160  # of 2 x 80 pixels, and 2 x 4 between
    sixth = grid[step : step + tile, step : step + tile]
    assert np.array_equal(sixth, as_drawn(tool.images(torch.zeros(6))[5], tile))


def test_the_range_of_the_sliders_is_given_in_standard_deviations():
    for slider in live(generator(), 8).sliders:
        assert (slider.min, slider.max, slider.value) == (-REACH, REACH, 0)
        assert slider.description and "standard deviations" in slider.tooltip


def test_colour_images_are_shown_in_colour():
    def blue(z):
        return torch.tensor([-1.0, -1.0, 1.0]).reshape(1, 3, 1, 1).expand(len(z), 3, 8, 8)

    tool = live(blue, 4, directions=torch.eye(4))
    assert Image.open(io.BytesIO(tool.large.value)).getpixel((9, 9)) == (0, 0, 255)


def test_still_picture_has_a_row_a_direction_and_names_its_units():
    tool = latent_explorer(generator(), 8)
    (ax,) = tool.still().axes
    assert [t.get_text() for t in ax.get_yticklabels()] == [f"direction {i}" for i in range(1, 7)]
    labels = [t.get_text() for t in ax.get_xticklabels()]
    assert (labels[0], labels[6], labels[-1]) == ("-3 sd", "0", "+3 sd")


def test_works_on_the_generator_of_the_first_lesson():
    cfg = vanilla.PRESETS["smoke"]
    gan = vanilla.build(cfg, start("cpu"))
    tool = digit_explorer(gan.netG, cfg.latent_dim, prior=cfg.prior)
    assert tool.images(torch.zeros(6)).shape == (16, *cfg.sample_shape)


def test_the_generator_is_asked_in_eval_mode_and_left_in_its_own():
    netG = nn.Sequential(generator(), nn.Dropout(0.5)).train()
    tool = latent_explorer(netG, 8)
    assert torch.equal(tool.images(torch.zeros(6)), tool.images(torch.zeros(6)))
    assert netG.training and netG[1].training


@pytest.mark.parametrize(
    "netG, options, message",
    [
        (nn.Linear(8, 16), {}, r"must return images \(16, 1 or 3, height, width\), not \(16, 16\)"),
        (
            generator(),
            {"prior": "gaussian"},
            "unknown prior 'gaussian'; there are: normal, uniform",
        ),
        (generator(), {"directions": torch.eye(3)}, r"directions must be .* = \(k, 8\)"),
    ],
)
def test_what_does_not_fit_is_explained(netG, options, message):
    with pytest.raises(CourseError, match=message):
        latent_explorer(netG, 8, **options)
