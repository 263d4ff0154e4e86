"""Precision and recall: how many samples could be real, and how much of the data can be sampled."""

from typing import NamedTuple

import torch

from gancourse.errors import CourseError, check_whole
from gancourse.metrics.scores import features_of

CHUNK = 500  # points that are compared with all others at once


class PrecisionRecall(NamedTuple):
    """What :func:`precision_recall` returns.

    Attributes
    ----------
    precision : float
        The share of samples that lie where real pictures do, 0 to 1.
    recall : float
        The share of real pictures that lie where samples do, 0 to 1.
    """

    precision: float
    recall: float


def precision_recall(real_images, fake_images, judge, k=3):
    """Estimate where real pictures and where samples lie, and how much of each the other covers.

    A set's support is the union of balls around its points in the judge's feature space; the
    radius of a ball is the distance to the k-th nearest neighbour within the set (Kynkäänniemi et
    al. 2019, arXiv 1904.06991, section 2).

    Parameters
    ----------
    real_images, fake_images : float torch.Tensor, (N, C, H, W) in [-1, 1]
        Or their features, (N, d). Both values depend on N: compare those of equal N only, and
        compute those of two sets of real pictures as a ceiling.
    judge : Judge
        Any object whose ``features(images)`` returns (N, d).
    k : int
        As in the paper; a larger one makes larger balls.

    Returns
    -------
    PrecisionRecall

    Raises
    ------
    CourseError
        If a set has k points or fewer, or the judge refuses the pictures.
    """
    real, fake = features_of(real_images, judge), features_of(fake_images, judge)
    check_whole("k", k, 1)
    if min(len(real), len(fake)) <= k:
        raise CourseError(
            f"precision_recall needs more than {k} pictures of each, since the {k}th neighbour "
            f"gives a radius; found {len(real):,} and {len(fake):,}. Sample more."
        )
    return PrecisionRecall(_covered(fake, real, k), _covered(real, fake, k))


def _covered(points, others, k):
    """Return the share of points that lie in a ball around one of the others."""
    radii = _radii(others, k)
    inside = [(torch.cdist(part, others) <= radii).any(1) for part in points.split(CHUNK)]
    return torch.cat(inside).double().mean().item()


def _radii(points, k):
    """Return the distance of each point to its k-th nearest neighbour, (N,)."""
    nearest = [
        torch.cdist(part, points).topk(k + 1, largest=False).values[:, -1]  # the first is itself
        for part in points.split(CHUNK)
    ]
    return torch.cat(nearest)
