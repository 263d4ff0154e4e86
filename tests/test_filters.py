"""Filters that draw an object: found, set to 0, and back as they were."""

import pytest
import torch
from torch import nn

from gancourse import filters
from gancourse.errors import CourseError

N, CHANNELS, SIDE = 60, 6, 8
BOX = (0.25, 0.5, 0.75, 0.75)  # columns 2 to 5, rows 4 to 5


def maps_with_an_object():
    """Make maps in which channel 2 is larger where the object is, channel 4 where it is not."""
    generator = torch.Generator().manual_seed(0)
    present = torch.arange(N) % 2 == 0
    maps = torch.rand(N, CHANNELS, SIDE, SIDE, generator=generator)
    maps[present, 2, 4:6, 2:6] += 1.0
    maps[~present, 4, 4:6, 2:6] += 0.7
    maps[present, 5, 0:2] += 5.0  # outside the box: it must not count
    return maps, present


def test_the_filter_that_draws_the_object_is_first_and_its_opposite_last():
    maps, present = maps_with_an_object()
    order, weights = filters.responsible(maps, BOX, present)
    assert order[0] == 2 and order[-1] == 4
    assert weights[2] > 0 > weights[4]
    assert weights[[0, 1, 3, 5]].abs().max() < weights[2] / 3


def test_a_box_smaller_than_a_pixel_holds_the_pixel_that_it_lies_in():
    maps, present = maps_with_an_object()
    order, weights = filters.responsible(maps, (0.5, 0.5, 0.51, 0.51), present)
    assert order[0] == 2 and order[-1] == 4
    _, beside = filters.responsible(maps, (0.5, 0.5, 0.625, 0.625), present)  # all of that pixel
    assert torch.equal(weights, beside)


@pytest.mark.parametrize("shown", [True, False])
def test_an_object_that_all_pictures_show_or_none_is_refused(shown):
    maps, _ = maps_with_an_object()
    with pytest.raises(CourseError, match="show"):
        filters.responsible(maps, BOX, torch.full((N,), shown))


def test_dropped_maps_are_zero_inside_the_block_only():
    layer = nn.Conv2d(1, CHANNELS, 1)
    x = torch.ones(2, 1, 4, 4)
    before = layer(x)
    drop = torch.tensor([True, False, False, True, False, False])
    with filters.dropped(layer, drop):
        inside = layer(x)
    assert not inside[:, drop].any() and torch.equal(inside[:, ~drop], before[:, ~drop])
    assert torch.equal(layer(x), before)
    with filters.dropped(layer, torch.tensor([3, 0])):  # by their numbers
        assert torch.equal(layer(x), inside)
    with filters.dropped(layer, torch.tensor([], dtype=torch.long)):
        assert torch.equal(layer(x), before)


def test_dropping_ends_after_an_error_too():
    layer = nn.Conv2d(1, CHANNELS, 1)
    with pytest.raises(ZeroDivisionError), filters.dropped(layer, torch.ones(CHANNELS).bool()):
        raise ZeroDivisionError
    assert layer(torch.ones(1, 1, 2, 2)).any()


def test_watching_catches_every_pass():
    layer = nn.Identity()
    with filters.watched(layer) as caught:
        layer(torch.zeros(1))
        layer(torch.ones(1))
    layer(torch.ones(1))
    assert [x.item() for x in caught] == [0.0, 1.0]
