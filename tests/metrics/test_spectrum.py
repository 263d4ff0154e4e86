"""Spectra of pictures, and the pattern of period 2."""

import pytest
import torch

from gancourse.errors import CourseError
from gancourse.metrics.spectrum import checkerboard, power_spectrum


def noise(n=64, side=32):
    return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(0))


def test_the_power_of_a_wave_is_where_its_frequency_is():
    x = torch.arange(32)
    wave = torch.sin(2 * torch.pi * 4 * x / 32).expand(1, 1, 32, 32)  # 4 periods across
    power = power_spectrum(wave)
    assert {tuple(place) for place in (power > 1).nonzero().tolist()} == {(16, 12), (16, 20)}


def test_the_powers_of_noise_add_up_to_its_variance():
    images = noise()
    assert power_spectrum(images).mean().item() == pytest.approx(
        images.var((2, 3), correction=0).mean().item(), rel=1e-4
    )


def test_brightness_does_not_change_the_spectrum():
    assert power_spectrum(torch.ones(2, 3, 16, 16)).abs().max() < 1e-6


def test_noise_has_no_checkerboard_and_smooth_pictures_less_than_none():
    assert checkerboard(noise()) == pytest.approx(1, abs=0.1)
    smooth = torch.nn.functional.avg_pool2d(noise(side=33), 2, stride=1)
    assert checkerboard(smooth) < 0.9


def test_a_pattern_of_period_two_stands_out():
    tiles = torch.tensor([[1.0, 0.0], [0.0, 0.0]]).repeat(16, 16)
    assert checkerboard(0.1 * noise() + tiles) > 10


@pytest.mark.parametrize("shape", [(2, 1, 15, 16), (2, 1, 8, 8)])
def test_sides_that_do_not_fit_are_refused(shape):
    with pytest.raises(CourseError, match=rf"even.*{shape[2]}x{shape[3]}"):
        checkerboard(torch.zeros(shape))
