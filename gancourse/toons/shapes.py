"""Shapes as signed distances: below 0 inside, 0 on the edge, above 0 outside.

Every function takes the coordinates of the pixels as planes ``x`` and ``y`` that broadcast to
(N, 1, H, W), y pointing down, with the shape's own centre at the origin, and measures as floats or
as (N, 1, 1, 1) tensors, one for each picture. It returns a plane of distances in the same unit.
The negative of a shape is all that is outside it, so ``both(a, -b)`` cuts ``b`` out of ``a``.

Only operations that IEEE 754 rounds exactly are used (no sine, no power, no fused multiply-add),
so that a pixel doesn't depend on which other pixels were computed along with it.
"""

import math

import torch

EPS = 1e-6  # keeps the middle of an ellipse, where slopes vanish, inside it


def circle(x, y, radius):
    """Return the distance to a circle."""
    return (x * x + y * y).sqrt() - radius


def ellipse(x, y, rx, ry):
    """Return the distance to an ellipse, to first order: exact on the edge and for circles."""
    sx, sy = x / rx, y / ry
    level = (sx * sx + sy * sy).sqrt()
    tx, ty = sx / rx, sy / ry
    slope = (tx * tx + ty * ty).sqrt()
    return (level + EPS) * (level - 1) / (slope + EPS)


def box(x, y, hx, hy, radius=0.0):
    """Return the distance to a box of half-widths ``hx`` and ``hy`` with round corners."""
    qx, qy = x.abs() - (hx - radius), y.abs() - (hy - radius)
    outside = (qx.clamp(min=0).square() + qy.clamp(min=0).square()).sqrt()
    return outside + torch.maximum(qx, qy).clamp(max=0) - radius


def segment(x, y, x0, y0, x1, y1, radius, end=None):
    """Return the distance to a line with round ends, ``2 * radius`` wide.

    With ``end``, the radius changes along the line from ``radius`` to ``end``.
    """
    dx, dy = x1 - x0, y1 - y0
    px, py = x - x0, y - y0
    t = ((px * dx + py * dy) / (dx * dx + dy * dy)).clamp(0, 1)
    distance = ((px - t * dx).square() + (py - t * dy).square()).sqrt()
    return distance - (radius if end is None else radius + (end - radius) * t)


def bow(x, y, half, bend, radius, taper=0.0):
    """Return the distance to a bent stroke from ``-half`` to ``half``, ``2 * radius`` wide.

    Its middle lies ``bend`` below its ends (above, if negative). ``taper`` from 0 to 1 makes the
    ends thinner than the middle.
    """
    t = x / half
    square = (t * t).clamp(max=1)
    slope = 2 * bend / half * t.clamp(-1, 1)
    across = (y - bend * (1 - square)) / (1 + slope * slope).sqrt()
    beyond = (x.abs() - half).clamp(min=0)
    return (across * across + beyond * beyond).sqrt() - radius * (1 - taper * square)


def lens(x, y, half, top, bottom):
    """Return the distance to what lies between two parabolas that meet at ``-half`` and ``half``.

    The upper one rises ``top`` above the line between the ends, the lower one falls ``bottom``
    below it; a negative value bends it the other way.
    """
    t = x / half
    arch = 1 - t * t
    steep = 2 / half * t
    over = (-top * arch - y) / (1 + (top * steep).square()).sqrt()
    under = (y - bottom * arch) / (1 + (bottom * steep).square()).sqrt()
    return torch.maximum(torch.maximum(over, under), x.abs() - half)


def dots(x, y, spots, smooth=0.0):
    """Return the union of circles, given as (x, y, radius) each."""
    return union(*(circle(x - cx, y - cy, radius) for cx, cy, radius in spots), smooth=smooth)


def scatter(x, y, cell, radius, share, salt):
    """Return the distance to dots strewn over the plane, at most one in each square cell.

    Parameters
    ----------
    cell : float
        Side of a cell; no dot leaves its own.
    radius : float
        Of the largest dot, below ``cell / 4``.
    share : float
        Of the cells that have a dot.
    salt : torch.Tensor
        Another number gives other dots.
    """
    x, y = x / cell + salt, y / cell + salt
    column, row = x.floor(), y.floor()
    # Numbers that look like chance from a cell's place, without sines: after D. Hoskins, "Hash
    # without Sine", 2014.
    a, b = (_fraction(row * 0.1031), _fraction(column * 0.103))
    c = _fraction(row * 0.0973)
    stir = a * (b + 33.33) + b * (c + 33.33) + c * (a + 33.33)
    a, b, c = a + stir, b + stir, c + stir
    px, py, chance = (_fraction(v) for v in ((a + b) * c, (a + c) * b, (b + c) * a))
    size = radius * (0.5 + 0.5 * _fraction(chance * 7))
    dot = circle(x - column - 0.25 - 0.5 * px, y - row - 0.25 - 0.5 * py, 0) * cell - size
    return torch.where(chance < share, dot, cell)


def _fraction(value):
    return value - value.floor()


def union(*shapes, smooth=0.0):
    """Return the union of shapes, with corners filled over a distance of ``smooth``."""
    first, *others = shapes
    for other in others:
        nearest = torch.minimum(first, other)
        if smooth:
            fill = (smooth - (first - other).abs()).clamp(min=0)
            nearest = nearest - fill * fill / (4 * smooth)
        first = nearest
    return first


def both(*shapes, smooth=0.0):
    """Return what is inside all of the shapes, with corners rounded over ``smooth``."""
    return -union(*(-shape for shape in shapes), smooth=smooth)


def turned(x, y, sine):
    """Return coordinates in which a shape appears turned, clockwise for a positive ``sine``."""
    cosine = math.sqrt(1 - sine * sine)
    return cosine * x + sine * y, cosine * y - sine * x


def cover(distance, pixel):
    """Return how much of a pixel a shape covers, from the distance at the pixel's centre.

    Parameters
    ----------
    distance : torch.Tensor
    pixel : torch.Tensor or float
        The width of a pixel in the unit of the distance.

    Returns
    -------
    torch.Tensor in [0, 1]
        1/2 on a straight edge, and 0.009 from the exact area (root mean square over distances and
        directions): of all smoothsteps, the one 1.3 pixels wide comes nearest.
    """
    return soft(distance, 1.3 * pixel)


def soft(distance, width):
    """Return a smoothstep from 1, ``width / 2`` inside the edge, to 0, as far outside."""
    t = (0.5 - distance / width).clamp_(0, 1)
    return t * t * (3 - 2 * t)
