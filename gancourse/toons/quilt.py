"""Scenes as quilts: in place of its colour, each class of a scene has a patterned fabric.

The fabrics of a group have one mean colour: sky, cloud and lake; hill, meadow and tree; wall, roof
and road. What tells two of them apart is the pattern alone. The sun and the windows are plain.
Each part has a phase of its own, which depends on the scene and not on its season or time of day;
these choose the colours of the groups.

As in :mod:`gancourse.toons.shapes`, only operations that are rounded exactly are used.
"""

import torch

from gancourse.toons.scene_look import SCENE_PARTS, SKY
from gancourse.toons.scene_look import start as start_plain
from gancourse.toons.shapes import circle, cover
from gancourse.toons.sheet import Sheet

# A thread is a pixel in pictures of up to so many pixels a side; in larger ones it is as large as
# in these.
COARSEST = 64
CONTRAST = 0.26  # by which share of a light mean colour a pattern is lighter and darker


class Quilt(Sheet):
    """A sheet on which a shape gets the fabric of its part; see the module."""

    def paint(self, shape, colour, part, *, line=None, width=0.0):
        """Fill a shape with the fabric of ``part``, whatever its colour."""
        half = 0.0 if line is None else width / 2
        self._blend(fabric(self, part), cover(shape - half, self.pixel))


def start(medium, factors, size):
    """Return an empty sheet for the painters of scenes, for a quilt or for any other medium."""
    if medium != "quilt":
        return start_plain(medium, factors, size)
    s = start_plain("colour", factors, size)
    values = s.values | {
        "air": s.sky_middle * 0.76,
        "land": s.meadow_tone * 0.76,
        "built": s.brick,
        "fine": torch.full_like(s.pixel, min(size, COARSEST) / size),  # a pixel, in threads
        "thread": torch.full_like(s.pixel, 2 / min(size, COARSEST)),
    }
    quilt = Quilt(medium, s.pixels, s.planes, values, s.window)
    quilt.pixels.copy_(fabric(quilt, SKY))
    return quilt


def fabric(s, part):
    """Return the colours of a part's fabric, (N, 3, H, W)."""
    name = SCENE_PARTS[part].split()[0]
    if name == "sun":
        return s.sun_tone
    if name == "window":
        return s.glass
    group, weave, tint = FABRICS[name]
    light = weave(s, *_phases(s, part))  # 1 where it is lighter than the mean, 0 where darker
    mean = getattr(s, group)
    depth = CONTRAST * torch.tensor(tint, device=light.device).view(1, 3, 1, 1)
    return mean + depth * (0.15 + 0.85 * mean) * (2 * light - 1)


def _phases(s, part):
    """Return coordinates in threads, shifted at random for each part."""
    shift_x, shift_y = (_fraction(s.salt * by + part * 0.618) for by in (0.7311, 0.5479))
    return s.x / s.thread + 16 * shift_x, s.y / s.thread + 16 * shift_y


def _fraction(value):
    return value - value.floor()


def _wave(t):
    """Return a triangle wave of period 1, from 0 to 1/2."""
    return (_fraction(t) - 0.5).abs()


def _stripes(s, t, period):
    """Return stripes across ``t``, a coordinate in threads: 1 where light, 0 where dark."""
    return cover((_wave(t / period) - 0.25) * period, s.fine)


def _sky(s, x, y):
    return _stripes(s, y, 4)


def _dots(s, x, y, period, radius):
    """Return dark dots in staggered rows."""
    row = (y / period).floor()
    x = x / period + 0.5 * row
    dot = circle(_fraction(x) - 0.5, _fraction(y / period) - 0.5, radius) * period
    return 1 - cover(dot, s.fine)


def _cloud(s, x, y):
    return cover((_wave(x / 5) + _wave(y / 5) - 0.5) * 3.5, s.fine)


def _hill(s, x, y):
    return _stripes(s, (x + y) * 0.7071, 4)


def _meadow(s, x, y):
    return _stripes(s, y + 8 * _wave(x / 8), 5.5)


def _lake(s, x, y):
    crest = _wave(x / 12)
    return _stripes(s, y + 16 * crest * crest, 6)


def _road(s, x, y):
    return _dots(s, x, y, 3.4, 0.4)


def _wall(s, x, y):
    row = (y / 4).floor()
    gap = torch.minimum(_wave(y / 4 + 0.5) * 4, _wave(x / 7 + 0.5 * row) * 7)
    return 1 - cover(0.95 - gap, s.fine)


def _roof(s, x, y):
    return _stripes(s, x, 4)


def _tree(s, x, y):
    return _dots(s, x, y, 5, 0.4)


# For each class the group, whose mean colour it has, the pattern, and the contrast of red, green
# and blue.
FABRICS = {
    "sky": ("air", _sky, (0.8, 0.7, 0.5)),
    "cloud": ("air", _cloud, (1.3, 1.0, 0.8)),
    "lake": ("air", _lake, (1.3, 1.0, 0.8)),
    "hill": ("land", _hill, (0.8, 0.8, 0.8)),
    "meadow": ("land", _meadow, (1.0, 0.8, 1.2)),
    "tree": ("land", _tree, (1.3, 1.0, 1.0)),
    "wall": ("built", _wall, (0.9, 1.0, 1.0)),
    "roof": ("built", _roof, (0.9, 1.1, 1.1)),
    "road": ("built", _road, (0.8, 0.9, 1.0)),
}
