"""Colours in L*a*b*, against published values, and the intersection of histograms."""

import math

import pytest
import torch

from gancourse.errors import CourseError
from gancourse.metrics.colour import histogram_intersection, lab_histograms, rgb_to_lab

# sRGB under D65 by the calculator at http://brucelindbloom.com/index.html?ColorCalculator.html,
# as scikit-image's tests quote it.
PUBLISHED = {
    (255, 255, 255): (100, 0, 0),
    (255, 255, 0): (97.1393, -21.5537, 94.4780),
    (0, 255, 255): (91.1132, -48.0875, -14.1312),
    (0, 255, 0): (87.7347, -86.1827, 83.1793),
    (255, 0, 255): (60.3242, 98.2343, -60.8249),
    (255, 0, 0): (53.2408, 80.0925, 67.2032),
    (0, 0, 255): (32.2970, 79.1875, -107.8602),
    (0, 0, 0): (0, 0, 0),
}


def plain(red, green, blue, n=1, side=4):
    """Pictures of one colour, given in bytes."""
    colour = torch.tensor([red, green, blue]).div(127.5).sub(1)
    return colour[None, :, None, None].expand(n, 3, side, side)


def noise(n=8, side=16):
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("colour", PUBLISHED)
def test_the_corners_of_the_rgb_cube_have_their_published_values(colour):
    assert rgb_to_lab(plain(*colour))[0, :, 2, 1].tolist() == pytest.approx(
        PUBLISHED[colour], abs=2e-3
    )


def test_greys_have_no_colour_and_only_white_is_at_the_top():
    greys = torch.linspace(-1, 1, 256)[:, None, None, None].expand(256, 3, 1, 1)
    lightness, *colour = rgb_to_lab(greys)[:, :, 0, 0].unbind(1)
    assert max(c.abs().max().item() for c in colour) < 1e-3
    assert (lightness.diff() > 0).all()
    assert lightness[-1].item() == pytest.approx(100, abs=1e-3)


def test_the_two_parts_of_each_curve_meet():
    # Where sRGB's line becomes a power (0.04045), and where the cube root begins (L* = 8).
    for level in (0.04045, 0.0949):
        around = torch.tensor([level - 1e-5, level + 1e-5]) * 2 - 1
        below, above = rgb_to_lab(around[:, None, None, None].expand(2, 3, 1, 1))[:, 0, 0, 0]
        assert 0 < (above - below).item() < 0.01


def test_every_colour_falls_into_a_bin():
    steps = torch.linspace(-1, 1, 18)
    cube = torch.cartesian_prod(steps, steps, steps)[:, :, None, None]
    assert rgb_to_lab(cube).abs().max() < 112
    centres, shares = lab_histograms(cube)
    assert shares.shape == (3, len(centres))
    assert shares.sum(1).tolist() == pytest.approx([1, 1, 1])


def test_a_histogram_has_its_colours_at_their_places():
    both = torch.cat([plain(255, 0, 0, n=3), plain(0, 0, 255)])
    centres, shares = lab_histograms(both)
    for row, red, blue in zip(shares, (53.2, 80.1, 67.2), (32.3, 79.2, -107.9), strict=True):
        found = {centres[k].item(): row[k].item() for k in row.nonzero().flatten()}
        expected = {}
        for value, share in ((red, 0.75), (blue, 0.25)):
            centre = 2 * math.floor(value / 2) + 1
            expected[centre] = expected.get(centre, 0) + share
        assert found == expected


def test_the_same_colours_in_other_places_share_everything():
    images = noise()
    order = torch.randperm(16, generator=torch.Generator().manual_seed(1))
    assert histogram_intersection(images, images[:, :, order].flip(0)) == pytest.approx((1, 1, 1))


def test_colours_without_a_common_bin_intersect_in_nothing_and_half_of_them_in_a_half():
    red, blue = plain(255, 0, 0, n=2), plain(0, 0, 255, n=2)
    lightness, _, yellowness = histogram_intersection(red, blue)
    assert (lightness, yellowness) == (0, 0)
    assert histogram_intersection(red, torch.cat([red, blue]))[0] == pytest.approx(0.5)


def test_neither_the_order_of_the_sets_nor_their_sizes_count():
    one, other = noise(6), noise(9)[6:] * 0.5
    assert histogram_intersection(one, other) == histogram_intersection(other, one)
    assert histogram_intersection(one, other.repeat(3, 1, 1, 1)) == pytest.approx(
        histogram_intersection(one, other)
    )


def test_the_average_of_the_colours_has_fewer_of_them():
    images = noise()
    grey = images.mean((2, 3), keepdim=True).expand_as(images)
    halfway = (images + grey) / 2
    full, half, none = (histogram_intersection(images, other) for other in (images, halfway, grey))
    assert all(f > h > n for f, h, n in zip(full, half, none, strict=True))


def test_the_intersection_is_that_of_the_histograms():
    one, other = noise()[:4], noise()[4:]
    (_, p), (_, q) = lab_histograms(one), lab_histograms(other)
    expected = (p + q - (p - q).abs()).sum(1) / 2
    assert histogram_intersection(one, other) == pytest.approx(expected.tolist())


@pytest.mark.parametrize(
    ("images", "culprit"),
    [
        (torch.zeros(2, 1, 4, 4), r"\(2, 1, 4, 4\)"),
        (torch.zeros(3, 4, 4), r"\(3, 4, 4\)"),
        (torch.zeros(2, 3, 4, 4, dtype=torch.uint8), "uint8.*127.5"),
        (torch.full((2, 3, 4, 4), 255.0), "255"),
        (torch.full((2, 3, 4, 4), torch.nan), "nan"),
    ],
)
def test_pictures_of_another_kind_are_refused(images, culprit):
    with pytest.raises(CourseError, match=culprit):
        rgb_to_lab(images)


def test_no_pictures_are_refused():
    with pytest.raises(CourseError, match="picture"):
        histogram_intersection(noise(), noise()[:0])
