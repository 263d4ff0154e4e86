"""Measures of single things, against values worked out by hand."""

import pytest
import torch

from gancourse.data import load
from gancourse.errors import CourseError
from gancourse.metrics.instances import (
    centroid_shift,
    centroids,
    change,
    kinds,
    mask_iou,
    seen_as,
    switched,
)
from gancourse.toons import SCENE_CLASSES, SCENE_KINDS


def rectangle(left, top, right, bottom, size=8):
    mask = torch.zeros(1, 1, size, size, dtype=torch.bool)
    mask[..., top:bottom, left:right] = True
    return mask


def test_iou_is_the_share_of_the_union_that_both_have():
    truth = rectangle(0, 0, 4, 4)
    for other, expected in [
        (truth, 1),
        (rectangle(0, 0, 4, 2), 8 / 16),
        (rectangle(2, 2, 6, 6), 4 / 28),
        (rectangle(4, 4, 8, 8), 0),
        (rectangle(0, 0, 8, 8), 16 / 64),
        (rectangle(0, 0, 0, 0), 0),
    ]:
        assert mask_iou(other, truth).tolist() == [[pytest.approx(expected)]]


def test_the_whole_box_as_a_mask_has_the_share_that_the_thing_takes_of_its_box():
    x = torch.arange(64) + 0.5 - 32
    disc = (x[:, None] ** 2 + x**2 <= 32**2)[None, None]
    iou = mask_iou(torch.ones_like(disc), disc).item()
    assert iou == pytest.approx(torch.pi / 4, abs=0.005)


def test_each_thing_counts_for_itself_and_an_empty_slot_not_at_all():
    truth = torch.cat([rectangle(0, 0, 4, 4), rectangle(0, 0, 2, 1), rectangle(0, 0, 0, 0)], 1)
    predicted = torch.cat([rectangle(0, 0, 2, 4), rectangle(0, 0, 2, 1), rectangle(0, 0, 8, 8)], 1)
    scores = mask_iou(predicted, truth)
    assert scores[0, :2].tolist() == [0.5, 1]
    assert scores[0, 2].isnan()
    assert scores.nanmean() == 0.75
    shuffled = torch.tensor([2, 0, 1])
    again = mask_iou(predicted[:, shuffled], truth[:, shuffled])
    assert torch.equal(again.nan_to_num(-1), scores[:, shuffled].nan_to_num(-1))


def test_soft_masks_are_cut_at_the_threshold():
    truth = rectangle(0, 0, 4, 4)
    soft = truth.float() * 0.6 + 0.3
    assert mask_iou(soft, truth).item() == 1
    assert mask_iou(soft, truth, threshold=0.2).item() == 16 / 64
    assert mask_iou(soft, truth, threshold=0.95).item() == 0


def test_a_centre_is_the_mean_of_the_pixels_and_moves_with_them():
    before = torch.cat([rectangle(1, 2, 4, 4), rectangle(0, 0, 0, 0)], 1)
    assert centroids(before)[0, 0].tolist() == [2, 2.5]
    assert centroids(before)[0, 1].isnan().all()
    for right, down in ((0, 0), (3, 0), (-1, 2), (4, 4)):
        moved = before.roll((down, right), (2, 3))
        assert centroid_shift(before, moved)[0, 0].tolist() == [right, down]
    weighed = torch.zeros(1, 1, 1, 4)
    weighed[..., 0], weighed[..., 3] = 1, 2
    assert centroids(weighed)[0, 0].tolist() == [2, 0]
    assert centroid_shift(before, before * 0)[0].isnan().all()


def test_change_is_told_apart_inside_and_outside_of_the_mask():
    before = torch.zeros(2, 3, 8, 8)
    mask = rectangle(0, 0, 4, 8)[:, 0].repeat(2, 1, 1)
    after = before.clone()
    after[0, :, :, :4] = 1  # half of the pixels inside, by half of the distance black to white
    assert change(before, after, mask) == (0.25, 0)
    after[:, 0, :, 4:] = -0.3
    assert change(before, after, mask) == pytest.approx((0.25, 0.05))
    assert change(before, before, mask.float()) == (0, 0)
    assert change(-torch.ones(1, 3, 8, 8), torch.ones(1, 3, 8, 8), mask[:1]) == (1, 1)
    none = change(before, after, torch.zeros_like(mask))
    assert none.inside != none.inside and none.outside > 0


def test_each_thing_has_the_kind_of_the_nearest_true_picture():
    regions = torch.zeros(2, 3, 8, 8)
    regions[:, 0, :, :3] = regions[:, 1, :, 5:] = 1
    truths = torch.stack([torch.full((2, 3, 8, 8), v) for v in (-1.0, 1.0, 0.0)], 1)
    picture = torch.full((2, 3, 8, 8), 0.9)
    picture[0, :, :, 5:] = -0.6
    picture[1, :, :, :3] = 0.2
    nearest, distances = kinds(picture, truths, regions)
    assert nearest.tolist() == [[1, 0, -1], [2, 1, -1]]
    assert distances[0, 1].tolist() == pytest.approx([0.2, 0.8, 0.3])
    assert distances[:, 2].isnan().all() and distances.shape == (2, 3, 3)


def scene(mask, shade):
    return (mask * shade).expand(-1, 3, -1, -1)


def test_a_thing_is_switched_if_its_shape_is_and_colour_alone_is_not_enough():
    square, triangle, far = torch.zeros(3, 1, 1, 16, 16)
    square[..., 4:10, 4:10] = 1
    triangle[..., 2:10, :8] = torch.tril(torch.ones(8, 8))
    far[..., 12, 12] = 1  # one pixel: too small to say what it is
    before, after = torch.cat([square, far, 0 * far], 1), torch.cat([triangle, far, 0 * far], 1)
    truths = torch.stack([scene(square, -1.0), scene(triangle, 0.8), scene(square, 0.0)], 1)

    def found(picture):
        right, lost, judged = switched(picture, truths, before, after)
        assert judged.tolist() == [[True, False, False]]
        assert not right[0, 1:].any() and not lost[0, 1:].any()
        return right[0, 0].item(), lost[0, 0].item()

    assert found(truths[:, 0]) == (False, False)
    assert found(truths[:, 1]) == (True, False)
    assert found(truths[:, 2]) == (False, True)
    assert found(scene(square, 0.8))[0] is False, "painted, and still a square"
    assert found(scene(triangle, 0.6)) == (True, False)
    assert found(scene(triangle, 0.8) - 1.0)[0] is False, "the right shape, and far from right"


def test_a_kind_that_cannot_be_drawn_away_is_never_lost():
    square, triangle = torch.zeros(2, 1, 1, 16, 16)
    square[..., 4:10, 4:10] = triangle[..., 2:10, 2:6] = 1
    truths = torch.stack([scene(square, -1.0), scene(triangle, 0.8)], 1)
    _, lost, judged = switched(truths[:, 1] * 0, truths, square, triangle)
    assert judged.all() and not lost.any()


@pytest.mark.parametrize(
    ("measure", "shapes"),
    [
        (mask_iou, [(1, 2, 8, 8), (1, 3, 8, 8)]),
        (mask_iou, [(1, 8, 8), (1, 8, 8)]),
        (centroid_shift, [(1, 2, 8, 8), (1, 2, 8, 4)]),
        (centroids, [(2, 8, 8)]),
        (change, [(1, 3, 8, 8), (1, 3, 8, 8), (1, 1, 8, 8)]),
        (change, [(1, 3, 8, 8), (2, 3, 8, 8), (1, 8, 8)]),
        (change, [(3, 8, 8), (3, 8, 8), (8, 8)]),
        (kinds, [(1, 3, 8, 8), (1, 2, 3, 8, 8), (1, 8, 8)]),
    ],
)
def test_shapes_that_do_not_fit_are_refused_and_named(measure, shapes):
    with pytest.raises(CourseError) as found:
        measure(*(torch.zeros(shape) for shape in shapes))
    assert str(shapes[0]) in str(found.value)


def test_a_thing_is_seen_where_a_class_of_its_kind_is():
    at = {name: i for i, name in enumerate(SCENE_CLASSES)}
    kind = {name: i for i, name in enumerate(SCENE_KINDS, 1)}
    classes = torch.tensor([[[at["sky"], at["sun"]], [at["roof"], at["tree"]]]])
    kinds = torch.tensor([[kind["sun"], kind["chalet"], kind["fir"], kind["lake"], 0]])
    seen = seen_as(classes, kinds)[0].flatten(1).int()
    assert seen.tolist() == [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0] * 4, [0] * 4]


def test_the_true_map_shows_every_thing_in_the_whole_of_its_mask():
    data = load("layouts:20", split="test")
    kinds, masks = data.columns["kinds"].rows(), data.columns["masks"].rows() > 0
    seen = seen_as(data.drawing.semantic, kinds)
    assert masks.any() and not (masks & ~seen).any()
    alone = seen & ~masks  # of other things of the same kind
    assert not alone[kinds == 1].any()  # there is one sun
