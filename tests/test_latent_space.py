"""Walks in the latent space follow their closed forms."""

import math

import pytest
import torch

from gancourse.errors import CourseError
from gancourse.latent import apart_from, averages, lerp, separating, slerp

STEPS = torch.linspace(0, 1, 9)


def pair(latent_dim=64, dtype=torch.float32):
    return torch.randn(2, latent_dim, generator=torch.Generator().manual_seed(3), dtype=dtype)


def seeded(number):
    return torch.Generator().manual_seed(number)


def unit(z):
    return z / z.norm(dim=-1, keepdim=True)


def angles(path):
    """Compute the angles between neighbours of a path, in radians."""
    x, y = unit(path[:-1].double()), unit(path[1:].double())
    return 2 * ((x - y).norm(dim=-1) / 2).asin()


@pytest.mark.parametrize("walk", [lerp, slerp])
def test_a_walk_begins_at_a_and_ends_at_b(walk):
    a, b = pair()
    path = walk(a, b, torch.tensor([0.0, 1.0]))
    assert torch.allclose(path, torch.stack([a, b]), atol=1e-6)


@pytest.mark.parametrize("walk", [lerp, slerp])
def test_many_pairs_walk_as_each_alone(walk):
    a, b = torch.randn(5, 8), torch.randn(5, 8)
    together = walk(a, b, 0.3)
    assert torch.allclose(together, torch.stack([walk(a[i], b[i], 0.3) for i in range(5)]))
    own = walk(a, b, torch.linspace(0, 1, 5))
    assert torch.allclose(own[1], walk(a[1], b[1], 0.25))


def test_the_straight_line_is_the_weighted_mean():
    a, b = pair()
    assert torch.equal(lerp(a, b, 0.25), 0.75 * a + 0.25 * b)


def test_slerp_is_shoemakes_formula_for_vectors_of_one_length():
    a, b = unit(pair(dtype=torch.float64)) * 5
    angle = torch.acos(a @ b / 25)
    t = STEPS.double()[:, None]
    expected = (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()
    assert torch.allclose(slerp(a, b, STEPS), expected)


def test_slerp_over_a_right_angle_is_a_quarter_circle():
    a, b = torch.eye(2)
    expected = torch.stack([(STEPS * math.pi / 2).cos(), (STEPS * math.pi / 2).sin()], 1)
    assert torch.allclose(slerp(a, b, STEPS), expected, atol=1e-6)


def test_slerp_turns_at_an_even_speed_and_lerp_does_not():
    a, b = pair()
    even, uneven = angles(slerp(a, 3 * b, STEPS)), angles(lerp(a, 3 * b, STEPS))
    assert torch.allclose(even, even.mean().expand(8), atol=1e-5)
    assert uneven.max() > 1.5 * uneven.min()


@pytest.mark.parametrize("stretch", [1.0, 3.0, -0.9, -3.0])
def test_slerp_keeps_the_length_between_those_of_the_ends(stretch):
    a, b = pair()
    b = stretch * (a + 0.05 * b)
    lengths = slerp(a, b, STEPS).norm(dim=-1)
    assert torch.allclose(lengths, lerp(a.norm()[None], b.norm()[None], STEPS).flatten(), rtol=1e-5)


def test_lerp_passes_nearer_to_the_origin_than_its_ends():
    a, b = pair(100)
    assert lerp(a, b, 0.5).norm() < 0.9 * min(a.norm(), b.norm())


def test_nearly_parallel_vectors_are_no_trouble():
    a, b = pair()
    for near in (a, a * (1 + 1e-7), a + 1e-6 * b):
        assert torch.allclose(slerp(a, near, STEPS), lerp(a, near, STEPS), atol=1e-5)


@pytest.mark.parametrize("off", [0.0, 1e-12, 1e-5])
def test_opposite_vectors_turn_half_a_circle_evenly(off):
    a, b = pair(dtype=torch.float64)
    path = slerp(a, -a + off * b, STEPS)
    assert torch.allclose(angles(path), torch.full((8,), math.pi / 8).double(), atol=1e-4)
    assert torch.allclose(path[4].norm(), a.norm(), rtol=1e-4)
    assert torch.equal(path, slerp(a, -a + off * b, STEPS))


def test_the_origin_has_no_direction_so_the_way_there_is_straight():
    a, zero = pair()[0], torch.zeros(64)
    assert torch.equal(slerp(a, zero, STEPS), lerp(a, zero, STEPS))
    assert torch.equal(slerp(zero, zero, STEPS), torch.zeros(9, 64))


def test_slerp_keeps_the_type_of_number():
    assert slerp(*pair(), 0.5).dtype == torch.float32


def test_an_average_is_of_members_of_the_group_and_nears_its_mean():
    group = torch.tensor([[0.0, 1.0], [2.0, 1.0]])
    single = averages(group, 1, 50, seeded(0))
    assert single.shape == (50, 2) and set(single[:, 0].tolist()) == {0.0, 2.0}
    pairs = averages(group, 2, 50, seeded(0))
    assert set(pairs[:, 0].tolist()) == {0.0, 1.0, 2.0}
    assert torch.allclose(averages(group, 20_000, 2, seeded(0)).mean(0), group.mean(0), atol=0.02)


def test_an_empty_group_has_no_average():
    with pytest.raises(CourseError, match="empty group"):
        averages(torch.zeros(0, 3), 1, 4, torch.Generator())


def test_a_separating_direction_is_the_one_that_decides():
    x = torch.randn(2_000, 5, generator=seeded(0))
    answers = torch.stack([x[:, 1] > 0, x[:, 3] - x[:, 4] < 0.5, x[:, 0] > 9], 1)
    weights = separating(x, answers)
    decisive = torch.tensor([[0, 1, 0, 0, 0], [0, 0, 0, -1, 1.0], [0, 0, 0, 0, 0]]).T
    cosine = torch.cosine_similarity(weights[:, :2], decisive[:, :2], dim=0)
    assert weights.shape == (5, 3) and (cosine > 0.99).all()
    assert torch.allclose(weights[:, 2], torch.zeros(5), atol=0.05)  # nobody has the property


def test_each_question_is_answered_as_if_it_were_alone():
    x = torch.randn(500, 4, generator=seeded(1))
    answers = torch.stack([x[:, 0] > 0.3, x[:, 1] + x[:, 2] > 0], 1)
    both = separating(x, answers)
    for i in range(2):
        assert torch.allclose(both[:, i], separating(x, answers[:, i : i + 1])[:, 0], rtol=0.05)


def test_a_step_apart_from_others_leaves_their_values():
    x, direction, others = (torch.randn(*s, generator=seeded(2)) for s in ((9, 6), (6,), (6, 3)))
    step = apart_from(direction, others)
    assert torch.allclose(step.norm(), torch.tensor(1.0))
    assert torch.allclose((x - 2 * step) @ others, x @ others, atol=1e-5)
    assert step @ direction > 0
