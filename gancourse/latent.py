"""Points in the latent space: where they are drawn from, and the ways from one to another."""

import math
from dataclasses import dataclass

import torch

from gancourse.errors import CourseError, choose

STRAIGHT = 1e-6  # radians from pi at which a half turn counts as exact
PRIORS = {"normal": None, "uniform": (-math.sqrt(3), math.sqrt(3))}


@dataclass(frozen=True)
class Prior:
    """The distribution of z: each number alike and apart from the others.

    Parameters
    ----------
    low, high : float, optional
        The numbers are uniform in [low, high]; without them they are from N(0, 1).
    """

    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, prior):
        """Understand what a user gave as a prior.

        Parameters
        ----------
        prior : {"uniform", "normal"} or pair of float or Prior
            "uniform" is uniform in [-sqrt(3), sqrt(3)]; it and "normal" have mean 0 and variance
            1. A pair (low, high) is uniform between the two: (-1, 1) for the DCGAN.

        Raises
        ------
        CourseError
            If it is none of these.
        """
        if isinstance(prior, cls):
            return prior
        if isinstance(prior, str):
            return cls(*PRIORS[choose("prior", prior, PRIORS)] or ())
        try:
            low, high = (float(end) for end in prior)
            if not (low < high and math.isfinite(high - low)):
                raise ValueError
        except (TypeError, ValueError):
            raise CourseError(
                f"prior must be {' or '.join(repr(name) for name in PRIORS)}, or (low, high) with "
                f"low < high for numbers uniform between the two, not {prior!r}"
            ) from None
        return cls(low, high)

    @property
    def mean(self):
        """Mean of each number."""
        return 0.0 if self.low is None else (self.low + self.high) / 2

    @property
    def sd(self):
        """Standard deviation of each number."""
        return 1.0 if self.low is None else (self.high - self.low) / math.sqrt(12)

    def draw(self, n, latent_dim, seed):
        """Draw ``n`` latent vectors; the same ones for the same seed.

        They are those that ``draw_z`` of the GAN's own file draws on the CPU with this seed, as
        ``sample(gan, n, seed=seed)`` does.

        Returns
        -------
        Tensor, (n, latent_dim)
        """
        generator = torch.Generator().manual_seed(seed)
        if self.low is None:
            return torch.randn(n, latent_dim, generator=generator)
        unit = torch.rand(n, latent_dim, generator=generator) * 2 - 1
        return unit * ((self.high - self.low) / 2) + self.mean


def lerp(a, b, t):
    """Walk from ``a`` to ``b`` on the straight line.

    Parameters
    ----------
    a, b : Tensor, (..., latent_dim)
        The same shape.
    t : float or Tensor
        0 at ``a``, 1 at ``b``. A tensor has the shape of ``a`` without its last axis, or one that
        fits it as usual: (k,) for k points between two single vectors.

    Returns
    -------
    Tensor, (..., latent_dim)
        (1 - t) a + t b.
    """
    t = torch.as_tensor(t, dtype=a.dtype, device=a.device).unsqueeze(-1)
    return (1 - t) * a + t * b


def slerp(a, b, t):
    """Walk from ``a`` to ``b`` on a great circle, at an even angular speed.

    The direction follows Shoemake 1985 (Animating rotation with quaternion curves), which White
    2016 (arXiv:1609.04468) proposed for latent spaces: with W the angle between the two,

        sin((1 - t) W) / sin(W) a + sin(t W) / sin(W) b

    for vectors of length 1. It is computed as cos(t W) a + sin(t W) c, where c is what is left
    of b at right angles to a, at length 1: the same, and stable for nearly parallel vectors. The
    length goes evenly from that of ``a`` to that of ``b``, so it is always between the two.

    Opposite vectors have no plane of their own: one is chosen, the same each time. A vector of
    length 0 has no direction: the way from or to it is the straight line.

    Parameters
    ----------
    a, b, t
        See :func:`lerp`.

    Returns
    -------
    Tensor, (..., latent_dim)
    """
    x, y = a.double(), b.double()
    length_x, length_y = x.norm(dim=-1, keepdim=True), y.norm(dim=-1, keepdim=True)
    tiny = torch.finfo(torch.float64).tiny
    x, y = x / length_x.clamp_min(tiny), y / length_y.clamp_min(tiny)
    cosine = (x * y).sum(-1, keepdim=True)
    across = y - cosine * x
    sine = across.norm(dim=-1, keepdim=True)
    angle = torch.atan2(sine, cosine)  # in [0, pi]; exact at both ends, as acos is not
    across = across / sine.clamp_min(tiny)
    if (half_turn := angle > math.pi - STRAIGHT).any():
        axis = torch.zeros_like(x).scatter_(-1, x.abs().argmin(-1, keepdim=True), 1.0)
        other = axis - (axis * x).sum(-1, keepdim=True) * x
        across = torch.where(half_turn, other / other.norm(dim=-1, keepdim=True), across)
    t = torch.as_tensor(t, dtype=torch.float64, device=a.device).unsqueeze(-1)
    turned = (t * angle).cos() * x + (t * angle).sin() * across
    arc = turned * ((1 - t) * length_x + t * length_y)
    defined = (length_x > 0) & (length_y > 0)
    return torch.where(defined, arc, (1 - t) * a + t * b).to(a.dtype)


def averages(group, k, n, generator):
    """Average ``k`` vectors of a group, drawn with replacement, ``n`` times.

    Parameters
    ----------
    group : Tensor, (members, latent_dim)
        On the CPU, as the generator is.
    k, n : int
    generator : torch.Generator

    Returns
    -------
    Tensor, (n, latent_dim)

    Raises
    ------
    CourseError
        If the group is empty.
    """
    if not len(group):
        raise CourseError("an empty group has no average: draw more samples to choose it from")
    return group[torch.randint(len(group), (n, k), generator=generator)].mean(1)
