"""Variety within a class, shares of variance and handwriting, on pictures made for the tests."""

import pytest
import torch

from gancourse import metrics
from gancourse.data import load
from gancourse.errors import CourseError
from gancourse.metrics.variety import (
    class_similarity,
    class_spread,
    readable_spread,
    stroke_style,
    variance_shares,
)


@pytest.fixture(scope="module")
def digits():
    data = load("digits", split="test")
    return data.images(), data.labels


def bars(width=4, slant=0.0, size=32):
    """A slanted bar, 20 pixels high, with soft edges."""
    y, x = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    middle = size / 2 - slant * (y - size / 2)  # y grows downwards
    across = (width / 2 - (x - middle).abs() + 0.5).clamp(0, 1)
    along = (10 - (y - size / 2).abs() + 0.5).clamp(0, 1)
    return (across * along)[None, None] * 2 - 1


def test_copies_are_similar_and_noise_is_not():
    x = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    copies = x.expand(8, -1, -1, -1)
    noise = torch.rand(8, 1, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    labels = torch.tensor([0] * 8 + [1] * 8)
    same, other = class_similarity(torch.cat([copies, noise]), labels)
    assert same.item() == pytest.approx(1.0, abs=1e-5) and abs(other) < 0.3


def test_ones_are_more_similar_than_fives(digits):
    alike = class_similarity(*digits)
    assert alike.shape == (10,) and alike[1] > alike[5] + 0.1


def test_two_pictures_a_class_are_more_similar_than_real_ones(digits):
    images, labels = digits
    poor = torch.cat([images[labels == c][:2].repeat(50, 1, 1, 1) for c in range(10)])
    poor_labels = torch.arange(10).repeat_interleave(100)
    assert (class_similarity(poor, poor_labels) > class_similarity(images, labels) + 0.1).all()


def test_spread_is_a_variance(digits):
    images, labels = digits
    judge = metrics.load_judge("digits")
    once = class_spread(images, labels, judge)
    assert torch.allclose(
        class_spread(images.repeat(2, 1, 1, 1), labels.repeat(2), judge), once * 198 / 199
    )
    copies = images[:1].expand(6, -1, -1, -1)
    none, too_few, *rest = class_spread(copies, torch.tensor([0, 0, 0, 0, 0, 1]), judge)
    assert none < 1e-6 and too_few.isnan() and len(rest) == 8


def test_a_digit_of_another_class_adds_no_variety(digits):
    images, _ = digits
    judge = metrics.load_judge("digits")
    read = judge.predict(images)
    assert torch.allclose(readable_spread(images, read, images, read, judge), torch.ones(10))
    mixed = read.clone()
    mixed[torch.nonzero(read == 3).flatten()[:20]] = 4  # twenty 3s that are labelled 4
    ratio = readable_spread(images, mixed, images, read, judge)
    assert ratio[4].item() == pytest.approx(1.0, abs=1e-5)
    assert readable_spread(images, (read + 1) % 10, images, read, judge).isnan().all()


def test_variance_is_split_into_main_effects_and_interaction():
    a, b = torch.randn(6, 1, 1, 4, 4), torch.randn(1, 5, 1, 4, 4)
    assert variance_shares(a + 0 * b) == pytest.approx((1, 0, 0), abs=1e-9)
    assert variance_shares(0 * a + b) == pytest.approx((0, 1, 0), abs=1e-9)
    signs = torch.tensor([1.0, -1.0])
    met = (signs[:, None] * signs)[..., None]  # (2, 2, 1): an interaction without main effects
    assert variance_shares(met) == pytest.approx((0, 0, 1), abs=1e-9)
    both = met + 2 * signs[:, None, None]  # variances 4 and 1
    assert variance_shares(both) == pytest.approx((0.8, 0, 0.2), abs=1e-9)


def test_equal_pictures_have_no_variance_to_split():
    with pytest.raises(CourseError, match="equal"):
        variance_shares(torch.ones(3, 3, 1, 4, 4))


def test_the_slant_of_a_bar_is_its_slope():
    for slant in (-0.4, 0.0, 0.3):
        assert stroke_style(bars(slant=slant))[0, 1].item() == pytest.approx(slant, abs=0.03)


def test_the_ink_and_the_width_of_a_bar():
    for width in (2, 3, 5):
        ink, _, measured = stroke_style(bars(width=width))[0].tolist()
        assert ink == pytest.approx(width * 20, rel=0.06)
        # Twice the area over the outline, 2 * (20 + width), corners a little rounded.
        assert measured == pytest.approx(2 * ink / (2 * (20 + width)), rel=0.1)


def test_wider_strokes_have_more_width_at_the_same_slant():
    thin, thick = stroke_style(torch.cat([bars(2, 0.2), bars(5, 0.2)]))
    assert thick[2] > thin[2] + 1.5 and abs(thick[1] - thin[1]) < 0.05


def test_an_empty_picture_has_no_nan():
    assert stroke_style(torch.full((1, 1, 32, 32), -1.0)).isfinite().all()


def test_too_few_or_too_small_pictures_are_refused(digits):
    images, labels = digits
    with pytest.raises(CourseError, match=r"class 0.*2"):
        class_similarity(images[:1], torch.tensor([0]))
    with pytest.raises(CourseError, match="6 pixels"):
        class_similarity(images[:20, :, :6, :6], labels[:20])
