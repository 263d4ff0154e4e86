"""How well samples in the plane cover a mixture, and how far two densities are apart."""

from typing import NamedTuple

import torch

from gancourse.errors import CourseError

HIGH_QUALITY = 3.0  # standard deviations from the nearest mode's mean


class ModeScores(NamedTuple):
    """What :func:`mode_scores` measures.

    Attributes
    ----------
    covered : int
        Modes that at least one high-quality point lies at, 0 to K.
    high_quality : float
        The share of high-quality points, 0 to 1.
    reverse_kl : float
        Nats, 0 (every mode equally often) to log K (one mode alone).
    """

    covered: int
    high_quality: float
    reverse_kl: float


def mode_scores(points, mixture):
    """Score generated points against the modes of a mixture.

    A point belongs to its nearest mode. It is of high quality if it lies within 3 standard
    deviations of that mode's mean, and a mode is covered if a high-quality point belongs to it.
    The reverse KL divergence is KL(generated || real) between the distributions over the modes:
    ``sum_k p_k log(p_k K)``, with p_k the share of *all* points that belong to mode k, of high
    quality or not, and 1/K the share of the real data.

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
        If the points have another shape, are none at all, or are not finite.

    Notes
    -----
    Coverage and quality are those of VEEGAN (Srivastava et al. 2017, arXiv 1705.07761), which
    scores 2,500 points. PacGAN (Lin et al. 2018, arXiv 1712.04086) adds the reverse KL
    divergence. Its authors' program logs a histogram of the high-quality points only; we count
    all, so that a generator whose points are poor everywhere still has a value.

    In the plane a perfect generator has ``high_quality`` = 1 - exp(-4.5) = 98.89 %; more than
    that means that the points lie closer to the means than the data do.
    """
    points = torch.as_tensor(points).detach().cpu().double()
    means = mixture.means.cpu().double()
    modes, size = means.shape
    if points.ndim != 2 or points.shape[1] != size or not len(points):
        raise CourseError(
            f"mode_scores takes points of shape (N, {size}) with N > 0, "
            f"found {tuple(points.shape)}. Give it the generator's samples, one in a row."
        )
    if not points.isfinite().all():
        bad = (~points.isfinite().all(1)).sum().item()
        raise CourseError(
            f"{bad:,} of {len(points):,} points are NaN or infinite: the generator has diverged. "
            "Go back to an earlier state, or lower the learning rates."
        )
    # Differences, not a matrix product, so that a point at the border is on its right side.
    distance, nearest = (points[:, None] - means).square().sum(-1).sqrt().min(1)  # (N,)
    good = distance <= HIGH_QUALITY * mixture.std
    share = nearest.bincount(minlength=modes) / len(points)  # (K,)
    return ModeScores(
        covered=nearest[good].unique().numel(),
        high_quality=good.double().mean().item(),
        reverse_kl=max(0.0, torch.xlogy(share, share * modes).sum().item()),
    )


def numeric_jsd(p, q, cell):
    """Return the Jensen-Shannon divergence of two densities that are known on a grid.

    ``JSD = (KL(p || m) + KL(q || m)) / 2`` with ``m = (p + q) / 2``, as a sum over the cells.
    By theorem 1 of Goodfellow et al. (2014), the value of the game is ``2 JSD - log 4`` where
    the discriminator is at its best.

    Parameters
    ----------
    p, q : float torch.Tensor, both of one shape
        Densities at the centres of the cells (not their logarithms); at least 0.
    cell : float
        Area (or length) of one cell.

    Returns
    -------
    float
        Nats: 0 where the densities are equal, log 2 = 0.693 where they don't overlap.

    Raises
    ------
    CourseError
        If the shapes differ, a value is negative or not finite, or a density's integral over the
        grid is not within 5 % of 1. (The rest is taken out by normalising.)
    """
    p, q = (torch.as_tensor(x).detach().cpu().double() for x in (p, q))
    if p.shape != q.shape:
        raise CourseError(
            f"numeric_jsd compares densities on one grid, found {tuple(p.shape)} "
            f"and {tuple(q.shape)}"
        )
    for name, density in (("p", p), ("q", q)):
        if not density.isfinite().all() or (density < 0).any():
            raise CourseError(
                f"density {name} has values that are negative, NaN or infinite. "
                "From log densities, take exp() first."
            )
        mass = density.sum().item() * cell
        if not 0.95 < mass < 1.05:
            raise CourseError(
                f"density {name} integrates to {mass:.3f} on this grid, not to 1: the grid is too "
                "small or too coarse, or `cell` is not the area of one of its cells."
            )
    p, q = p / p.sum(), q / q.sum()
    m = (p + q) / 2
    kl = torch.xlogy(p, p / m) + torch.xlogy(q, q / m)
    return max(0.0, kl[m > 0].sum().item() / 2)  # where m is 0, neither density counts


def histogram_density(points, low, high, bins):
    """Estimate a density from samples, on the grid that :func:`numeric_jsd` sums over.

    Parameters
    ----------
    points : float torch.Tensor, (N,) or (N, D)
    low, high : float
        The grid's ends along every axis.
    bins : int
        Cells along every axis.

    Returns
    -------
    density : float64 torch.Tensor, (bins,) * D
        On the CPU; axis i is coordinate i. Points outside the grid count as samples, so that
        the integral falls below 1 by their share.
    cell : float
        The volume of one cell.

    Notes
    -----
    Two histograms of the same distribution differ by chance: their divergence is above 0, by
    about (number of occupied cells) / (4 N) for N samples in each. Use many samples in a cell.
    """
    points = torch.as_tensor(points).detach().cpu().double()
    points = points[:, None] if points.ndim == 1 else points
    dims = points.shape[1]
    counts = torch.histogramdd(points, [bins] * dims, range=[float(low), float(high)] * dims).hist
    cell = ((high - low) / bins) ** dims
    return counts / (len(points) * cell), cell
