"""W1 of points whose assignment is known."""

import pytest
import torch

from gancourse.errors import CourseError
from gancourse.metrics import wasserstein


def normal(n, d, seed, shift=0.0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + shift


def test_w1_of_points_that_are_moved_alike_is_the_way():
    points = normal(40, 2, 0)
    moved = points[torch.randperm(40)] + torch.tensor([3.0, 4.0])
    distance, order = wasserstein(points, moved)
    assert distance == pytest.approx(5, abs=1e-5)
    assert sorted(order.tolist()) == list(range(40))


def test_w1_on_a_line_is_that_of_the_sorted_points():
    a, b = normal(30, 1, 0), 2 * normal(30, 1, 1)
    expected = (a.sort(0).values - b.sort(0).values).abs().mean().item()
    assert wasserstein(a, b)[0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    "pair",
    [
        (torch.zeros(3, 2), torch.zeros(4, 2)),
        (torch.zeros(0, 2), torch.zeros(0, 2)),
        (torch.zeros(2, 2), torch.full((2, 2), float("nan"))),
    ],
)
def test_w1_refuses_what_has_no_assignment(pair):
    with pytest.raises(CourseError):
        wasserstein(*pair)
