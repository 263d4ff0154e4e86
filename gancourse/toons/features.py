"""Painters of the background, the neck, the head and its features."""

from gancourse.toons.factors import code
from gancourse.toons.look import (
    BROWS,
    EARS,
    EYES,
    FACE,
    MOUTH,
    NECK,
    NOSE,
    by_kind,
    mix,
)
from gancourse.toons.shapes import (
    both,
    bow,
    box,
    circle,
    cover,
    dots,
    ellipse,
    lens,
    segment,
    soft,
    turned,
    union,
)


def ground(s):
    """Paint a pastel background with a soft light behind the head."""
    if s.medium == "colour":
        glow = soft(circle(s.x, s.y + 0.1, 0.72), 1.4)
        s.pixels.copy_(mix(s.ground_tone, mix(s.ground_tone, s.white, 0.65), glow))


def neck(s):
    """Paint the neck, darker under the chin."""
    shape = box(s.x, s.y - 0.6, s.neck, 0.28, 0.05)
    s.paint(shape, s.skin_tone, NECK, line=s.skin_line)
    s.shade(0.6 * soft(s.y - 0.65, 0.16) * cover(shape, s.pixel), s.skin_shade)


def ears(s):
    """Paint both ears."""
    x, y = s.u.abs() - 0.455, s.v - 0.07
    s.paint(ellipse(x, y, 0.085, 0.115), s.skin_tone, EARS, line=s.skin_line)
    s.shade(0.6 * soft(ellipse(x - 0.005, y, 0.04, 0.07), 0.05), s.skin_shade)


def head(s):
    """Paint the face, with shading that rounds it and blush on the cheeks."""
    s.paint(s.head, s.skin_tone, FACE, line=s.skin_line)
    if s.medium == "colour":
        inside = cover(s.head, s.pixel)
        s.shade(0.45 * inside * soft(0.5 - circle(s.u + 0.1, s.v + 0.08, 0), 0.3), s.skin_shade)
        shine = soft(ellipse(s.u + 0.17, s.v + 0.37, 0.07, 0.045), 0.12)
        s.shade(0.55 * shine * inside, s.skin_light)
        cheek = soft(ellipse(s.u.abs() - 0.29, s.v - 0.225, 0.08, 0.06), 0.1)
        s.shade(mix(0.32, 0.52, s.feminine) * cheek * inside, s.blush_tone)


def freckles(s):
    """Paint freckles on the cheeks."""
    spots = [(-0.06, 0.01, 0.017), (0, -0.018, 0.017), (0.055, 0.015, 0.017), (0, 0.04, 0.017)]
    shape = dots(s.u.abs() - 0.285, s.v - 0.2, spots)
    s.stroke(shape, mix(s.skin_line, s.blush_tone, 0.25), None)


def wrinkles(s):
    """Paint the wrinkles of an old face: on the forehead, around the eyes, beside the nose."""
    x = s.u.abs()
    lines = union(
        bow(s.u, s.v + 0.3, 0.17, -0.02, 0.011, 0.7),
        bow(s.u, s.v + 0.235, 0.14, -0.018, 0.011, 0.7),
        segment(x, s.v, 0.355, 0.03, 0.405, 0.0, 0.008),
        segment(x, s.v, 0.355, 0.06, 0.41, 0.065, 0.008),
        bow(x - 0.2, s.v - 0.165, 0.085, 0.03, 0.011, 0.7),
        segment(x, s.v, 0.115, 0.23, 0.195, 0.32, 0.013, 0.008),
    )
    s.stroke(lines, mix(s.skin_line, s.skin_tone, 0.15), None)


def nose(s):
    """Paint the nose of each face."""
    by_kind(s, "nose", {"button": _button_nose, "round": _round_nose, "long": _long_nose})


def _at_nose(s):
    return s.u / s.nose_size, (s.v - s.nose_y) / s.nose_size


def _button_nose(s):
    x, y = _at_nose(s)
    s.paint(ellipse(x, y, 0.047, 0.036), mix(s.skin_tone, s.blush_tone, 0.35), NOSE)
    s.stroke(bow(x, y - 0.018, 0.042, 0.022, 0.012, 0.5), s.skin_line, NOSE)


def _round_nose(s):
    x, y = _at_nose(s)
    flesh = mix(s.skin_tone, s.blush_tone, 0.3)
    s.paint(circle(x, y, 0.062), flesh, NOSE, line=s.skin_line, width=0.02)
    s.shade(0.6 * soft(circle(x + 0.02, y + 0.022, 0.02), 0.03), s.skin_light)


def _long_nose(s):
    x, y = _at_nose(s)
    x = x * s.swap
    flesh = mix(s.skin_tone, s.blush_tone, 0.2)
    s.paint(segment(x, y, -0.005, -0.1, 0.02, 0.02, 0.018, 0.04), flesh, NOSE)
    ridge = segment(x, y, 0.018, -0.1, 0.05, 0.015, 0.009)
    tip = bow(x - 0.01, y - 0.03, 0.045, 0.022, 0.011, 0.4)
    s.stroke(union(ridge, tip), s.skin_line, NOSE)


def eyes(s):
    """Paint open eyes, or the two arches of a laugh."""
    laughing = s.expression == code("expression", "laugh")
    s.draw(_laughing_eyes, where=laughing)
    s.draw(_open_eyes, where=~laughing)


def _open_eyes(s):
    x, y = s.u.abs() - s.eye_x, s.v - s.eye_y
    lid = y - s.lid_slope * x * (y < 0)
    white = lens(x, lid, s.eye_wide, s.eye_top, s.eye_low)
    s.paint(white, s.white, EYES)
    s.shade(0.3 * soft(y + s.eye_top * 0.55, 0.06) * cover(white, s.pixel), s.skin_shade)
    # x is mirrored, x_iris is not: both eyes look the same way, and the light is on one side.
    x_iris, y_iris = x * s.right - s.gaze, y - 0.004
    big = s.eye_wide * 0.7
    iris = both(circle(x_iris, y_iris, big), white)
    s.paint(iris, s.eye_tone, EYES, line=s.eye_tone * 0.45, width=0.016)
    s.stroke(both(circle(x_iris, y_iris, big * 0.52), white), s.ink, EYES)
    for dx, dy, radius, alpha in ((-0.32, -0.38, 0.32, 1.0), (0.38, 0.4, 0.17, 0.7)):
        spark = circle(x_iris - big * dx, y_iris - big * dy, big * radius)
        s.shade(alpha * cover(both(spark, white), s.pixel), s.white)
    s.stroke(bow(x, y, s.eye_wide * 0.85, s.eye_low * 0.95, 0.006, 0.6), s.skin_line, EYES)
    upper = bow(x, lid, s.eye_wide, -s.eye_top, mix(0.015, 0.021, s.feminine), 0.35)
    s.stroke(union(upper, _lashes(s, x, lid)), s.ink, EYES)


def _laughing_eyes(s):
    x, y = s.u.abs() - s.eye_x, s.v - s.eye_y - 0.02
    arch = bow(x, y, s.eye_wide * 0.92, -s.eye_top * 0.75, 0.021, 0.25)
    s.stroke(union(arch, _lashes(s, x, y + 0.01)), s.ink, EYES)


def _lashes(s, x, y):
    w, t, thin = s.eye_wide, s.eye_top, s.lash * 0.6
    return union(
        segment(x, y, w * 0.95, -0.005, w + 0.05, -0.035, s.lash, thin),
        segment(x, y, w * 0.78, -t * 0.45, w * 0.78 + 0.055, -t * 0.45 - 0.045, s.lash, thin),
    )


def brows(s):
    """Paint both brows."""
    x = s.u.abs() - s.eye_x - 0.005
    y = s.v - s.brow_y - s.brow_slope * x
    s.stroke(bow(x, y, 0.115, s.brow_bend, s.brow_thick, 0.45), s.brow_tone, BROWS)


def mouth(s):
    """Paint the mouth, whose shape depends on the expression."""
    painters = {
        "neutral": _closed,
        "smile": _closed,
        "laugh": _laugh,
        "sad": _closed,
        "surprised": _surprised,
        "angry": _clenched,
    }
    by_kind(s, "expression", painters)


def _rim(s):
    return mix(s.mouth_line, s.lip_tone, s.feminine)


def _closed(s):
    half = s.mouth_wide * s.mouth_half
    x, y = s.u, s.v - s.mouth_y + 0.5 * s.mouth_bend
    s.draw(_lips, where=s.feminine.view(-1) > 0)
    line = bow(x, y, half, s.mouth_bend, 0.016, 0.3)
    # Only a smile has dimples: a negative radius, as the other expressions have, paints nothing.
    dimple = bow(*turned(x.abs() - half, y, 0.75), 0.028, -0.008, s.dimple)
    s.stroke(union(line, dimple), s.mouth_line, MOUTH)


def _lips(s):
    half = s.mouth_wide * s.mouth_half * 0.85
    t = (s.u / half).clamp(-1, 1)
    y = s.v - s.mouth_y + s.mouth_bend * (0.72 * t * t - 0.5)
    s.paint(lens(s.u, y, half, 0.032, 0.045), s.lip_tone, MOUTH)


def _laugh(s):
    x, y = s.u, s.v - s.mouth_y + 0.045
    gap = lens(x, y, s.mouth_half * s.mouth_wide, -0.01, 0.155)
    s.paint(gap, s.gap, MOUTH, line=_rim(s), width=0.03)
    s.paint(both(gap + 0.012, y - 0.042), s.white, MOUTH)
    s.paint(both(gap + 0.012, ellipse(x, y - 0.145, 0.09, 0.055)), s.tongue, MOUTH)


def _surprised(s):
    x, y = s.u, s.v - s.mouth_y - 0.01
    gap = ellipse(x, y, s.mouth_half * s.mouth_wide, 0.085)
    s.paint(gap, s.gap, MOUTH, line=_rim(s), width=0.03)
    s.paint(both(gap + 0.012, ellipse(x, y - 0.075, 0.045, 0.04)), s.tongue, MOUTH)


def _clenched(s):
    half = s.mouth_half * s.mouth_wide
    t = (s.u / half).clamp(-1.2, 1.2)
    x, y = s.u, s.v - s.mouth_y - 0.035 * (t * t - 0.5)
    gap = box(x, y, half, 0.05, 0.035)
    s.paint(gap, s.white, MOUTH, line=_rim(s), width=0.03)
    grid = union(y.abs() - 0.005, (x.abs() - half * 0.42).abs() - 0.005)
    s.stroke(both(grid, gap + 0.01), _rim(s), MOUTH)
