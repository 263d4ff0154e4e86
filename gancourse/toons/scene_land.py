"""Painters of the sky, the sun or moon, clouds, hills, the meadow, the lake and the road."""

import torch

from gancourse.toons.look import mix, per
from gancourse.toons.scene_look import CLOUDS, HILL, LAKE, MEADOW, ROAD, SUN
from gancourse.toons.shapes import (
    both,
    circle,
    cover,
    dots,
    ellipse,
    scatter,
    soft,
)

LINE = 0.022  # the width of a line in the sketch


def sky(s):
    """Paint a gradient of three colours, the glow around the sun, and the stars at night."""
    if s.medium != "colour":
        return
    t = ((s.y[..., :1] + 1) / (s.horizon + 1)).clamp(0, 1)
    high = mix(s.sky_top, s.sky_middle, (t / 0.55).clamp(max=1))
    s.pixels.copy_(mix(high, s.sky_low, ((t - 0.45) / 0.55).clamp(min=0)))
    away = circle(s.x - s.sun_x, s.y - s.sun_y, 0)
    for width, strength in ((1.7, (0.35, 0.6, 0.25)), (0.75, (0.5, 0.55, 0.4))):
        s.shade(per(s.time, *strength) * soft(away, 2 * width).square(), s.sun_glow)
    s.draw(_stars, where=s.time == 2)


def _stars(s):
    y = s.y[:, :, : s.y.shape[2] * 5 // 8]
    x = s.x[:, :, : s.x.shape[2] * 5 // 8]
    fade = soft(y + 0.1, 0.7)
    stars = scatter(x, y, 0.17, 0.017, 0.75, s.salt)
    part = s.pixels[:, :, : x.shape[2]]
    part += (mix(1.0, s.sky_low, 0.1) - part) * (cover(stars, s.pixel) * fade * 0.95)


def sun(s):
    """Paint the sun, or at night the full moon."""
    x, y = (s.x - s.sun_x) / s.sun_size, (s.y - s.sun_y) / s.sun_size
    disc = (circle(x, y, 1)) * s.sun_size
    s.paint(disc, s.sun_tone, SUN, line=s.sun_tone, width=LINE)
    if s.medium == "colour":
        seas = [(-0.3, -0.25, 0.3), (0.35, 0.2, 0.22), (-0.2, 0.45, 0.16), (0.3, -0.5, 0.12)]
        dark = mix(s.sun_tone, s.sky_middle, 0.32)
        s.shade(0.75 * s.night * cover(dots(x, y, seas) * s.sun_size, s.pixel), dark)


def cloud(s, k):
    """Paint one cloud: round above, flat below."""
    size = s.cloud_size[:, k : k + 1]
    x, y = (s.x - s.cloud_x[:, k : k + 1]) / size, (s.y - s.cloud_y[:, k : k + 1]) / size
    puffs = [(-0.2, 0.0, 0.085), (-0.09, -0.05, 0.12), (0.06, -0.07, 0.14), (0.2, -0.01, 0.095)]
    shape = both(dots(x, y, puffs, smooth=0.04), y - 0.055, smooth=0.05) * size
    colour = mix(s.cloud_top, s.cloud_low, ((y + 0.14) / 0.2).clamp(0, 1))
    s.paint(shape, mix(colour, s.sky_middle, 0.1), CLOUDS[k], line=colour, width=LINE)


def _bump(x, centre, width):
    """Return a smooth hill of height 1 along the columns, (N, 1, 1, W)."""
    t = (x - centre) / width
    return 1 / (1 + t * t)


def _fall(heights, step, dim):
    """Return the cosine of a curve's angle: a height above the curve times it is a distance."""
    count = heights.shape[dim]
    here = torch.arange(count, device=heights.device)
    before, after = (here - 1).clamp(min=0), (here + 1).clamp(max=count - 1)
    run = step * (after - before).view(-1, 1) if dim == 2 else step * (after - before)
    slope = (heights.index_select(dim, after) - heights.index_select(dim, before)) / run
    return 1 / (1 + slope * slope).sqrt()


def _peak(x, centre, height, steep):
    return height - steep * (x - centre).abs()


def hills(s):
    """Paint two ranges of hills, the farther one paler; high peaks have snow."""
    x, y = s.x[:, :, :1], s.y[..., :1]
    a, b, c, d = s.bumps.unbind(1)
    a, b, c, d = (each[:, None] for each in (a, b, c, d))
    rolling = 0.2 * _bump(x, -0.6 + 0.2 * a, 0.34) + 0.26 * _bump(x, 0.25 + 0.3 * b, 0.4)
    rolling = rolling + 0.12 * _bump(x, 0.85 + 0.1 * c, 0.3)
    high = torch.maximum(
        _peak(x, -0.45 + 0.2 * a, 0.55 + 0.06 * b, 1.05),
        _peak(x, 0.42 + 0.2 * c, 0.47 + 0.07 * d, 0.95),
    )
    high = torch.maximum(high, _peak(x, 0.02 + 0.15 * d, 0.34, 0.8))
    high = torch.maximum(high, 0.08 + 0.04 * _bump(x, b, 0.5))
    ridge = 0.24 + 0.1 * d * x + 0.06 * _bump(x, 0.6 * a, 0.25) + 0.05 * _bump(x, c, 0.2)
    kind = s.hills.view(-1, 1, 1, 1)
    far = s.horizon - torch.where(kind == 0, rolling, torch.where(kind == 1, high, ridge))
    fall = _fall(far, s.pixel, 3)
    shape = (far - y) * fall
    colour = mix(s.far_hill, s.sky_low, ((y + 0.15) / 0.5).clamp(0, 0.55))
    s.paint(shape, colour, HILL, line=colour, width=LINE)
    if s.medium == "colour":
        notch = ((x * 5.3 + d - (x * 5.3 + d).floor()) - 0.5).abs() * 0.16
        notch = notch + ((x * 8.7 + a - (x * 8.7 + a).floor()) - 0.5).abs() * 0.07
        white = both(shape, (y + 0.24 + 0.03 * b + notch) * 0.75)
        s.shade((kind == 1) * 0.9 * cover(white, s.pixel), s.cap)
    near = 0.09 * _bump(x, -0.9 + 0.4 * c, 0.45) + 0.13 * _bump(x, 0.75 + 0.3 * a, 0.42)
    near = s.horizon - 0.02 - near - 0.03 * _bump(x, 0.5 * b, 0.3)
    colour = mix(s.near_hill, s.far_meadow, ((y + 0.05) / 0.3).clamp(0, 0.6))
    s.paint((near - y) * _fall(near, s.pixel, 3), colour, HILL, line=colour, width=LINE)


def meadow(s):
    """Paint the ground in two waves, with flowers, leaves or snow glitter, by season."""
    x, y = s.x[:, :, :1], s.y[..., :1]
    a, b, c, _ = (each[:, None] for each in s.bumps.unbind(1))
    edge = s.horizon + 0.035 * b * x - 0.03 * _bump(x, 0.5 * c, 0.6)
    t = ((y - s.horizon) / 0.5).clamp(0, 1)
    colour = mix(s.far_meadow, s.meadow_tone, t)
    s.paint((edge - y) * _fall(edge, s.pixel, 3), colour, MEADOW, line=colour, width=LINE)
    if s.medium == "colour":
        near = 0.68 - 0.12 * _bump(x, -0.7 + 0.5 * a, 0.5) - 0.08 * _bump(x, 0.8 + 0.2 * b, 0.4)
        front = cover((near - y) * _fall(near, s.pixel, 3), s.pixel)
        s.shade(front, mix(s.meadow_tone, s.near_meadow, ((y - 0.45) / 0.5).clamp(0, 1)))
        specks = scatter(s.x, s.y, 0.15, 0.016, 0.55, s.salt)
        s.shade(0.85 * cover(specks, s.pixel) * soft(0.5 - y, 0.3), s.petal)


def lake(s):
    """Paint a lake that reflects the sky and the light of the sun."""
    x, y = s.x - s.lake_x, s.y - 0.62
    shape = ellipse(x + 0.25 * y, y, 0.4 * s.lake_size, 0.095 * s.lake_size)
    shore = mix(s.road_tone, s.near_meadow, 0.5)
    s.paint(shape - 0.014, mix(shore, s.lake_tone, 0.15), LAKE, line=shore, width=LINE)
    t = ((y + 0.1) / 0.2).clamp(0, 1)
    water = mix(mix(s.sky_low, s.sky_middle, t), s.lake_tone, mix(0.3, 0.7, s.winter))
    if s.medium == "colour":
        inside = cover(shape, s.pixel)
        s.shade(inside, water)
        streak = ((s.y * 26 - (s.y * 26).floor()) - 0.5).abs() * 4 - 0.6
        glint = soft((s.x - mix(s.lake_x, s.sun_x, 0.4)).abs() - 0.1, 0.3)
        s.shade(inside * streak.clamp(0, 1) * (0.1 + 0.4 * glint), s.sun_glow)


def road(s):
    """Paint a road that leads to the horizon."""
    y = s.y[..., :1]
    t = ((y - s.horizon) / (1 - s.horizon)).clamp(0, 1)
    u = t * (1 - t)
    curved, winding = 1.6 * u, 5.0 * u * (0.55 - t)
    kind = s.road.view(-1, 1, 1, 1)
    bend = torch.where(kind == 2, curved, torch.where(kind == 3, winding, 0 * u))
    middle = mix(s.road_far, s.road_near, t) + s.road_bend * bend
    half = 0.022 + 0.2 * t * (0.25 + 0.75 * t)
    fall = _fall(middle, s.pixel, 2)
    shape = torch.maximum(((s.x - middle).abs() - half) * fall, s.horizon + 0.005 - s.y)
    edge = mix(s.road_tone, s.near_meadow, 0.4)
    s.paint(shape, edge, ROAD, line=edge, width=LINE)
    if s.medium == "colour":
        s.shade(cover(shape + 0.02 * t + 0.012, s.pixel), s.road_tone)
        track = ((s.x - middle).abs() - 0.45 * half).abs() - 0.09 * half
        s.shade(0.16 * cover(track * fall, s.pixel) * t, s.near_meadow)
