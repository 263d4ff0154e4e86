"""How smoothly a generator passes from one picture to another."""

import torch

from gancourse.errors import CourseError


def largest_step(way, a, b, judge, steps=32):
    """Return how much of a walk its largest step takes, in a judge's eyes.

    A generator that knew only a list of pictures would jump from one to the next: a single step
    would be nearly the whole walk.

    Parameters
    ----------
    way : callable
        ``way(a, b, t)`` returns the pictures (n, C, H, W) at the places t, (n,) in [0, 1], of the
        walks from a to b, both (n, latent_dim).
    a, b : torch.Tensor, (walks, latent_dim)
        Where the walks begin and end.
    judge : Judge
        Anything whose ``features(images)`` are (n, d).
    steps : int
        Of each walk, even ones in t; at least 1.

    Returns
    -------
    float
        The mean over the walks: 1 / steps where all steps change the picture equally, 1 for a
        jump.

    Raises
    ------
    CourseError
        If ``steps`` is less than 1, or no walk leads anywhere.
    """
    if steps < 1:
        raise CourseError(f"a walk has 1 step or more, not {steps!r}")
    places = steps + 1
    t = torch.linspace(0, 1, places, device=a.device).repeat(len(a))
    path = way(a.repeat_interleave(places, 0), b.repeat_interleave(places, 0), t)
    seen = judge.features(path).unflatten(0, (len(a), places))
    change = (seen[:, 1:] - seen[:, :-1]).norm(dim=2)  # (walks, steps)
    length = change.sum(1)
    if not (length > 0).all():
        raise CourseError("a walk leads nowhere: the judge sees the same picture at every step")
    return (change.amax(1) / length).mean().item()
