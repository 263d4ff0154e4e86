"""How much of a picture's layout a segmenter reads correctly: the FCN-score's three numbers."""

from typing import NamedTuple

from gancourse.errors import CourseError


class SegmentationScores(NamedTuple):
    """What :func:`segmentation_scores` measures, each from 0 to 1.

    Attributes
    ----------
    per_pixel : float
        The share of pixels that are right.
    per_class : float
        The share of a class's pixels that are right, averaged over the classes.
    iou : float
        The pixels that both call a class, over those that either does, averaged over the classes.
    """

    per_pixel: float
    per_class: float
    iou: float


def confusion_matrix(predicted, truth, num_classes):
    """Count how often each class is read as each other, over all pictures together.

    Parameters
    ----------
    predicted, truth : torch.Tensor of whole numbers, (N, H, W)
        Classes, 0 to ``num_classes - 1``; on any device.
    num_classes : int

    Returns
    -------
    int64 torch.Tensor, (num_classes, num_classes), on the CPU
        Row i, column j: pixels of class i that were read as class j.

    Raises
    ------
    CourseError
        If the shapes differ, there are no pixels, or a class is out of range.
    """
    if predicted.shape != truth.shape or not truth.numel():
        raise CourseError(
            f"maps of one shape are compared, found {tuple(predicted.shape)} predicted and "
            f"{tuple(truth.shape)} true. Predict on pictures of the size of the true maps."
        )
    predicted, truth = predicted.detach().cpu().long(), truth.detach().cpu().long()
    for kind, maps in (("predicted", predicted), ("true", truth)):
        low, high = maps.min().item(), maps.max().item()
        if low < 0 or high >= num_classes:
            raise CourseError(
                f"the {kind} classes must lie in 0..{num_classes - 1}, found {low}..{high}"
            )
    pairs = truth.flatten() * num_classes + predicted.flatten()
    return pairs.bincount(minlength=num_classes**2).view(num_classes, num_classes)


def segmentation_scores(predicted, truth, num_classes):
    """Score predicted maps against the true ones.

    With n_ij pixels of class i read as class j, and t_i of class i in all: ``per_pixel`` is
    sum_i n_ii / sum_i t_i, ``per_class`` the mean of n_ii / t_i, and ``iou`` the mean of
    n_ii / (t_i + sum_j n_ji - n_ii). The counts are over all pictures together. The means leave
    out the classes that no true map has.

    Parameters
    ----------
    predicted, truth : torch.Tensor of whole numbers, (N, H, W)
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
    per-class accuracy and class IOU, and the whole procedure the FCN-score: a network that was
    trained on real pictures reads the generated one, and what it reads is compared with the map
    that the picture was generated from. Ours is the course's own judge of scenes, so that its
    values do not compare with published ones.
    """
    counts = confusion_matrix(predicted, truth, num_classes).double()
    hits, true, read = counts.diag(), counts.sum(1), counts.sum(0)
    present = true > 0
    return SegmentationScores(
        per_pixel=(hits.sum() / true.sum()).item(),
        per_class=(hits / true)[present].mean().item(),
        iou=(hits / (true + read - hits))[present].mean().item(),
    )
