"""Scores of generated pictures that rest on a judge's eyes: FID, KID, IS, and neighbours.

The formulas are those of the papers, computed by torchmetrics. The features are not: they come
from one of the course's own judges, not from an Inception network trained on ImageNet. Compare
such a score with others by the same judge, and never with a published FID, KID or IS.
"""

import contextlib
import warnings

import torch
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from gancourse.errors import CourseError
from gancourse.training.runtime import undisturbed

SPLITS = 10  # as in Salimans et al. 2016
NEIGHBOUR_CHUNK = 256  # queries compared with all references at once


def judge_fid(real_images, fake_images, judge):
    """Return the Fréchet distance of two sets of pictures, in a judge's feature space.

    ``|m_r - m_f|^2 + tr(C_r + C_f - 2 (C_r C_f)^(1/2))``, with the mean m and the covariance C of
    each set's features (Heusel et al. 2017, arXiv 1706.08500, equation 6). 0 is best.

    Parameters
    ----------
    real_images, fake_images : float torch.Tensor, (N, C, H, W) in [-1, 1]
        More pictures in each than the judge has features, else the covariances have no full rank.
        Features that the judge has given already, (N, d), may stand in their place: those of the
        real pictures are needed again for every score.
    judge : Judge
        Anything whose ``features(images)`` are (N, d).

    Returns
    -------
    float

    Raises
    ------
    CourseError
        If there are too few pictures, or the judge refuses them.

    Notes
    -----
    With few pictures the estimate is too high, by an amount that falls about as 1 / N and depends
    on the generator (Binkowski et al. 2018, arXiv 1801.01401): compare values of equal N only,
    and see what two sets of real pictures of that size score against each other.
    """
    real, fake = _features(real_images, judge), _features(fake_images, judge)
    dims = real.shape[1]
    _require("judge_fid", min(len(real), len(fake)), dims + 1, f"of each ({dims} features)")
    fid = FrechetInceptionDistance(feature=_Given(dims))
    fid.update(real, real=True)
    fid.update(fake, real=False)
    return max(0.0, fid.compute().item())


def judge_kid(real_images, fake_images, judge, *, subsets=100, subset_size=100):
    """Return the kernel distance of two sets of pictures, in a judge's feature space.

    The squared maximum mean discrepancy with the kernel ``(x . y / d + 1)^3`` (Binkowski et al.
    2018, arXiv 1801.01401). Unlike the FID it has no bias at small N: for two sets of the same
    distribution the mean is 0, and so a single value may be negative. (Two sets with exactly as
    many pictures of each class, like the splits of the digits, are more alike than chance makes
    them, and come out a little below 0.)

    Parameters
    ----------
    real_images, fake_images : float torch.Tensor, (N, C, H, W) in [-1, 1]
        At least ``subset_size`` each.
    judge : Judge
        Anything whose ``features(images)`` are (N, d).
    subsets, subset_size : int
        How many subsets are drawn, and how many pictures of each set are in one.

    Returns
    -------
    mean, std : float
        Over the subsets, which are the same ones at every call. The standard deviation is that
        of a single subset's value, not the uncertainty of the mean.

    Raises
    ------
    CourseError
        If there are too few pictures, or the judge refuses them.
    """
    real, fake = _features(real_images, judge), _features(fake_images, judge)
    _require("judge_kid", min(len(real), len(fake)), subset_size, "of each: one subset's worth")
    with _fixed_draws():
        kid = KernelInceptionDistance(
            feature=_Given(real.shape[1]), subsets=subsets, subset_size=subset_size
        )
        kid.update(real, real=True)
        kid.update(fake, real=False)
        mean, std = kid.compute()
    return mean.item(), std.item()


def inception_score(images, judge):
    """Return the Inception score's formula, with a judge in the place of the Inception network.

    ``exp(mean KL(p(y | x) || p(y)))`` over the pictures x (Salimans et al. 2016,
    arXiv 1606.03498): high where the judge is sure of each picture and the classes are equally
    frequent. It lies between 1 and the number of classes, and never looks at real pictures: a
    generator with one perfect picture of each class has the best score.

    Parameters
    ----------
    images : float torch.Tensor, (N, C, H, W) in [-1, 1]
        At least 10 in each of the 10 splits, 100 in all.
    judge : Judge
        Anything whose ``logits(images)`` are (N, classes), of which a picture has one.

    Returns
    -------
    mean, std : float
        Over 10 splits of the pictures, which are the same ones at every call.

    Raises
    ------
    CourseError
        If there are too few pictures, the judge refuses them, or its answers are no classes.
    """
    if not getattr(judge, "exclusive", True):
        raise CourseError(
            f"inception_score needs one class for each picture; the judge of {judge.name} answers "
            "yes or no to many questions. Use judge_fid or judge_kid."
        )
    # A class that has probability 0 in a whole split would make the score NaN.
    logits = judge.logits(images).detach().cpu().double().log_softmax(1).clamp(min=-100)
    _require("inception_score", len(logits), 10 * SPLITS, f"for {SPLITS} splits")
    with _fixed_draws():
        score = InceptionScore(feature=_Given(logits.shape[1]), splits=SPLITS)
        score.update(logits)
        mean, std = score.compute()
    return mean.item(), std.item()


def nearest_neighbours(queries, references, k=1, judge=None):
    """Find what is most like each query, to see whether a generator copies its training data.

    Parameters
    ----------
    queries : float torch.Tensor, (Q, ...)
        Pictures (or points).
    references : float torch.Tensor, (R, ...)
        Of the same shape and range as the queries.
    k : int
        How many neighbours of each, 1 to R.
    judge : Judge, optional
        Compare its features instead of the pixels: what the pictures show, not how it lies on
        the grid.

    Returns
    -------
    distances : float32 torch.Tensor, (Q, k)
        Euclidean, ascending; a copy is at exactly 0 in pixels, and nearly so in features.
    indices : int64 torch.Tensor, (Q, k)
        Into ``references``. Both lie on the device of the queries.

    Raises
    ------
    CourseError
        If the shapes differ, a value is not finite, or ``k`` is not 1 to R.
    """
    if queries.ndim < 2 or queries.shape[1:] != references.shape[1:] or not len(queries):
        raise CourseError(
            f"queries {tuple(queries.shape)} and references {tuple(references.shape)} must be "
            "batches of the same kind of pictures."
        )
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= len(references):
        raise CourseError(f"k must be 1 to {len(references):,}, the references; not {k!r}.")
    device = queries.device
    if judge is not None:
        queries, references = judge.features(queries), judge.features(references)
    queries = queries.detach().flatten(1).float().to(device)
    references = references.detach().flatten(1).float().to(device)
    if not (queries.isfinite().all() and references.isfinite().all()):
        raise CourseError("queries or references hold NaN or infinite values.")
    # By a matrix product the distance to a copy would not be exactly 0.
    found = [
        torch.cdist(part, references, compute_mode="donot_use_mm_for_euclid_dist").topk(
            k, largest=False
        )
        for part in queries.split(NEIGHBOUR_CHUNK)
    ]
    return torch.cat([part.values for part in found]), torch.cat([part.indices for part in found])


class _Given(nn.Module):
    """The feature extractor for torchmetrics: what it is fed are the features already.

    So the judge alone sees the pictures, and none of torchmetrics' conversions for Inception's
    bytes can touch them.
    """

    def __init__(self, num_features):
        super().__init__()
        self.num_features = num_features

    def forward(self, features):
        return features


def _features(images, judge):
    """Return a judge's features in double precision, on the CPU; features stay what they are."""
    features = images if images.ndim == 2 else judge.features(images)
    return features.detach().cpu().double()


def _require(score, found, least, why):
    """Raise if there are fewer than ``least`` pictures."""
    if found < least:
        raise CourseError(
            f"{score} needs at least {least:,} pictures {why}; found {found:,}. Sample more."
        )


@contextlib.contextmanager
def _fixed_draws():
    """Let torchmetrics draw the same subsets at every call, and leave the training's draws alone.

    Its warning that all features are kept is for data sets larger than ours.
    """
    with undisturbed(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Metric `.*` will save all extracted features")
        torch.default_generator.manual_seed(0)  # torchmetrics draws on the CPU
        yield
