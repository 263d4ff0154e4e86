"""Scores of predicted semantic maps: pixel accuracy, class accuracy and intersection over union."""

from typing import NamedTuple

from gancourse.errors import CourseError


class SegmentationScores(NamedTuple):
    """What :func:`segmentation_scores` returns, each from 0 to 1, the best.

    Attributes
    ----------
    per_pixel : float
        The share of pixels whose class is predicted correctly.
    per_class : float
        The share of each class's pixels that are predicted correctly, averaged over the classes.
    iou : float
        The intersection over union of the predicted and the true region of each class, averaged
        over the classes.
    """

    per_pixel: float
    per_class: float
    iou: float


def segmentation_scores(predicted, truth, num_classes):
    """Score predicted semantic maps against the true ones.

    Let n_ij be the number of pixels of class i that are predicted as class j, counted over all
    maps together, and t_i the number of pixels of class i. Then ``per_pixel`` is
    sum_i n_ii / sum_i t_i, ``per_class`` is the mean of n_ii / t_i, and ``iou`` is the mean of
    n_ii / (t_i + sum_j n_ji - n_ii). Both means are over the classes that occur in the true maps.

    Parameters
    ----------
    predicted, truth : integer torch.Tensor, (N, H, W)
        Classes, 0 to ``num_classes - 1``; on any device.
    num_classes : int

    Returns
    -------
    SegmentationScores

    Raises
    ------
    CourseError
        If the shapes differ, there are no pixels, or a class is out of range.

    Notes
    -----
    These are the pixel accuracy, the mean accuracy and the mean IU of Long, Shelhamer and Darrell
    2015 (arXiv 1411.4038, section 5). Pix2Pix and CycleGAN call them per-pixel accuracy,
    per-class accuracy and class IOU, and use them for the FCN-score: a network that was trained
    on real pictures segments the generated picture, and its prediction is compared with the map
    from which the picture was generated. Our segmentation network is the course's own judge of
    scenes, so our scores cannot be compared with published ones.
    """
    # Takes seconds to import.
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    if predicted.shape != truth.shape or not truth.numel():
        raise CourseError(
            "expected predicted and true maps of one shape with at least one pixel, found "
            f"{tuple(predicted.shape)} predicted and {tuple(truth.shape)} true. Predict on "
            "pictures that are as large as the true maps."
        )
    predicted, truth = predicted.detach().cpu().long(), truth.detach().cpu().long()
    # torchmetrics would count the distinct classes only, and let a class out of range pass.
    for kind, maps in (("predicted", predicted), ("true", truth)):
        low, high = maps.min().item(), maps.max().item()
        if low < 0 or high >= num_classes:
            raise CourseError(
                f"expected {kind} classes from 0 to {num_classes - 1}, found {low} to {high}. "
                "Use the classes that `num_classes` counts."
            )
    counts = multiclass_confusion_matrix(predicted, truth, num_classes, validate_args=False)
    counts = counts.double()  # row: true class, column: predicted class
    correct, true, found = counts.diag(), counts.sum(1), counts.sum(0)
    occurs = true > 0
    return SegmentationScores(
        per_pixel=(correct.sum() / true.sum()).item(),
        per_class=(correct / true)[occurs].mean().item(),
        iou=(correct / (true + found - correct))[occurs].mean().item(),
    )
