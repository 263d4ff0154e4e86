"""Vectors of the latent space: walks from one to another, averages of groups, and directions."""

import math

import torch
import torch.nn.functional as F

from gancourse.errors import CourseError

STRAIGHT = 1e-6  # radians: angles this close to pi count as opposite directions


def lerp(a, b, t):
    """Walk from ``a`` to ``b`` on the straight line.

    Parameters
    ----------
    a, b : Tensor, (..., latent_dim)
        The same shape.
    t : float or Tensor
        0 at ``a``, 1 at ``b``. The shape of a tensor broadcasts with that of ``a`` without its
        last axis: (k,) gives k points between two single vectors.

    Returns
    -------
    Tensor, (..., latent_dim)
        (1 - t) a + t b.
    """
    t = torch.as_tensor(t, dtype=a.dtype, device=a.device).unsqueeze(-1)
    return (1 - t) * a + t * b


def slerp(a, b, t):
    """Walk from ``a`` to ``b`` on a great circle, at a constant angular speed.

    The direction follows Shoemake 1985 (Animating rotation with quaternion curves), which White
    2016 (arXiv:1609.04468) proposed for latent spaces: with W the angle between the two,

        sin((1 - t) W) / sin(W) a + sin(t W) / sin(W) b

    for vectors of length 1. It is computed as cos(t W) a + sin(t W) c, where c is the part of b
    orthogonal to a, scaled to length 1: this is equal, and stable for nearly parallel vectors.
    The length goes linearly from that of ``a`` to that of ``b``.

    Many great circles join opposite vectors: the same one is chosen each time. A vector of length
    0 has no direction: the walk from or to it is the straight line.

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
    angle = torch.atan2(sine, cosine)  # in [0, pi]; unlike acos, exact near both ends
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
        On the CPU, where ``generator`` draws.
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


def separating(x, answers):
    """Fit a logistic regression for each question, and return the directions that separate.

    Parameters
    ----------
    x : float Tensor, (N, d)
        Vectors, such as the z of N samples.
    answers : bool Tensor, (N, questions)
        Whether each vector has each property.

    Returns
    -------
    Tensor, (d, questions)
        The weights of the regressions, with a small L2 penalty, so that they are finite where a
        plane separates the vectors, and 0 where all answers are the same.
    """
    answers = answers.to(x.dtype)
    weights = torch.zeros(x.shape[1], answers.shape[1], device=x.device, requires_grad=True)
    bias = torch.zeros(answers.shape[1], device=x.device, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=50, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        value = F.binary_cross_entropy_with_logits(x @ weights + bias, answers) * len(bias)
        value = value + 1e-3 * weights.square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(loss)
    return weights.detach()


def apart_from(direction, others):
    """Return the part of a direction that is orthogonal to others, scaled to length 1.

    A step along it leaves the value of each linear function ``x @ others`` as it is.

    Parameters
    ----------
    direction : Tensor, (d,)
    others : Tensor, (d, n)
        The other directions, as columns.

    Returns
    -------
    Tensor, (d,)
    """
    basis = torch.linalg.qr(others).Q
    return F.normalize(direction - basis @ (basis.T @ direction), dim=0)
