"""The Parzen window against densities that are known."""

import math

import pytest
import torch

from gancourse.metrics.parzen import SIGMAS, parzen, parzen_likelihood


def test_one_centre_is_one_gaussian_over_pixels_from_0_to_1():
    points = torch.rand(4, 1, 2, 3) * 2 - 1
    centre, sigma = torch.zeros(1, 1, 2, 3), 0.3
    gaussian = torch.distributions.Normal(0.5, sigma)
    expected = gaussian.log_prob((points + 1) / 2).flatten(1).sum(1)
    assert torch.allclose(parzen(centre, points, sigma).float(), expected, atol=1e-4)


def test_copies_of_a_centre_change_nothing_and_far_centres_cost_their_share():
    point, far = torch.zeros(1, 784), torch.full((1, 784), 1.0)
    alone = parzen(point, point, 0.1)
    assert torch.allclose(parzen(point.repeat(5, 1), point, 0.1), alone)
    assert torch.allclose(parzen(torch.cat([point, far]), point, 0.1), alone - math.log(2))


def test_the_density_integrates_to_1():
    grid = torch.linspace(-9, 9, 4001)[:, None]
    density = parzen(torch.tensor([[-1.0], [0.4]]), grid, 0.2).exp()
    assert torch.trapezoid(density, grid[:, 0].double() / 2).item() == pytest.approx(1, abs=1e-6)


def test_the_width_is_chosen_on_other_pictures_than_those_measured():
    torch.manual_seed(0)
    # A standard deviation of 0.4 in [-1, 1] is one of 0.2 in [0, 1].
    centres, near, points = torch.zeros(1, 50), 0.4 * torch.randn(40, 50), torch.randn(40, 50)
    mean, error = parzen_likelihood(centres, near, points)
    best = min(SIGMAS, key=lambda sigma: abs(sigma - 0.2))
    found = parzen(centres, points, best)
    assert mean == pytest.approx(found.mean().item())
    assert error == pytest.approx(found.std().item() / 40**0.5)
