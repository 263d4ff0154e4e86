"""How evenly a generator's pictures change along an interpolation in latent space."""

import torch

from gancourse.errors import CourseError


def largest_step(way, a, b, judge, steps=32):
    """Return the share of the largest step in the length of a walk, measured in a judge's features.

    A generator that has memorised a list of pictures jumps from one to the next, so that one step
    makes up nearly the whole walk.

    Parameters
    ----------
    way : callable
        ``way(a, b, t)`` returns the pictures (n, C, H, W) at the positions t, (n,) in [0, 1], on
        the walks from a to b, each (n, latent_dim).
    a, b : float torch.Tensor, (walks, latent_dim)
        Where the walks begin and end.
    judge : Judge
        Any object whose ``features(images)`` returns (n, d).
    steps : int
        The number of steps of each walk, evenly spaced in t; at least 1.

    Returns
    -------
    float
        The mean over the walks, from 1 / steps (all steps change the features equally) to 1 (a
        single jump).

    Raises
    ------
    CourseError
        If ``steps`` is less than 1, or the features do not change along a walk.
    """
    if steps < 1:
        raise CourseError(f"steps: expected at least 1, not {steps!r}")
    positions = steps + 1
    t = torch.linspace(0, 1, positions, device=a.device).repeat(len(a))
    path = way(a.repeat_interleave(positions, 0), b.repeat_interleave(positions, 0), t)
    features = judge.features(path).unflatten(0, (len(a), positions))
    change = features.diff(dim=1).norm(dim=2)  # (walks, steps)
    length = change.sum(1)
    if not (length > 0).all():
        raise CourseError(
            "expected features that change along each walk; on one they stay the same at every "
            "step. Choose two different ends."
        )
    return (change.amax(1) / length).mean().item()
