"""Painters of clothes, earrings, glasses and hats."""

from gancourse.toons.look import CLOTHES, EARRINGS, GLASSES, HAT, by_kind, mix
from gancourse.toons.shapes import (
    both,
    bow,
    box,
    circle,
    cover,
    ellipse,
    lens,
    segment,
    soft,
    union,
)
from gancourse.toons.sheet import LINE


def hood(s):
    """Paint the part of a hoodie that lies behind the neck."""
    s.paint(ellipse(s.x, s.y - 0.68, 0.34, 0.19), s.cloth_dark, CLOTHES, line=s.cloth_line)


def clothes(s):
    """Paint the clothes on the shoulders."""
    s.paint(_shirt(s), s.cloth_tone, CLOTHES, line=s.cloth_line)
    painters = {
        "tee": _ribbing,
        "stripes": _stripes,
        "collar": _collar,
        "turtleneck": _turtleneck,
        "hoodie": _strings,
    }
    by_kind(s, "clothes", painters)


def _neckline(s):
    return ellipse(s.x, s.y - 0.68, s.neck + 0.07, 0.115)


def _shirt(s):
    return both(ellipse(s.x, s.y - 1.26, s.shoulder, 0.58), -_neckline(s))


def _ribbing(s):
    rim = both(_neckline(s).abs() - 0.03, 0.7 - s.y)
    s.paint(rim, s.trim_tone, CLOTHES, line=s.cloth_line)


def _stripes(s):
    stripe = (((s.y * 10).remainder(1) - 0.5).abs() - 0.25) / 10
    s.paint(both(stripe, _shirt(s) + LINE / 2), s.trim_tone, CLOTHES)
    _ribbing(s)


def _collar(s):
    s.stroke(segment(s.x, s.y, 0.0, 0.86, 0.0, 1.1, 0.01), s.cloth_line, CLOTHES)
    flap = segment(s.x.abs(), s.y, 0.03, 0.86, s.neck + 0.05, 0.72, 0.05)
    s.paint(both(flap, 0.68 - s.y), s.trim_tone, CLOTHES, line=s.cloth_line)


def _turtleneck(s):
    roll = box(s.x, s.y - 0.72, s.neck + 0.045, 0.085, 0.05)
    s.paint(roll, s.cloth_tone, CLOTHES, line=s.cloth_line)
    s.stroke(bow(s.x, s.y - 0.735, s.neck + 0.01, 0.015, 0.009), s.cloth_line, CLOTHES)


def _strings(s):
    x = s.x.abs()
    s.stroke(segment(x, s.y, 0.09, 0.8, 0.1, 0.93, 0.016), s.trim_tone, CLOTHES)
    s.stroke(segment(x, s.y, 0.2, 0.7, 0.05, 0.83, 0.012), s.cloth_line, CLOTHES)


def earrings(s):
    """Paint a golden ball below each ear."""
    drop = circle(s.u.abs() - 0.485, s.v - 0.225, 0.042)
    s.paint(drop, s.gold, EARRINGS, line=s.gold * 0.55, width=0.022)
    s.shade(0.8 * soft(circle(s.u.abs() - 0.475, s.v - 0.212, 0.012), 0.02), s.white)


def glasses(s):
    """Paint round or square glasses, or sunglasses."""
    painters = {"round": _round_glasses, "square": _square_glasses, "sun": _sunglasses}
    by_kind(s, "glasses", painters)


def _at_glasses(s):
    return s.u.abs() - s.eye_x, s.v - s.eye_y - 0.01


def _round_glasses(s):
    x, y = _at_glasses(s)
    _clear(s, circle(x, y, 0.16), 0.017)


def _square_glasses(s):
    x, y = _at_glasses(s)
    _clear(s, box(x, y, 0.165, 0.128, 0.045), 0.019)


def _clear(s, shape, thick):
    if s.medium == "colour":
        s.shade(0.08 * cover(shape, s.pixel), s.white)
        s.shade(0.3 * cover(both(_streak(s), shape + 0.02), s.pixel), s.white)
    _frame(s, shape, thick)


def _sunglasses(s):
    x, y = _at_glasses(s)
    shape = both(ellipse(x, y + 0.02, 0.172, 0.155), -0.105 - y, smooth=0.05)
    s.paint(shape, mix(s.frame_tone * 0.45, s.ink, 0.5), GLASSES)
    if s.medium == "colour":
        s.shade(0.35 * (1 - soft(y - 0.03, 0.2)) * cover(shape, s.pixel), s.frame_tone)
        s.shade(0.3 * cover(both(_streak(s), shape + 0.03), s.pixel), s.white)
    _frame(s, shape, 0.018)


def _streak(s):
    """Return a slanted reflection on each glass, on the same side of both."""
    x, y = _at_glasses(s)
    return (x * s.right + 0.6 * y + 0.03).abs() - 0.022


def _frame(s, shape, thick):
    y = s.v - s.eye_y
    bridge = bow(s.u, y + 0.01, 0.05, -0.02, 0.015)
    arms = segment(s.u.abs(), y, s.eye_x + 0.15, -0.035, 0.47, -0.05, 0.016)
    s.stroke(union(shape.abs() - thick, both(union(bridge, arms), -shape)), s.frame_tone, GLASSES)


def hat(s):
    """Paint a beanie, a cap or a fedora."""
    by_kind(s, "hat", {"beanie": _beanie, "cap": _cap, "fedora": _fedora})


def _gloss(s, x, y, rx, ry, shape):
    if s.medium == "colour":
        light = soft(ellipse(s.u - x, s.v - y, rx, ry), 0.2)
        s.shade(0.5 * light * cover(shape + 0.02, s.pixel), s.hat_light)


def _beanie(s):
    u, v = s.u, s.v
    pompom = circle(u, v + 0.75, 0.1)
    s.paint(pompom, s.hat_light, HAT, line=s.hat_line)
    dome = both(ellipse(u, v + 0.26, 0.525, 0.43), v + 0.24)
    s.paint(dome, s.hat_tone, HAT, line=s.hat_line)
    _gloss(s, -0.2, -0.5, 0.1, 0.1, dome)
    rim = box(u, v + 0.285 + 0.12 * u * u, 0.545, 0.085, 0.07)
    s.paint(rim, s.hat_dark, HAT, line=s.hat_line)
    ribs = ((u * 7).remainder(1) - 0.5).abs() / 7 - 0.006
    s.stroke(both(ribs, rim + 0.03), s.hat_line, HAT)


def _cap(s):
    u, v = s.u, s.v
    s.paint(ellipse(u, v + 0.68, 0.05, 0.03), s.hat_dark, HAT, line=s.hat_line)
    dome = both(ellipse(u, v + 0.22, 0.53, 0.45), v + 0.2)
    s.paint(dome, s.hat_tone, HAT, line=s.hat_line)
    seams = union(bow(v + 0.44, u.abs() - 0.19, 0.24, 0.12, 0.007), u.abs() - 0.007)
    s.stroke(both(seams, dome + 0.014), s.hat_line, HAT)
    _gloss(s, -0.28, -0.44, 0.1, 0.12, dome)
    s.paint(circle(u, v + 0.45, 0.1), s.hat_light, HAT, line=s.hat_line, width=0.022)
    visor = lens(u, v + 0.27 - 0.2 * u * u, 0.53, 0.09, 0.07) - 0.012
    s.paint(visor, s.hat_dark, HAT, line=s.hat_line)


def _fedora(s):
    u, v = s.u, s.v
    crown = union(
        box(u.abs() - 0.15, v + 0.49, 0.24, 0.25, 0.17),
        box(u, v + 0.4, 0.42, 0.2, 0.05),
        smooth=0.08,
    )
    s.paint(crown, s.hat_tone, HAT, line=s.hat_line)
    _gloss(s, -0.2, -0.58, 0.06, 0.1, crown)
    band = both(crown + 0.01, (v + 0.35 + 0.1 * u * u).abs() - 0.055)
    s.paint(band, mix(s.hat_line, s.ink, 0.3), HAT)
    brim = lens(u, v + 0.235, 0.74, 0.08, 0.065) - 0.012
    s.paint(brim, s.hat_tone, HAT, line=s.hat_line)
    if s.medium == "colour":
        s.shade(0.4 * (1 - soft(v + 0.2, 0.05)) * cover(brim + 0.014, s.pixel), s.hat_dark)
