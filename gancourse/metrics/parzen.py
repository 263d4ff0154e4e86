"""The Parzen window: how the first GAN papers put a number on samples, and why nobody does now."""

import math

import torch

SIGMAS = tuple(torch.logspace(-1.1, -0.4, 8).tolist())  # pixels run from 0 to 1


def parzen(centres, points, sigma):
    """Return the log-likelihood of points under a mixture of Gaussians around the centres.

    Every centre carries a Gaussian of the same width in all directions, all with equal weight
    (Breuleux, Bengio, Vincent 2011; section 5 of Goodfellow et al. 2014, arXiv 1406.2661).

    Parameters
    ----------
    centres : float torch.Tensor, (N, ...)
        Samples of a generator: pixels in [-1, 1], which are measured as if in [0, 1].
    points : float torch.Tensor, (M, ...)
        Held-out pictures of the same shape and range.
    sigma : float
        Standard deviation, in pixels of [0, 1].

    Returns
    -------
    float64 torch.Tensor, (M,)
        In nats.
    """
    centres, points = (x.flatten(1).double() / 2 for x in (centres, points))
    exponents = -torch.cdist(points, centres).square() / (2 * sigma**2)
    normaliser = points.shape[1] / 2 * math.log(2 * math.pi * sigma**2)
    return exponents.logsumexp(1) - math.log(len(centres)) - normaliser


def parzen_likelihood(centres, tune, points, sigmas=SIGMAS):
    """Choose the width on some held-out pictures and measure on others, as the papers do.

    Parameters
    ----------
    centres, tune, points : float torch.Tensor, (N, ...), (L, ...), (M, ...)
        Samples; pictures to choose the width by; pictures to measure. See :func:`parzen`.
    sigmas : sequence of float
        The widths to choose from.

    Returns
    -------
    mean, error : float
        Mean log-likelihood of ``points`` in nats, and its standard error.

    Notes
    -----
    In many dimensions it is no measure of samples: see Theis, van den Oord and Bethge 2016,
    arXiv 1511.01844.
    """
    best = max(sigmas, key=lambda sigma: parzen(centres, tune, sigma).mean().item())
    found = parzen(centres, points, best)
    return found.mean().item(), (found.std() / len(found) ** 0.5).item()
