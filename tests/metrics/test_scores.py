"""The scores against their formulas, and against pictures whose order of quality is known."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gancourse.data import load
from gancourse.errors import CourseError
from gancourse.metrics import (
    fid_infinity,
    frechet,
    inception_score,
    judge_fid,
    load_judge,
    nearest_neighbours,
    score_of_logits,
)

# A judge whose features are the vectors that it is given.
PLAIN = SimpleNamespace(features=lambda x: x, logits=lambda x: x)


@pytest.fixture(scope="module")
def judge():
    return load_judge("digits")


@pytest.fixture(scope="module")
def digits():
    """Two disjoint sets of 200 real pictures, each digit equally often."""
    images = load("digits", split="test").images()
    return images[:200], images[200:400]


def gaussian(n, mean, std, seed):
    """Samples whose mean and covariance are exactly those of N(mean, diag(std^2))."""
    x = torch.randn(n, len(mean), generator=torch.Generator().manual_seed(seed)).double()
    x -= x.mean(0)
    x = torch.linalg.solve_triangular(torch.linalg.cholesky(x.T.cov()), x.T, upper=False).T
    return x * torch.tensor(std).double() + torch.tensor(mean).double()


def test_fid_of_two_gaussians_is_their_frechet_distance():
    real = gaussian(200, mean=[0.0, 1.0, 2.0], std=[1.0, 2.0, 3.0], seed=0)
    fake = gaussian(300, mean=[1.0, 1.0, 0.0], std=[2.0, 2.0, 0.5], seed=1)
    expected = (1 + 0 + 4) + (1 + 0 + 2.5**2)  # |difference of means|^2 + |of stds|^2
    assert judge_fid(real, fake, PLAIN) == pytest.approx(expected, rel=1e-6)


def test_fid_takes_features_in_the_place_of_pictures(judge, digits):
    real, fake = digits
    expected = judge_fid(real, fake, judge)
    seen = judge.features(real)
    assert judge_fid(seen, fake, judge) == judge_fid(seen, judge.features(fake), judge) == expected


def test_fid_takes_account_of_correlated_features():
    real, fake = (gaussian(200, mean=[0.0, 0.0], std=[1.0, 3.0], seed=seed) for seed in (0, 1))
    turn = math.pi / 5
    rotation = torch.tensor(
        [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
    ).double()
    fake = fake @ rotation.T
    a, b = np.diag([1.0, 9.0]), rotation.numpy() @ np.diag([1.0, 9.0]) @ rotation.numpy().T
    expected = np.trace(a + b) - 2 * np.sqrt(np.linalg.eigvals(a @ b)).sum().real
    assert judge_fid(real, fake, PLAIN) == pytest.approx(expected, rel=1e-6)


def test_fid_of_a_set_with_itself_is_zero(judge, digits):
    assert judge_fid(digits[0], digits[0], judge) == pytest.approx(0, abs=1e-3)


def test_fid_falls_as_noise_is_taken_away(judge, digits):
    real, other = digits
    noise = torch.randn(other.shape, generator=torch.Generator().manual_seed(0))
    fids = [
        judge_fid(real, (other + level * noise).clamp(-1, 1), judge)
        for level in (1.0, 0.5, 0.25, 0.0)
    ]
    assert fids == sorted(fids, reverse=True)
    assert fids[0] > 5 * fids[-1]


def test_fid_sees_that_a_class_is_missing(judge):
    data = load("digits", split="test")
    images, labels = data.images(), data.labels
    complete, real = images[:500], images[500:]
    missing = real[labels[500:] != 3]
    assert judge_fid(complete, missing, judge) > 1.3 * judge_fid(complete, real, judge)


def test_inception_score_of_sure_and_balanced_answers_is_the_number_of_classes():
    logits = 1000 * torch.eye(10).repeat(2_000, 1)
    # The splits are drawn at random and not quite balanced, so that the score is just below 10.
    assert inception_score(logits, PLAIN)[0] == pytest.approx(10, rel=0.005)


def test_inception_score_is_one_where_all_pictures_get_the_same_answer():
    unsure, one_class = torch.zeros(100, 10), 1000 * torch.eye(10)[:1].repeat(100, 1)
    assert inception_score(unsure, PLAIN) == (pytest.approx(1), pytest.approx(0))
    assert inception_score(one_class, PLAIN) == (pytest.approx(1), pytest.approx(0))


def test_inception_score_is_high_for_digits_and_low_for_noise(judge, digits):
    noise = torch.rand(digits[0].shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert inception_score(digits[0], judge)[0] > 7
    assert inception_score(noise, judge)[0] < 3


def test_scores_are_repeatable_and_draw_nothing_from_the_training(judge, digits):
    def scores():
        return (
            judge_fid(*digits, judge),
            inception_score(digits[0], judge),
        )

    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = scores()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert scores() == first


def test_no_warning_reaches_the_reader(judge, digits, recwarn):
    judge_fid(*digits, judge), inception_score(digits[0], judge)
    assert [str(w.message) for w in recwarn] == []


def test_too_few_pictures_are_refused(judge, digits):
    few = digits[0][: judge.num_features]
    with pytest.raises(CourseError, match=r"judge_fid.* 65 .* 64"):
        judge_fid(digits[0], few, judge)
    with pytest.raises(CourseError, match=r"inception_score.* 100 .* 64"):
        inception_score(few, judge)


def test_scores_refuse_pictures_in_the_wrong_range(judge, digits):
    with pytest.raises(CourseError, match=r"\[-1, 1\]"):
        judge_fid(digits[0], 127.5 * digits[1] + 127.5, judge)


def test_neighbours_are_those_of_a_search_by_hand():
    references = torch.tensor([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])
    distances, indices = nearest_neighbours(torch.tensor([[3.0, 4.0], [0.0, 1.0]]), references, k=2)
    assert indices.tolist()[0][0] == 1
    assert indices.tolist()[1] == [0, 1]
    assert distances[0].tolist() == [0.0, 5.0]
    assert distances[1].tolist() == pytest.approx([1.0, math.sqrt(18)])


def test_a_copied_picture_is_found_at_distance_zero(digits):
    references = digits[0]
    distances, indices = nearest_neighbours(references[[7, 150]], references)
    assert indices.tolist() == [[7], [150]]
    assert distances.tolist() == [[0], [0]]


def test_the_search_gives_the_same_in_chunks(digits, monkeypatch):
    whole = nearest_neighbours(digits[0][:50], digits[1], k=3)
    monkeypatch.setattr("gancourse.metrics.scores.NEIGHBOUR_CHUNK", 8)
    parts = nearest_neighbours(digits[0][:50], digits[1], k=3)
    assert torch.equal(whole[0], parts[0])
    assert torch.equal(whole[1], parts[1])


def test_a_shifted_digit_is_nearer_to_itself_in_features_than_in_pixels(judge, digits):
    shifted, own = digits[0].roll(2, dims=3), torch.arange(len(digits[0]))
    pixels = nearest_neighbours(shifted, digits[0])[1][:, 0]
    features = nearest_neighbours(judge.features(shifted), judge.features(digits[0]))[1][:, 0]
    assert (features == own).sum() > (pixels == own).sum()


@pytest.mark.parametrize(
    ("queries", "references", "k", "culprit"),
    [
        (torch.zeros(2, 3), torch.zeros(2, 4), 1, r"\(2, 3\).*\(2, 4\)"),
        (torch.zeros(0, 3), torch.zeros(2, 3), 1, r"\(0, 3\)"),
        (torch.zeros(2, 3), torch.zeros(2, 3), 3, "k: .*not 3"),
        (torch.zeros(2, 3), torch.zeros(2, 3), 0, "k: .*not 0"),
        (torch.full((2, 3), torch.nan), torch.zeros(2, 3), 1, "queries: .*NaN"),
    ],
)
def test_searches_that_make_no_sense_are_refused(queries, references, k, culprit):
    with pytest.raises(CourseError, match=culprit):
        nearest_neighbours(queries, references, k)


def test_the_inception_score_asks_for_exclusive_classes():
    several = SimpleNamespace(logits=lambda x: x, exclusive=False, name="toons")
    with pytest.raises(CourseError, match=r"toons.*judge_fid"):
        inception_score(torch.zeros(200, 20), several)


def normal(n, d, seed, shift=0.0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + shift


def test_fid_is_biased_upwards_and_the_extrapolation_less():
    real, fake = normal(20_000, 16, 0), normal(600, 16, 1, shift=0.5)
    true = 16 * 0.5**2
    biased = judge_fid(real, fake, PLAIN)
    found, sizes, distances = fid_infinity(real, fake, PLAIN)
    assert sizes[0] == 200 and sizes[-1] == 600 and len(distances) == 15
    assert distances[0] > distances[-1] == pytest.approx(biased)
    assert abs(found - true) < 0.5 * (biased - true)


def test_extrapolation_of_a_line_is_exact(monkeypatch):
    monkeypatch.setattr(
        "gancourse.metrics.scores.judge_fid", lambda real, fake, judge: 3 + 70 / len(fake)
    )
    assert fid_infinity(normal(9, 2, 0), normal(99, 2, 1), PLAIN)[0] == pytest.approx(3)


def test_the_plain_distance_is_that_of_torchmetrics():
    source = torch.Generator().manual_seed(0)
    a, b, mix = (torch.randn(n, 6, generator=source).double() for n in (200, 150, 6))
    assert frechet(a, b @ mix).item() == pytest.approx(judge_fid(a, b @ mix, PLAIN), rel=1e-5)


def test_closed_forms_of_the_plain_formulas():
    a = torch.randn(80, 5, generator=torch.Generator().manual_seed(0)).double()
    shift = torch.tensor([1.0, 0, 0, -2, 0]).double()
    assert frechet(a, a).item() == pytest.approx(0, abs=1e-9)
    assert frechet(a, a + shift).item() == pytest.approx(5)
    assert score_of_logits(torch.zeros(9, 4)).item() == pytest.approx(1)
    assert score_of_logits(90 * torch.eye(4)).item() == pytest.approx(4)
