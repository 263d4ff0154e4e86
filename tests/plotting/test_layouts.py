"""Boxes and masks are drawn in the colours of their kinds."""

import torch

from gancourse.plotting.layouts import COLOURS, blend_masks, colours_of, draw_layouts

BOXES = torch.tensor(
    [
        [[0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 1.0], [-1, -1, -1, -1]],
        [[0.0, 0.0, 1.0, 1.0], [0.25, 0.25, 0.75, 0.75], [0.5, 0.5, 0.5001, 0.5001]],
    ]
)
KINDS = torch.tensor([[1, 2, 0], [3, 1, 2]])


def colour(kind):
    return colours_of(torch.tensor(kind))


def test_a_kind_has_a_colour_and_an_empty_slot_that_of_paper():
    assert torch.equal(colour([1, 1 + len(COLOURS)])[0], colour([1, 1 + len(COLOURS)])[1])
    assert len({tuple(row) for row in colour(list(range(len(COLOURS) + 1))).tolist()}) == 9


def test_boxes_are_filled_with_the_colour_of_their_kind_and_have_an_edge():
    picture = draw_layouts(BOXES, KINDS, 16)
    assert picture.shape == (2, 3, 16, 16) and picture.abs().max() <= 1
    assert torch.equal(picture[0, :, 3, 3], colour(1))
    assert torch.equal(picture[0, :, 12, 12], colour(2))
    assert torch.equal(picture[0, :, 12, 3], colour(0))
    assert (picture[0, :, 0, 3] < colour(1) + 0.01).all()  # the edge is darker


def test_a_small_box_is_above_a_large_one_whatever_their_order():
    given = draw_layouts(BOXES, KINDS, 16)[1]
    turned = draw_layouts(BOXES.flip(1), KINDS.flip(1), 16)[1]
    assert torch.equal(given, turned) and torch.equal(given[:, 6, 6], colour(1))
    assert torch.equal(given[:, 2, 2], colour(3))


def test_masks_are_blended_and_divided_where_they_meet():
    masks = torch.zeros(1, 3, 4, 4)
    masks[0, 0, :, :2], masks[0, 1, :2] = 1, 1
    blended = blend_masks(masks, KINDS[:1])[0]
    torch.testing.assert_close(blended[:, 3, 0], colour(1))
    torch.testing.assert_close(blended[:, 0, 3], colour(2))
    torch.testing.assert_close(blended[:, 0, 0], (colour(1) + colour(2)) / 2)
    torch.testing.assert_close(blended[:, 3, 3], colour(0))
    half = blend_masks(masks / 2, KINDS[:1])[0]
    torch.testing.assert_close(half[:, 3, 0], (colour(1) + colour(0)) / 2)
    masks[0, 2] = 1  # an empty slot
    torch.testing.assert_close(blend_masks(masks, KINDS[:1])[0], blended)
