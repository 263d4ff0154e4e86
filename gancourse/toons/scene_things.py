"""Painters of houses and trees."""

from functools import partial

import torch

from gancourse.toons.look import mix
from gancourse.toons.scene_factors import SceneFactors
from gancourse.toons.scene_land import LINE
from gancourse.toons.scene_look import ROOFS, TREES, WALLS, WINDOWS
from gancourse.toons.shapes import (
    both,
    box,
    circle,
    cover,
    dots,
    ellipse,
    segment,
    soft,
    union,
)


def _at(s, x, y, size, **values):
    """Return a sheet whose coordinates ``u``, ``v`` have their origin at the foot of a thing."""
    planes = {"u": (s.x - x) / size, "v": (s.y - y) / size, **s.planes}
    # The direction of the sun from here: -1 far to the left, 1 far to the right.
    side = ((s.sun_x - x) * 1.5).clamp(-1, 1)
    values = {
        **s.values, "pixel": s.pixel / size, "line": LINE / size, "sunward": side, **values
    }  # fmt: skip
    return type(s)(s.medium, s.pixels, planes, values)


def _shadow(s, half):
    """Paint the shadow of a thing ``2 * half`` wide, on the side away from the sun."""
    if s.medium == "colour":
        reach = s.shadow_long / 2
        x = s.u + s.sunward * reach
        shape = ellipse(x, s.v - 0.012, half + reach * s.sunward.abs(), 0.05)
        s.shade(s.shadow * soft(shape, 0.06), s.shadow_tone)


def house(s, k):
    """Paint the house number ``k`` + 1."""
    pick = slice(k, k + 1)
    local = _at(
        s,
        s.house_x[:, pick],
        s.house_y[:, pick],
        s.house_size[:, pick],
        wall=s.wall[:, k],
        roof=s.roof[:, k],
    )
    factor = f"house_{k + 1}"
    for name, painter in HOUSES.items():
        where = getattr(s, factor) == SceneFactors.code(factor, name)
        local.draw(partial(painter, k=k), where=where)


def _walls(s, shape, k):
    s.paint(shape, s.wall, WALLS[k], line=s.wall, width=s.line)
    if s.medium == "colour":
        inside = cover(shape - s.line / 2, s.pixel)
        # Darker on the side away from the sun, and towards the ground.
        s.shade(0.3 * inside * soft(s.sunward * s.u + 0.02, 0.5), s.shadow_tone)
        s.shade(0.16 * inside * soft(-s.v - 0.02, 0.1), s.near_meadow)


def _roof(s, shape, k, eaves):
    s.paint(shape, s.roof, ROOFS[k], line=s.roof, width=s.line)
    if s.medium == "colour":
        inside = cover(shape - s.line / 2, s.pixel)
        s.shade(0.28 * inside * soft(s.sunward * s.u + 0.05, 0.5), s.shadow_tone)
        rows = ((s.v * 17 - (s.v * 17).floor()) - 0.5).abs() - 0.4
        s.shade(0.16 * inside * (rows * 10).clamp(0, 1), s.shadow_tone)
        wave = ((s.u * 6.5 - (s.u * 6.5).floor()) - 0.5).square() * 0.16
        snow = both(shape - s.line, s.v - eaves + 0.055 + wave)
        s.shade(s.winter * 0.97 * cover(snow, s.pixel), s.snow)
        s.shade(s.winter * 0.25 * cover(both(snow, s.sunward * s.u + 0.06), s.pixel), s.sky_top)


def _eaves_shadow(s, wall, line):
    """Darken the wall below a roof, given the distance ``line`` below the roof's edge."""
    s.shade(0.3 * cover(wall - s.line / 2, s.pixel) * soft(line, 0.09), s.shadow_tone)


def _windows(s, places, wide, high, k):
    """Paint windows with the given centres, which are lit at dusk and at night."""
    shapes = [box(s.u - x, s.v - y, wide, high, 0.01) for x, y in places]
    if s.medium == "colour":
        for x, y in places:
            s.shade(0.62 * s.lamps * soft(circle(s.u - x, s.v - y, 0.05), 0.26), s.glow)
    shape = union(*shapes)
    frame = mix(s.white, s.wall, 0.1)
    s.paint(shape, frame, WINDOWS[k], line=frame, width=0.6 * s.line)
    if s.medium == "colour":
        pane = cover(shape + 0.012, s.pixel)
        s.shade(pane, s.glass)
        for x, y in places:
            bars = torch.minimum((s.u - x).abs(), (s.v - y).abs()) - 0.005
            bars = torch.maximum(bars, shape)
            s.shade(0.75 * cover(bars, s.pixel), frame)


def _door(s, x, half, high, k):
    shape = union(box(s.u - x, s.v + high / 2, half, high / 2), circle(s.u - x, s.v + high, half))
    shape = both(shape, s.v)
    s.paint(shape, s.door, WINDOWS[k], line=s.door, width=0.6 * s.line)
    if s.medium == "colour":
        s.shade(cover(circle(s.u - x - half * 0.5, s.v + high * 0.5, 0.011), s.pixel), s.glow)
        spill = soft(ellipse(s.u - x, s.v - 0.06, 0.12, 0.04), 0.14)
        s.shade(0.5 * s.lamps * spill * cover(-s.v, s.pixel), s.glow)


def _chimney(s, x, foot, top, k):
    shape = box(s.u - x, s.v - (foot + top) / 2, 0.035, (foot - top) / 2)
    brick = mix(s.roof, s.wall, 0.35)
    s.paint(shape, brick, ROOFS[k], line=brick, width=s.line)
    if s.medium == "colour":
        cap = box(s.u - x, s.v - top, 0.045, 0.014)
        s.shade(cover(cap, s.pixel), mix(mix(brick, s.shadow_tone, 0.3), s.snow, s.winter))
        puffs = [(0.0, -0.07, 0.022), (0.02, -0.12, 0.03), (0.055, -0.18, 0.038)]
        smoke = dots(s.u - x, s.v - top, puffs)
        s.shade(0.6 * s.winter * soft(smoke, 0.06), mix(s.sky_low, s.white, 0.5))


def _cottage(s, k):
    _shadow(s, 0.27)
    _chimney(s, 0.14, -0.3, -0.53, k)
    wall = box(s.u, s.v + 0.13, 0.25, 0.13)
    _walls(s, wall, k)
    _eaves_shadow(s, wall, s.v + 0.24)
    _windows(s, ((-0.15, -0.135), (0.15, -0.135)), 0.055, 0.055, k)
    _door(s, 0.0, 0.045, 0.13, k)
    slope = (s.u.abs() - 0.3 - 0.55 * (s.v + 0.24)) * 0.876
    _roof(s, both(slope, s.v + 0.24, -0.47 - s.v), k, -0.24)


def _townhouse(s, k):
    _shadow(s, 0.2)
    _chimney(s, -0.1, -0.45, -0.66, k)
    gable = (0.9 * s.u.abs() - 0.6 - s.v) * 0.743
    wall = both(box(s.u, s.v + 0.3, 0.18, 0.3), gable + 0.03)
    _walls(s, wall, k)
    _eaves_shadow(s, wall, gable + 0.1)
    _windows(s, ((-0.085, -0.325), (0.085, -0.325), (0.085, -0.13)), 0.05, 0.06, k)
    _door(s, -0.085, 0.045, 0.14, k)
    roof = both(gable, -gable - 0.085, s.u.abs() - 0.235)
    _roof(s, roof, k, -0.37)


def _chalet(s, k):
    _shadow(s, 0.28)
    _chimney(s, 0.13, -0.3, -0.5, k)
    gable = (1.2 * s.u.abs() - 0.5 - s.v) * 0.64
    wall = both(box(s.u, s.v + 0.2, 0.27, 0.2), gable + 0.02)
    _walls(s, wall, k)
    _eaves_shadow(s, wall, gable + 0.12)
    _windows(s, ((-0.12, -0.11), (0.12, -0.11), (0.0, -0.25)), 0.046, 0.05, k)
    _door(s, 0.0, 0.042, 0.12, k)
    roof = both(gable, -gable - 0.085, s.v + 0.07)
    _roof(s, roof, k, -0.12)


HOUSES = {"cottage": _cottage, "townhouse": _townhouse, "chalet": _chalet}


def tree(s, k, kind):
    """Paint the tree in the place number ``k`` + 1: a round tree (1) or a fir (2)."""
    pick = slice(k, k + 1)
    rows = torch.arange(len(s), device=s.pixels.device)
    local = _at(
        s,
        s.tree_x[:, pick],
        s.tree_y[:, pick],
        s.tree_size[:, pick],
        crown=s.crown[rows, s.tree_tone[:, k]],
        crown_shade=s.crown_shade[rows, s.tree_tone[:, k]],
    )
    (_round_tree if kind == 1 else _fir)(local, k)


def _round_tree(s, k):
    _shadow(s, 0.14)
    trunk = segment(s.u, s.v, 0.0, -0.3, 0.0, -0.01, 0.022, 0.034)
    trunk = both(trunk, s.v)
    s.paint(trunk, s.bark, TREES[k], line=s.bark, width=s.line)
    lobes = [(-0.105, -0.31, 0.1), (0.11, -0.31, 0.1), (0.0, -0.25, 0.1), (-0.06, -0.43, 0.12),
             (0.07, -0.42, 0.12)]  # fmt: skip
    crown = dots(s.u, s.v, lobes, smooth=0.03)
    s.paint(crown, s.crown, TREES[k], line=s.crown, width=s.line)
    if s.medium == "colour":
        inside = cover(crown - s.line / 2, s.pixel)
        away = circle(s.u - 0.09 * s.sunward, s.v + 0.43, 0.17)
        s.shade(0.85 * inside * soft(-away, 0.16), s.crown_shade)
        tufts = scatter_lights(s)
        s.shade(0.5 * inside * tufts, mix(s.crown, s.white, 0.45))
        branches = union(
            segment(s.u, s.v, 0.0, -0.2, 0.0, -0.45, 0.018, 0.006),
            segment(s.u, s.v, 0.0, -0.26, -0.11, -0.36, 0.011, 0.005),
            segment(s.u, s.v, 0.0, -0.28, 0.115, -0.37, 0.011, 0.005),
            segment(s.u, s.v, 0.0, -0.36, -0.06, -0.47, 0.009, 0.004),
            segment(s.u, s.v, 0.0, -0.36, 0.07, -0.47, 0.009, 0.004),
        )
        s.shade(0.6 * s.winter * cover(branches, s.pixel), s.bark)


def scatter_lights(s):
    """Return soft spots of light on a crown, on the side towards the sun."""
    x, y = s.u - 0.05 * s.sunward, s.v + 0.43
    spots = [(-0.03, -0.045, 0.02), (0.05, -0.02, 0.016), (-0.08, 0.03, 0.014), (0.01, 0.05, 0.012)]
    return soft(dots(x, y, spots), 0.025)


def _fir(s, k):
    _shadow(s, 0.14)
    trunk = box(s.u, s.v + 0.05, 0.026, 0.05)
    s.paint(trunk, s.bark, TREES[k], line=s.bark, width=s.line)
    for foot, top, half in ((-0.09, -0.38, 0.19), (-0.23, -0.5, 0.155), (-0.37, -0.63, 0.115)):
        lean = half / (foot - top)
        steep = 1 / (1 + lean * lean) ** 0.5
        droop = s.v - foot - 0.03 * (1 - (s.u / half).square())
        tier = both((s.u.abs() - lean * (s.v - top)) * steep, droop, smooth=0.03)
        s.paint(tier, s.fir, TREES[k], line=s.fir, width=s.line)
        if s.medium == "colour":
            inside = cover(tier - s.line / 2, s.pixel)
            s.shade(0.8 * inside * soft(s.sunward * s.u + 0.02, 0.12), s.fir_shade)
            s.shade(0.55 * inside * soft(foot - 0.03 - s.v, 0.09), s.fir_shade)
            wave = ((s.u * 11 - (s.u * 11).floor()) - 0.5).square() * 0.2
            snow = both(tier - s.line, s.v - (foot - 0.085) + wave)
            s.shade(0.95 * s.winter * cover(snow, s.pixel), s.snow)
