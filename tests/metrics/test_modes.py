"""The scores of points in the plane, against values that are known by hand or in closed form."""

import math
from types import SimpleNamespace

import pytest
import torch

from gancourse.data import mixtures
from gancourse.errors import CourseError
from gancourse.metrics import mode_scores, numeric_jsd

# Means and std are sums of powers of two, so that 3 std away is an exact number.
CROSS = SimpleNamespace(means=torch.tensor([[8.0, 0], [0, 8], [-8, 0], [0, -8]]), std=0.25)
EDGE = 3 * CROSS.std


def test_points_at_three_standard_deviations_are_high_quality_and_those_beyond_are_not():
    inside = torch.tensor([[8 + EDGE, 0.0], [0.0, 8 - EDGE]])
    outside = torch.tensor([[8 + EDGE * (1 + 1e-6), 0.0], [0.0, 8 - EDGE * (1 + 1e-6)]])
    assert mode_scores(inside, CROSS)[:2] == (2, 1.0)
    assert mode_scores(outside, CROSS)[:2] == (0, 0.0)


def test_the_distance_is_euclidean():
    corner = torch.tensor([[8 + 0.9 * EDGE, 0.9 * EDGE]])  # within 3 std along each axis alone
    assert mode_scores(corner, CROSS).high_quality == 0


def test_a_mode_is_covered_by_high_quality_points_only():
    points = torch.tensor([[8.0, 0.0], [8.1, 0.0], [0.0, 5.0], [-7.0, 0.0]])
    scores = mode_scores(points, CROSS)
    assert scores.covered == 1
    assert scores.high_quality == 0.5


def test_reverse_kl_counts_every_point_at_its_nearest_mode():
    points = torch.tensor([[8.0, 0.0], [3.0, 0.0], [0.0, 8.0], [0.0, 1.0]])
    assert mode_scores(points, CROSS).reverse_kl == pytest.approx(math.log(2))


def test_reverse_kl_of_one_mode_out_of_eight_is_log_eight():
    ring = mixtures.ring()
    scores = mode_scores(ring.means[3].expand(100, 2), ring)
    assert scores.covered == 1
    assert scores.reverse_kl == pytest.approx(math.log(8))


def test_reverse_kl_is_zero_when_every_mode_is_hit_equally_often():
    ring = mixtures.ring(12)
    assert mode_scores(ring.means.repeat(7, 1), ring) == (12, 1.0, pytest.approx(0, abs=1e-12))


def test_reverse_kl_has_the_generated_points_as_its_first_argument():
    points = CROSS.means[[0, 0, 0, 1]]
    expected = 0.75 * math.log(0.75 * 4) + 0.25 * math.log(0.25 * 4)
    assert mode_scores(points, CROSS).reverse_kl == pytest.approx(expected)


@pytest.mark.parametrize("mixture", [mixtures.ring(), mixtures.grid()], ids=["ring", "grid"])
def test_the_data_themselves_cover_all_modes_with_the_share_of_a_plane_gaussian(mixture):
    points = mixture.sample(20_000, torch.Generator().manual_seed(0))
    scores = mode_scores(points, mixture)
    assert scores.covered == len(mixture.means)
    assert scores.high_quality == pytest.approx(1 - math.exp(-4.5), abs=0.003)
    assert scores.reverse_kl < 0.002


def test_the_order_of_points_and_of_modes_makes_no_difference():
    generator = torch.Generator().manual_seed(1)
    points = torch.randn(500, 2, generator=generator) * 8
    points[:100] = CROSS.means[0] + 0.2 * torch.randn(100, 2, generator=generator)
    order = torch.randperm(500, generator=generator)
    turned = SimpleNamespace(means=CROSS.means.flip(0), std=CROSS.std)
    expected = pytest.approx(mode_scores(points, CROSS))
    assert mode_scores(points[order], CROSS) == expected
    assert mode_scores(points, turned) == expected


@pytest.mark.parametrize("points", [torch.zeros(2), torch.zeros(5, 3), torch.zeros(0, 2)])
def test_points_of_another_shape_are_refused(points):
    with pytest.raises(CourseError, match=r"\(N, 2\)"):
        mode_scores(points, CROSS)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_points_that_are_not_finite_are_refused_and_counted(value):
    points = torch.zeros(5, 2)
    points[3, 1] = value
    with pytest.raises(CourseError, match="1 of 5 points"):
        mode_scores(points, CROSS)


def normal(x, mean, std):
    return torch.exp(-(((x - mean) / std) ** 2) / 2) / (std * math.sqrt(2 * math.pi))


LINE = torch.linspace(-10, 10, 4001, dtype=torch.float64)
CELL = 20 / 4000


def test_jsd_of_equal_densities_is_zero():
    p = normal(LINE, 0, 1)
    assert numeric_jsd(p, p, CELL) == 0


def test_jsd_of_disjoint_densities_is_log_two():
    p, q = (LINE < -5).double() / 5, (LINE > 5).double() / 5
    assert numeric_jsd(p, q, CELL) == pytest.approx(math.log(2))


def test_jsd_of_overlapping_boxes_is_their_unshared_part_times_log_two():
    p, q = torch.zeros(2, 100).double()
    p[:40], q[30:70] = 1 / 40, 1 / 40  # a quarter is shared
    assert numeric_jsd(p, q, 1.0) == pytest.approx(0.75 * math.log(2))


def test_jsd_is_symmetric_and_does_not_depend_on_the_grid():
    p, q = normal(LINE, 0, 1), normal(LINE, 1.5, 0.5)
    assert numeric_jsd(p, q, CELL) == pytest.approx(numeric_jsd(q, p, CELL))
    assert numeric_jsd(p[::10], q[::10], 10 * CELL) == pytest.approx(numeric_jsd(p, q, CELL))


def test_jsd_agrees_with_the_best_discriminators_value():
    p, q = normal(LINE, 0, 1), normal(LINE, 1.5, 0.5)
    total = p + q  # the best discriminator says p / (p + q)
    value = (torch.xlogy(p, p / total) + torch.xlogy(q, q / total)).sum().item() * CELL
    assert numeric_jsd(p, q, CELL) == pytest.approx((value + math.log(4)) / 2, abs=1e-9)


def test_jsd_refuses_what_is_no_density_on_the_grid():
    p = normal(LINE, 0, 1)
    with pytest.raises(CourseError, match="same grid"):
        numeric_jsd(p, p[1:], CELL)
    with pytest.raises(CourseError, match=r"density q.*exp\(\)"):
        numeric_jsd(p, p.log(), CELL)
    with pytest.raises(CourseError, match=r"density q.*0\.5.*grid"):
        numeric_jsd(p, p / 2, CELL)
