"""Precision and recall of sets whose overlap is known."""

from types import SimpleNamespace

import pytest
import torch

from gancourse.data import load
from gancourse.errors import CourseError
from gancourse.metrics import load_judge, precision_recall

PLAIN = SimpleNamespace(features=lambda x: x)


def normal(n, d, seed, shift=0.0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + shift


def test_sets_of_one_distribution_cover_each_other():
    found = precision_recall(normal(800, 2, 0), normal(800, 2, 1), PLAIN)
    assert found.precision > 0.9 and found.recall > 0.9


def test_sets_far_apart_cover_nothing():
    assert precision_recall(normal(50, 2, 0), normal(50, 2, 1, shift=100.0), PLAIN) == (0, 0)


def test_a_lost_half_costs_recall_and_noise_costs_precision():
    both = torch.cat([normal(200, 2, 0), normal(200, 2, 1, shift=50.0)])
    one = normal(400, 2, 2)
    found = precision_recall(both, one, PLAIN)
    assert found.precision > 0.9 and 0.4 < found.recall < 0.52
    found = precision_recall(one, both, PLAIN)
    assert found.recall > 0.9 and 0.4 < found.precision < 0.52


def test_balls_reach_to_the_kth_neighbour():
    real = torch.tensor([[0.0], [1.0], [3.0], [6.0]])  # radii with k=1: 1, 1, 2, 3
    fake = torch.tensor([[-1.0], [-1.1], [4.9], [9.1]])
    assert precision_recall(real, fake, PLAIN, k=1).precision == 0.5
    assert precision_recall(real, fake, PLAIN, k=2).precision == 1.0  # 3, 2, 3, 5


def test_the_same_set_covers_itself_and_too_few_points_are_refused():
    points = normal(9, 3, 0)
    assert precision_recall(points, points, PLAIN) == (1, 1)
    with pytest.raises(CourseError, match="Sample more"):
        precision_recall(points[:3], points, PLAIN)
    with pytest.raises(CourseError, match="k must be"):
        precision_recall(points, points, PLAIN, k=0)


def test_digits_on_a_judge_precision_falls_with_noise_and_recall_with_a_lost_class():
    images = load("digits").images()
    labels, judge = load("digits").labels[:2000], load_judge("digits")
    real, other = images[:1000], images[1000:2000]
    ceiling = precision_recall(real, other, judge)
    noisy = other + 0.8 * torch.randn(other.shape, generator=torch.Generator().manual_seed(0))
    assert precision_recall(real, noisy.clamp(-1, 1), judge).precision < ceiling.precision - 0.2
    few = other[labels[1000:] < 5].repeat(2, 1, 1, 1)[:1000]
    assert precision_recall(real, few, judge).recall < ceiling.recall - 0.2
