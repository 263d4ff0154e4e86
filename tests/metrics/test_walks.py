"""Walks whose largest step is known."""

from types import SimpleNamespace

import pytest
import torch

from gancourse.errors import CourseError
from gancourse.latent import lerp
from gancourse.metrics.walks import largest_step

PLAIN = SimpleNamespace(features=lambda x: x)  # a judge whose features are the points
A, B = torch.zeros(3, 2), torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]])


def test_each_of_eight_even_steps_is_an_eighth():
    assert largest_step(lerp, A, B, PLAIN, steps=8) == pytest.approx(1 / 8)


def test_a_jump_is_the_whole_walk():
    def jump(a, b, t):
        return torch.where(t[:, None] < 0.5, a, b)

    assert largest_step(jump, A, B, PLAIN, steps=8) == 1.0


def test_all_walks_have_the_same_weight_whatever_their_length():
    def first_jumps(a, b, t):
        first = b[:, :1] == 1.0
        return torch.where(first, torch.where(t[:, None] < 0.5, a, b), lerp(a, b, t))

    assert largest_step(first_jumps, A, B, PLAIN, steps=4) == pytest.approx((1 + 0.25 + 0.25) / 3)


def test_a_walk_between_equal_ends_or_without_steps_is_refused():
    with pytest.raises(CourseError, match="different ends"):
        largest_step(lerp, A, A, PLAIN)
    with pytest.raises(CourseError, match=r"steps.*0"):
        largest_step(lerp, A, B, PLAIN, steps=0)
