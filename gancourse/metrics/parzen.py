"""Parzen-window log-likelihood, the measure of the first GAN papers, no longer in use."""

import math

import torch

SIGMAS = tuple(torch.logspace(-1.1, -0.4, 8).tolist())  # candidate widths, for pixels in [0, 1]


def parzen(centres, points, sigma):
    """Return the log-likelihood of points under a mixture of equal Gaussians around the centres.

    The Gaussians are isotropic and have equal weights (Breuleux, Bengio, Vincent 2011; section 5
    of Goodfellow et al. 2014, arXiv 1406.2661).

    Parameters
    ----------
    centres : float torch.Tensor, (N, ...) in [-1, 1]
        Samples of a generator. Pixels are rescaled to [0, 1], as in the papers.
    points : float torch.Tensor, (M, ...) in [-1, 1]
        Held-out pictures of the same shape.
    sigma : float
        The standard deviation, for pixels in [0, 1].

    Returns
    -------
    float64 torch.Tensor, (M,)
        In nats.
    """
    centres, points = (x.flatten(1).double() / 2 for x in (centres, points))
    exponents = -torch.cdist(points, centres).square() / (2 * sigma**2)
    normaliser = points.shape[1] / 2 * math.log(2 * math.pi * sigma**2)
    return exponents.logsumexp(1) - math.log(len(centres)) - normaliser


def parzen_likelihood(centres, validation, points):
    """Choose sigma on validation pictures, and return the mean log-likelihood of other pictures.

    Parameters
    ----------
    centres : float torch.Tensor, (N, ...) in [-1, 1]
        Samples of a generator.
    validation, points : float torch.Tensor, (L, ...) and (M, ...) in [-1, 1]
        Held-out pictures: those by which sigma is chosen among ``SIGMAS``, and those that are
        measured.

    Returns
    -------
    mean, error : float
        The mean log-likelihood of ``points`` in nats, and its standard error.

    Notes
    -----
    In many dimensions this says little about the quality of samples (Theis, van den Oord and
    Bethge 2016, arXiv 1511.01844).
    """
    best = max(SIGMAS, key=lambda sigma: parzen(centres, validation, sigma).mean().item())
    likelihood = parzen(centres, points, best)
    return likelihood.mean().item(), (likelihood.std() / len(likelihood) ** 0.5).item()
