"""The search for noise, on a generator whose samples are a plane."""

import pytest
import torch

from gancourse.errors import CourseError
from gancourse.metrics import reconstruct


def linear(z):
    """A generator whose samples are a plane in the space of pictures."""
    basis = torch.eye(3, 12).view(3, 3, 2, 2)
    return torch.einsum("nd,dchw->nchw", z, basis)


def test_what_a_generator_can_make_is_found_and_the_rest_is_the_distance():
    z = torch.tensor([[0.5, -0.25, 1.0], [0.0, 0.75, -1.5]])
    targets = linear(z)
    distances, found = reconstruct(linear, targets, 3, steps=300)
    assert distances.max() < 1e-5 and torch.allclose(found, z, atol=1e-2)
    outside = targets.clone()
    outside[:, 2, 1, 1] += 2.0  # where no sample is different from 0
    distances, _ = reconstruct(linear, outside, 3, steps=300)
    assert torch.allclose(distances, torch.tensor(4 / 12), atol=1e-4)


def test_a_search_does_not_depend_on_the_others_and_more_starts_are_never_worse():
    bumpy = lambda z: linear(torch.sin(3 * z))  # noqa: E731
    targets = linear(torch.tensor([[0.9, -0.9, 0.4], [0.1, 0.2, 0.8]]))
    together, _ = reconstruct(bumpy, targets, 3, starts=4, steps=20)
    one, _ = reconstruct(bumpy, targets, 3, starts=1, steps=20)
    assert (together <= one + 1e-7).all()


def test_noise_stays_within_its_limit():
    _, z = reconstruct(linear, linear(torch.full((1, 3), 5.0)), 3, limit=1.0)
    assert z.abs().max() <= 1 and torch.allclose(z, torch.ones(1, 3), atol=1e-4)


def test_targets_of_another_shape_are_refused():
    with pytest.raises(CourseError, match="cannot be compared"):
        reconstruct(linear, torch.zeros(2, 3, 4, 4), 3)
