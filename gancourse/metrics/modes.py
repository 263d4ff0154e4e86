"""Mode coverage of samples in the plane, and the Jensen-Shannon divergence of two densities."""

from typing import NamedTuple

import torch

from gancourse.errors import CourseError

HIGH_QUALITY = 3.0  # at most so many standard deviations from the nearest mode's mean


class ModeScores(NamedTuple):
    """What :func:`mode_scores` returns.

    Attributes
    ----------
    covered : int
        The number of modes with at least one high-quality point, 0 to K.
    high_quality : float
        The share of high-quality points, 0 to 1.
    reverse_kl : float
        In nats, from 0 (all modes equally frequent) to log K (one mode only).
    """

    covered: int
    high_quality: float
    reverse_kl: float


def mode_scores(points, mixture):
    """Score generated points against the modes of a mixture.

    A point belongs to its nearest mode. It is of high quality if it lies within 3 standard
    deviations of that mode's mean. A mode is covered if a high-quality point belongs to it. The
    reverse KL divergence is KL(generated || real) between the distributions over the K modes,
    ``sum_k p_k log(p_k K)``, where p_k is the share of *all* points that belong to mode k, and
    1/K is the share of the real data.

    Parameters
    ----------
    points : float torch.Tensor, (N, 2)
        On any device.
    mixture : gancourse.data.mixtures.Mixture
        Anything with ``means`` (K, 2) and ``std``, in the same units as the points.

    Returns
    -------
    ModeScores

    Raises
    ------
    CourseError
        If the points have another shape, are not finite, or there are none.

    Notes
    -----
    Coverage and quality are defined as in VEEGAN (Srivastava et al. 2017, arXiv 1705.07761), which
    scores 2,500 points. PacGAN (Lin et al. 2018, arXiv 1712.04086) adds the reverse KL
    divergence, which its authors' program computes over the high-quality points only. We count
    all points, so that the divergence is defined for a generator without high-quality points too.

    In the plane a perfect generator has ``high_quality`` = 1 - exp(-4.5) = 98.89 %. A larger value
    means that the points lie closer to the means than the data do.
    """
    points = torch.as_tensor(points).detach().cpu().double()
    means = mixture.means.cpu().double()
    modes, size = means.shape
    if points.ndim != 2 or points.shape[1] != size or not len(points):
        raise CourseError(
            f"expected points of shape (N, {size}) with N > 0, found {tuple(points.shape)}. "
            "Pass the generator's samples, one a row."
        )
    if not points.isfinite().all():
        bad = (~points.isfinite().all(1)).sum().item()
        raise CourseError(
            f"{bad:,} of {len(points):,} points are NaN or infinite: the generator has diverged. "
            "Go back to an earlier state, or lower the learning rates."
        )
    # From differences: the rounding of a matrix product could move a point across a border.
    distance, nearest = (points[:, None] - means).square().sum(-1).sqrt().min(1)  # (N,)
    good = distance <= HIGH_QUALITY * mixture.std
    share = nearest.bincount(minlength=modes) / len(points)  # (K,)
    return ModeScores(
        covered=nearest[good].unique().numel(),
        high_quality=good.double().mean().item(),
        reverse_kl=max(0.0, torch.xlogy(share, share * modes).sum().item()),
    )


def numeric_jsd(p, q, cell):
    """Return the Jensen-Shannon divergence of two densities that are given on a grid.

    ``JSD = (KL(p || m) + KL(q || m)) / 2`` with ``m = (p + q) / 2``, as a sum over the cells.
    With the optimal discriminator the value of the game is ``2 JSD - log 4`` (theorem 1 of
    Goodfellow et al. 2014, arXiv 1406.2661).

    Parameters
    ----------
    p, q : float torch.Tensor, of one shape
        The densities, not their logarithms, at the centres of the cells; at least 0.
    cell : float
        The area (in one dimension, the length) of a cell.

    Returns
    -------
    float
        In nats, from 0 (equal densities) to log 2 = 0.693 (densities that don't overlap).

    Raises
    ------
    CourseError
        If the shapes differ, a value is negative or not finite, or the integral of a density over
        the grid differs from 1 by more than 5 %. (A smaller difference is normalised away.)
    """
    p, q = (torch.as_tensor(x).detach().cpu().double() for x in (p, q))
    if p.shape != q.shape:
        raise CourseError(
            f"expected two densities on the same grid, found shapes {tuple(p.shape)} "
            f"and {tuple(q.shape)}"
        )
    for name, density in (("p", p), ("q", q)):
        if not density.isfinite().all() or (density < 0).any():
            raise CourseError(
                f"density {name}: expected finite values of at least 0, found values that are "
                "negative, NaN or infinite. Take exp() of log densities first."
            )
        mass = density.sum().item() * cell
        if not 0.95 < mass < 1.05:
            raise CourseError(
                f"density {name}: expected an integral of 1 over the grid, found {mass:.3f}. Use "
                "a larger or a finer grid, and pass the area of one of its cells as `cell`."
            )
    p, q = p / p.sum(), q / q.sum()
    m = (p + q) / 2
    kl = torch.xlogy(p, p / m) + torch.xlogy(q, q / m)
    return max(0.0, kl[m > 0].sum().item() / 2)  # where m is 0, so are p and q
