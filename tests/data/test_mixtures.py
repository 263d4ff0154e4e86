import math

import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from gancourse.data.mixtures import Mixture, grid, ring
from gancourse.errors import DataError
from gancourse.training import runtime


@pytest.mark.parametrize("modes", [1, 2, 8, 12, 100])
def test_a_ring_has_its_modes_at_equal_distances_on_a_circle(modes):
    means = ring(modes, radius=2.0).means
    assert means.shape == (modes, 2)
    torch.testing.assert_close(means.norm(dim=1), torch.full((modes,), 2.0))
    torch.testing.assert_close(means[0], torch.tensor([2.0, 0.0]))
    gaps = (means - means.roll(1, 0)).norm(dim=1)
    torch.testing.assert_close(
        gaps, torch.full((modes,), 4 * math.sin(math.pi / modes)), atol=1e-6, rtol=0
    )


def test_the_standard_grid_goes_from_minus_4_to_4():
    means = grid().means
    expected = {(float(x), float(y)) for x in range(-4, 5, 2) for y in range(-4, 5, 2)}
    assert {tuple(mean.tolist()) for mean in means} == expected
    assert len(means) == 25


@pytest.mark.parametrize("modes", [1, 4, 9, 100])
def test_any_square_number_makes_a_centred_grid(modes):
    means = grid(modes, spacing=3.0).means
    assert len(means.unique(dim=0)) == modes
    torch.testing.assert_close(means.mean(0), torch.zeros(2))
    if modes > 1:
        distances = torch.cdist(means, means) + torch.eye(modes) * 99
        torch.testing.assert_close(distances.amin(1), torch.full((modes,), 3.0))


@pytest.mark.parametrize(
    ("modes", "near"), [(2, "1 or 4"), (8, "4 or 9"), (24, "16 or 25"), (0, "1"), (-4, "1")]
)
def test_a_grid_that_is_no_square_is_refused_and_the_next_ones_are_named(modes, near):
    with pytest.raises(DataError, match=f"{modes}.* Take {near}"):
        grid(modes)


def test_a_ring_without_modes_is_refused():
    with pytest.raises(DataError, match=r"at least 1 .* 0"):
        ring(0)


@pytest.mark.parametrize("mixture", [ring(), grid(), ring(3, radius=5, std=2.0)], ids=repr)
def test_log_prob_is_that_of_torch_distributions(mixture):
    count = len(mixture.means)
    exact = MixtureSameFamily(
        Categorical(torch.ones(count, dtype=torch.float64)),
        MultivariateNormal(
            mixture.means.double(), mixture.std**2 * torch.eye(2, dtype=torch.float64)
        ),
    )
    generator = torch.Generator().manual_seed(0)
    points = torch.cat([mixture.sample(500, generator), torch.randn(500, 2, generator=generator)])
    points = points.double()
    torch.testing.assert_close(mixture.log_prob(points), exact.log_prob(points))


def test_the_density_integrates_to_one():
    mixture = ring(5, std=0.2)
    line = torch.linspace(-3, 3, 301, dtype=torch.float64)
    density = mixture.log_prob(torch.cartesian_prod(line, line)).exp()
    assert density.sum().item() * (line[1] - line[0]).item() ** 2 == pytest.approx(1, abs=1e-6)


def test_far_points_have_a_finite_log_density():
    assert ring().log_prob(torch.tensor([[50.0, 50.0]])).isfinite().all()


def test_samples_have_the_modes_frequencies_and_spread_of_the_mixture():
    mixture = grid()
    points = mixture.sample(50_000, torch.Generator().manual_seed(0))
    distances, nearest = torch.cdist(points, mixture.means).min(1)
    counts = nearest.bincount(minlength=25)
    # 2,000 expected of each; the standard deviation of a count is below 45.
    assert (counts - 2000).abs().max() < 5 * 45
    # The squared distance to the centre, over the variance, has the mean 2.
    assert (distances.square().mean() / mixture.std**2).item() == pytest.approx(2, abs=0.05)


def test_a_batch_depends_on_seed_and_step_alone():
    run = runtime.start(device="cpu", seed=5)
    first = [ring().batch(step, 16, run)["real"] for step in range(4)]
    torch.manual_seed(1)
    again = [ring().batch(step, 16, run)["real"] for step in reversed(range(4))][::-1]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], first[1])
    other = ring().batch(0, 16, runtime.start(device="cpu", seed=6))["real"]
    assert not torch.equal(first[0], other)
    assert (first[0].dtype, first[0].shape) == (torch.float32, (16, 2))


def test_the_points_of_a_step_are_not_the_noise_of_that_step():
    """What a model draws from run.generator(step) must not be what the data were drawn from."""
    run = runtime.start(device="cpu", seed=0)
    single = Mixture(torch.zeros(1, 2), 1.0, "single")
    noise = single.sample(100, run.generator(7))
    assert not torch.equal(single.batch(7, 100, run)["real"], noise)


@pytest.mark.parametrize(
    ("means", "std"), [(torch.zeros(3), 1), (torch.zeros(0, 2), 1), (torch.zeros(1, 2), 0)]
)
def test_an_impossible_mixture_is_refused(means, std):
    with pytest.raises(DataError, match=r"bad: .*\(K, 2\)"):
        Mixture(means, std, "bad")
