"""The scores of predicted maps, against values worked out by hand."""

import pytest
import torch

from gancourse.errors import CourseError
from gancourse.metrics.segmentation import segmentation_scores

# Class 0 has 4 pixels, of which 3 are right; class 1 has 2, of which 1 is; class 2 has none.
TRUTH = torch.tensor([[[0, 0, 0], [0, 1, 1]]])
PREDICTED = torch.tensor([[[0, 0, 0], [1, 1, 2]]])


def test_the_three_scores_are_those_of_the_definitions():
    scores = segmentation_scores(PREDICTED, TRUTH, 3)
    assert scores.per_pixel == pytest.approx(4 / 6)
    assert scores.per_class == pytest.approx((3 / 4 + 1 / 2) / 2)
    # Class 1: the intersection is one pixel, the union three.
    assert scores.iou == pytest.approx((3 / 4 + 1 / 3) / 2)


def test_a_class_that_no_true_map_has_is_left_out_of_the_means():
    assert segmentation_scores(PREDICTED, TRUTH, 3) == segmentation_scores(PREDICTED, TRUTH, 20)


def test_perfect_maps_score_one_and_maps_without_a_right_pixel_zero():
    maps = torch.randint(5, (4, 8, 8), generator=torch.Generator().manual_seed(0))
    assert segmentation_scores(maps, maps, 5) == (1, 1, 1)
    assert segmentation_scores((maps + 1) % 5, maps, 5) == (0, 0, 0)


def test_predicting_the_most_frequent_class_everywhere_is_rewarded_by_pixels_alone():
    truth = torch.zeros(1, 10, 10, dtype=torch.int64)
    truth[0, 0] = 1
    scores = segmentation_scores(torch.zeros_like(truth), truth, 2)
    assert scores == pytest.approx((0.9, 0.5, 0.45))


def test_pixels_are_counted_over_all_maps_together():
    truth = torch.stack([torch.zeros(4, 4), torch.ones(4, 4)]).long()
    truth[1, 0, 0] = 0
    predicted = truth.clone()
    predicted[1, 0, 0] = 1
    assert segmentation_scores(predicted, truth, 2).per_class == pytest.approx((16 / 17 + 1) / 2)


@pytest.mark.parametrize(
    ("predicted", "truth", "culprit"),
    [
        (PREDICTED[:, :1], TRUTH, r"\(1, 1, 3\)"),
        (TRUTH[:0], TRUTH[:0], r"\(0, 2, 3\)"),
        (PREDICTED + 1, TRUTH, "predicted.* 3"),
        (PREDICTED, TRUTH - 1, "true.* -1"),
    ],
)
def test_maps_that_do_not_fit_are_refused(predicted, truth, culprit):
    with pytest.raises(CourseError, match=culprit):
        segmentation_scores(predicted, truth, 3)
