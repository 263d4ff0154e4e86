"""Scores of generated pictures on a judge's features: FID and IS; and nearest neighbours.

torchmetrics computes the papers' formulas, but on the features of one of the course's own judges,
not on those of an Inception network trained on ImageNet. Compare such a score with others by the
same judge, never with a published FID or IS.
"""

import math
import warnings

import torch
from torch import nn

from gancourse.errors import CourseError, check_whole

SPLITS = 10  # as in Salimans et al. 2016
NEIGHBOUR_CHUNK = 256  # queries that are compared with all references at once


def judge_fid(real_images, fake_images, judge):
    """Return the Fréchet distance of two sets of pictures, in a judge's feature space.

    It is ``|m_r - m_f|^2 + tr(C_r + C_f - 2 (C_r C_f)^(1/2))``, where m is the mean and C the
    covariance of a set's features (Heusel et al. 2017, arXiv 1706.08500, equation 6). 0 is best.

    Parameters
    ----------
    real_images, fake_images : float torch.Tensor, (N, C, H, W) in [-1, 1]
        Each set needs more pictures than the judge has features d, or the covariances would not
        have full rank. Instead of pictures, a set may be its features (N, d), which saves
        computing those of the real pictures again for every score.
    judge : Judge
        Any object whose ``features(images)`` returns (N, d).

    Returns
    -------
    float

    Raises
    ------
    CourseError
        If there are too few pictures, or the judge refuses them.

    Notes
    -----
    The estimate is biased upwards, by an amount that falls about as 1 / N and depends on the
    generator (Binkowski et al. 2018, arXiv 1801.01401). Compare values of equal N only, and
    compute the distance of two sets of real pictures of that size as a floor.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance  # takes seconds to import

    real, fake = features_of(real_images, judge), features_of(fake_images, judge)
    dims = real.shape[1]
    _require("judge_fid", min(len(real), len(fake)), dims + 1, f"of each ({dims} features)")
    fid = FrechetInceptionDistance(feature=_Given(dims))
    fid.update(real, real=True)
    fid.update(fake, real=False)
    return max(0.0, fid.compute().item())


def fid_infinity(real_images, fake_images, judge, *, points=15, seed=0):
    """Extrapolate the Fréchet distance to infinitely many samples.

    The bias of the estimate falls as 1 / N. A straight line through the distances of random
    subsets, over 1 / N, is therefore read off at 0 (Chong & Forsyth 2020, arXiv 1911.07023,
    section 4; the paper draws new samples for each N, we take subsets).

    Parameters
    ----------
    real_images, fake_images, judge
        See :func:`judge_fid`. All real pictures are used each time, so that the bias of their
        number stays.
    points : int
        How many subset sizes: from a third of the samples up to all, evenly spaced in N.
    seed : int
        Of the choice of subsets.

    Returns
    -------
    extrapolated : float
        Can be below 0, since it is not a distance any more.
    sizes : int64 torch.Tensor, (points,)
    distances : float64 torch.Tensor, (points,)
        The Fréchet distance of each subset size.

    Raises
    ------
    CourseError
        If the smallest subset has too few samples for :func:`judge_fid`.
    """
    check_whole("points", points, 2)
    real, fake = features_of(real_images, judge), features_of(fake_images, judge)
    sizes = torch.linspace(len(fake) / 3, len(fake), points).round().long()
    generator = torch.Generator().manual_seed(seed)
    distances = []
    for size in sizes.tolist():
        chosen = torch.randperm(len(fake), generator=generator)[:size]
        distances.append(judge_fid(real, fake[chosen], judge))
    distances = torch.tensor(distances, dtype=torch.float64)
    lines = torch.stack([torch.ones(points).double(), 1 / sizes.double()], 1)
    constant, _ = torch.linalg.lstsq(lines, distances[:, None]).solution.flatten().tolist()
    return constant, sizes, distances


def inception_score(images, judge):
    """Return the Inception score, computed with a judge instead of the Inception network.

    It is ``exp(mean KL(p(y | x) || p(y)))`` over the pictures x (Salimans et al. 2016,
    arXiv 1606.03498), from 1 to the number of classes. It is high if the judge is sure of the
    class of each picture and the classes are equally frequent. Real pictures play no part in it:
    a generator with one perfect picture of each class has the best score.

    Parameters
    ----------
    images : float torch.Tensor, (N, C, H, W) in [-1, 1]
        N is at least 100, so that each of the 10 splits has 10 pictures.
    judge : Judge
        Any object whose ``logits(images)`` returns (N, classes), of exclusive classes.

    Returns
    -------
    mean, std : float
        Over 10 splits of the pictures, the same ones at every call.

    Raises
    ------
    CourseError
        If there are too few pictures, the judge refuses them, or its classes do not exclude each
        other.
    """
    from torchmetrics.image.inception import InceptionScore

    if not getattr(judge, "exclusive", True):
        raise CourseError(
            "expected a judge that gives each picture exactly one class, which the judge of "
            f"{judge.name} does not. Use judge_fid."
        )
    # Clamped, because a class with probability 0 in a whole split would make the score NaN.
    logits = judge.logits(images).detach().cpu().double().log_softmax(1).clamp(min=-100)
    _require("inception_score", len(logits), 10 * SPLITS, f"for {SPLITS} splits")
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # torchmetrics warns of the memory that the features of a large data set take.
        warnings.filterwarnings("ignore", message="Metric `.*` will save all extracted features")
        torch.default_generator.manual_seed(0)  # torchmetrics draws the splits on the CPU
        score = InceptionScore(feature=_Given(logits.shape[1]), splits=SPLITS)
        score.update(logits)
        mean, std = score.compute()
    return mean.item(), std.item()


def score_of_logits(logits):
    """Return exp(mean KL(p(y | x) || p(y))), the Inception score of pictures in one split.

    Parameters
    ----------
    logits : float torch.Tensor, (N, K)
        A judge's logits of K exclusive classes.

    Returns
    -------
    torch.Tensor, ()
        From 1 to K. The fewer pictures p(y) is a mean of, the lower it is on average.
    """
    log_p = logits.double().log_softmax(1)
    log_marginal = log_p.logsumexp(0) - math.log(len(logits))
    return (log_p.exp() * (log_p - log_marginal)).sum(1).mean().exp()


def frechet(a, b):
    """Return |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) of two sets of features.

    :func:`judge_fid` takes torchmetrics' program for this formula.

    Parameters
    ----------
    a, b : float64 torch.Tensor, (N, d) and (M, d)

    Returns
    -------
    torch.Tensor, ()
    """
    of_a, of_b = a.T.cov(), b.T.cov()
    values, vectors = torch.linalg.eigh(of_a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    # C_a C_b is not symmetric. C_a^(1/2) C_b C_a^(1/2) is, and has the same eigenvalues.
    cross = torch.linalg.eigvalsh(root @ of_b @ root).clamp(min=0).sqrt().sum()
    apart = (a.mean(0) - b.mean(0)).square().sum()
    return apart + of_a.trace() + of_b.trace() - 2 * cross


def nearest_neighbours(queries, references, k=1):
    """Find the nearest references of each query, to see whether a generator copies its data.

    Parameters
    ----------
    queries : float torch.Tensor, (Q, ...)
        Pictures, or a judge's features of pictures.
    references : float torch.Tensor, (R, ...)
        Of the same shape and range.
    k : int
        The number of neighbours of each query, 1 to R.

    Returns
    -------
    distances : float32 torch.Tensor, (Q, k)
        Euclidean, ascending; exactly 0 for a copy.
    indices : int64 torch.Tensor, (Q, k)
        Into ``references``. Both results lie on the device of the queries.

    Raises
    ------
    CourseError
        If the shapes differ, there are no queries, a value is not finite, or ``k`` is out of
        range.
    """
    if queries.ndim < 2 or queries.shape[1:] != references.shape[1:] or not len(queries):
        raise CourseError(
            "expected queries (Q, ...) and references (R, ...) of the same shape, found "
            f"{tuple(queries.shape)} and {tuple(references.shape)}"
        )
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= len(references):
        raise CourseError(f"k: expected 1 to {len(references):,}, the references; not {k!r}")
    references = references.detach().flatten(1).float().to(queries.device)
    queries = queries.detach().flatten(1).float()
    for name, values in (("queries", queries), ("references", references)):
        if not values.isfinite().all():
            raise CourseError(f"{name}: expected finite values, found NaN or infinite ones")
    # Not by a matrix product, which would not give exactly 0 as the distance to a copy.
    found = [
        torch.cdist(part, references, compute_mode="donot_use_mm_for_euclid_dist").topk(
            k, largest=False
        )
        for part in queries.split(NEIGHBOUR_CHUNK)
    ]
    return torch.cat([part.values for part in found]), torch.cat([part.indices for part in found])


class _Given(nn.Module):
    """An identity as torchmetrics' feature extractor: it is given a judge's features.

    torchmetrics would convert pictures to bytes, which Inception takes and a judge does not.
    """

    def __init__(self, num_features):
        super().__init__()
        self.num_features = num_features

    def forward(self, features):
        return features


def features_of(images, judge):
    """Return a judge's features, float64 (N, d) on the CPU; ``images`` may be features already."""
    features = images if images.ndim == 2 else judge.features(images)
    return features.detach().cpu().double()


def _require(score, found, least, why):
    """Raise if there are fewer than ``least`` pictures."""
    if found < least:
        raise CourseError(
            f"{score} needs at least {least:,} pictures {why}; found {found:,}. Sample more."
        )
