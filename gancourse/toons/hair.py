"""Painters of hair and beards.

Hair is painted in two passes: hair behind the head before the body, hair on the head after the
face.
"""

import torch

from gancourse.toons.look import BEARD, HAIR, by_kind, mix
from gancourse.toons.shapes import (
    both,
    bow,
    box,
    circle,
    cover,
    dots,
    ellipse,
    segment,
    soft,
    turned,
    union,
)
from gancourse.toons.sheet import LINE

EAR = 0.04  # the height v down to which the hair beside the face reaches in short styles


def hair_behind(s):
    """Paint the hair behind the head and the shoulders."""
    painters = {
        "curly": _curly_behind,
        "afro": _afro_behind,
        "bun": _bun_behind,
        "ponytail": _ponytail_behind,
        "pigtails": _pigtails_behind,
        "bob": _bob_behind,
        "long": _long_behind,
    }
    by_kind(s, "hair", painters)


def hair(s):
    """Paint the hair on the head."""
    painters = {
        "buzz": _buzz,
        "mohawk": _mohawk,
        "short": _short,
        "side part": _side_part,
        "curly": _curly,
        "afro": _afro,
        "bun": _bun,
        "ponytail": _ponytail,
        "pigtails": _pigtails,
        "bob": _bob,
        "long": _long,
    }
    by_kind(s, "hair", painters)


def beard(s):
    """Paint a moustache, a goatee or a full beard."""
    by_kind(s, "beard", {"moustache": _moustache, "goatee": _goatee, "full": _full_beard})


def _behind(s, shape, beside=0.64):
    s.paint(_under_hat(s, shape, beside), s.hair_shade, HAIR, line=s.hair_line)


def _front(s, shape, low=EAR, shine=True):
    shape = _under_hat(s, shape)
    _shadow(s, shape, low)
    s.paint(shape, s.hair_tone, HAIR, line=s.hair_line)
    if shine:
        x, y = turned(s.u * s.swap + 0.2, s.v + 0.42, -0.35)
        _shine(s, bow(x, y, 0.13, -0.02, 0.02, 0.7), shape)


def _shadow(s, shape, low):
    """Darken the skin beside hair that reaches down to ``low``."""
    if s.medium == "colour":
        shadow = soft(shape - 0.045, 0.07) * soft(s.v - low + 0.1, 0.1) * cover(s.head, s.pixel)
        s.shade(0.4 * shadow, s.skin_shade)


def _shine(s, light, shape, alpha=0.55):
    if s.medium == "colour":
        s.shade(alpha * soft(light, 0.05) * cover(shape + 0.02, s.pixel), s.hair_light)


def _under_hat(s, shape, beside=0.64):
    """Cut off the hair that a hat hides: all above its edge, and what lies beyond ``beside``."""
    room = both(-0.22 - s.v, ellipse(s.u, (s.v - 0.12).clamp(max=0), beside, 0.62))
    return torch.maximum(shape, room - 9 * (1 - s.has_hat))


def _cap(s, off):
    """Return the shape of the head, larger by ``off`` and the hair's volume."""
    return s.head - off - 0.012 * s.volume


def _free(s, top, wide=0.405, bottom=0.62):
    """Return the oval part of the face that hair does not cover if it is combed back."""
    return ellipse(s.u, s.v - (top + bottom) / 2, wide, (bottom - top) / 2)


def _parted(s, wide=0.40, bottom=0.62):
    """Return the part of the face that hair does not cover if it is parted in the middle."""
    arches = ellipse(s.u.abs() - 0.13, s.v - 0.12, 0.27, 0.42)
    return union(arches, _free(s, -0.05, wide, bottom), smooth=0.05)


def _tie(s, x, y):
    s.paint(box(x, y, 0.05, 0.03, 0.025), s.hat_tone, HAIR, line=s.hat_line, width=0.02)


def _buzz(s):
    shape = both(s.head - 0.015, -_free(s, -0.29), s.v - 0.03, smooth=0.03)
    shape = _under_hat(s, shape)
    line = mix(s.hair_line, s.skin_line, 0.2)
    s.paint(shape, mix(s.hair_tone, s.skin_tone, 0.3), HAIR, line=line)
    x, y = turned(s.u * s.swap + 0.2, s.v + 0.42, -0.35)
    _shine(s, bow(x, y, 0.11, -0.02, 0.015, 0.7), shape, 0.3)


def _mohawk(s):
    sides = _under_hat(s, both(s.head - 0.008, -_free(s, -0.3), s.v - 0.01, smooth=0.03))
    s.paint(sides, mix(s.skin_tone, s.hair_tone, 0.4), HAIR)
    grow = 1 + 0.06 * s.volume
    x, y = s.u / grow, (s.v + 0.3) / grow
    tips = ((-0.27, -0.2), (-0.2, -0.38), (-0.07, -0.5), (0.07, -0.5), (0.2, -0.38), (0.27, -0.2))
    spikes = [segment(x, y, 0.3 * tx, 0.3 * ty, tx, ty, 0.1, 0.012) for tx, ty in tips]
    crest = union(ellipse(x, y + 0.16, 0.14, 0.22), *spikes, smooth=0.025)
    _front(s, crest, low=-0.2, shine=False)
    _shine(s, segment(x, y, -0.06, -0.1, -0.07, -0.3, 0.02, 0.005), _under_hat(s, crest))


def _short(s):
    u, v = s.u * s.swap, s.v
    rim = both(_cap(s, 0.05), -_free(s, -0.27), s.v - EAR, smooth=0.04)
    tufts = [
        segment(u, v, x, y, x + dx, y + dy, 0.13, 0.03)
        for x, y, dx, dy in (
            (-0.29, -0.36, -0.02, -0.17),
            (-0.13, -0.44, 0.07, -0.2),
            (0.07, -0.45, 0.12, -0.19),
            (0.25, -0.38, 0.16, -0.14),
        )
    ]
    top = both(union(*tufts, smooth=0.04), -_free(s, -0.27))
    _front(s, union(rim, top, smooth=0.03))


def _side_part(s):
    u, v = s.u * s.swap, s.v
    free = union(_free(s, -0.13), ellipse(u + 0.12, v, 0.33, 0.36), smooth=0.08)
    cap = _cap(s, 0.065)
    _front(s, both(cap, -free, v - EAR, smooth=0.04))
    parting = bow(*turned(u + 0.2, v + 0.44, -0.9), 0.1, 0.01, 0.008)
    s.stroke(both(parting, v + 0.34, _under_hat(s, cap)), s.hair_line, HAIR)


def _curly_behind(s):
    _behind(s, dots(s.u.abs(), s.v, [(0.53, -0.2, 0.12), (0.55, -0.02, 0.12), (0.52, 0.15, 0.1)]))


def _curly(s):
    curls = [
        (0.0, -0.5, 0.15), (0.2, -0.5, 0.15), (0.37, -0.4, 0.14), (0.48, -0.25, 0.12),
        (0.0, -0.36, 0.11), (0.16, -0.33, 0.11), (0.32, -0.25, 0.1), (0.45, -0.1, 0.08),
        (0.1, -0.43, 0.12), (0.27, -0.36, 0.12),
    ]  # fmt: skip
    grow = 1 + 0.04 * s.volume
    _front(s, dots(s.u.abs() / grow, s.v / grow, curls, 0.01))


def _afro_behind(s):
    curls = [
        (0.0, -0.62, 0.2), (0.26, -0.57, 0.2), (0.48, -0.42, 0.2),
        (0.6, -0.18, 0.2), (0.6, 0.08, 0.18), (0.5, 0.27, 0.15),
    ]  # fmt: skip
    grow = 1 + 0.05 * s.volume
    x, y = s.u.abs() / grow, s.v / grow
    shape = _under_hat(s, union(ellipse(x, y + 0.14, 0.62, 0.56), dots(x, y, curls)))
    s.paint(shape, s.hair_tone, HAIR, line=s.hair_line)
    s.shade(0.7 * (1 - soft(s.v + 0.05, 0.5)) * cover(shape + LINE / 2, s.pixel), s.hair_shade)
    sheen = [(0.14, -0.62, 0.05), (0.4, -0.5, 0.045), (0.59, -0.27, 0.04)]
    _shine(s, dots(x, y, sheen), shape, 0.25)


def _afro(s):
    curls = [(0.0, -0.4, 0.14), (0.19, -0.38, 0.14), (0.34, -0.28, 0.12), (0.42, -0.13, 0.09)]
    crown = both(s.head - 0.03, s.v + 0.3)
    shape = _under_hat(s, union(dots(s.u.abs(), s.v, curls), crown))
    _shadow(s, shape, EAR)
    s.paint(shape, s.hair_tone, HAIR)


def _combed_back(s):
    _front(s, both(_cap(s, 0.035), -_free(s, -0.3), s.v - 0.1, smooth=0.04), low=0.1)


def _bun_behind(s):
    knot = _under_hat(s, circle(s.u, s.v + 0.64, 0.17 + 0.015 * s.volume))
    s.paint(knot, s.hair_tone, HAIR, line=s.hair_line)
    _shine(s, circle(s.u + 0.05, s.v + 0.7, 0.05), knot, 0.4)


def _bun(s):
    _combed_back(s)
    s.draw(lambda bare: _tie(bare, bare.u, bare.v + 0.55), where=s.has_hat.view(-1) == 0)


def _ponytail_behind(s):
    x, y = s.u * s.swap, s.v
    tail = union(
        segment(x, y, 0.36, -0.36, 0.6, -0.22, 0.07, 0.13),
        segment(x, y, 0.6, -0.22, 0.67, 0.15, 0.13, 0.12),
        segment(x, y, 0.67, 0.15, 0.6, 0.52, 0.12, 0.015),
        smooth=0.08,
    )
    _behind(s, tail, beside=0.8)


def _ponytail(s):
    _combed_back(s)

    def tie(bare):
        _tie(bare, *turned(bare.u * bare.swap - 0.43, bare.v + 0.33, -0.7))

    s.draw(tie, where=s.has_hat.view(-1) == 0)


def _pigtails_behind(s):
    x, y = s.u.abs(), s.v
    tails = union(
        segment(x, y, 0.5, 0.02, 0.62, 0.12, 0.06, 0.11),
        segment(x, y, 0.62, 0.12, 0.63, 0.36, 0.11, 0.1),
        segment(x, y, 0.63, 0.36, 0.56, 0.6, 0.1, 0.01),
        smooth=0.06,
    )
    _behind(s, tails, beside=0.8)


def _pigtails(s):
    _front(s, both(_cap(s, 0.045), -_parted(s), s.v - 0.1, smooth=0.04), low=0.1)
    _tie(s, *turned(s.u.abs() - 0.53, s.v - 0.04, 0.6))


def _bob_behind(s):
    _behind(s, box(s.u, s.v + 0.02, 0.55 + 0.02 * s.volume, 0.5, 0.36))


def _bob(s):
    helmet = union(_cap(s, 0.06), box(s.u, s.v, 0.54, 0.36, 0.2))
    free = box(s.u, s.v - 0.35, 0.37, 0.53, 0.1)
    _front(s, both(helmet, -free, s.v - 0.38, smooth=0.04), low=0.3)


def _long_behind(s):
    wide = 0.54 + 0.02 * s.volume
    top = circle(s.u, s.v + 0.05, wide)
    _behind(s, union(top, box(s.u, s.v - 0.45, wide + 0.03, 0.48, 0.25), smooth=0.1))


def _long(s):
    x = s.u.abs()
    locks = union(
        segment(x, s.v, 0.44, -0.2, 0.48, 0.25, 0.1, 0.085),
        segment(x, s.v, 0.48, 0.25, 0.46, 0.72, 0.085, 0.01),
        smooth=0.06,
    )
    free = _parted(s, 0.385, 0.8)
    top = both(_cap(s, 0.06), -free, s.v - 0.1)
    _front(s, union(top, both(locks, -free), smooth=0.03), low=0.45)


def _moustache(s):
    x, y = s.u.abs(), s.v - s.mouth_y + 0.075
    shape = union(
        ellipse(*turned(x - 0.075, y, 0.2), 0.1, 0.04),
        segment(x, y, 0.1, 0.01, 0.19, -0.005, 0.02, 0.008),
        smooth=0.03,
    )
    s.paint(shape, s.hair_tone, BEARD, line=s.hair_line, width=0.02)


def _goatee(s):
    y = s.v - s.mouth_y
    shape = both(ellipse(s.u, y - 0.13, 0.13, 0.11), 0.075 - y, smooth=0.03)
    s.paint(shape, s.hair_tone, BEARD, line=s.hair_line, width=0.02)
    _grizzle(s, ellipse(s.u, y - 0.2, 0.1, 0.06), shape)
    _moustache(s)


def _full_beard(s):
    x = s.u.abs()
    cheek = ellipse(x - 0.2, s.v - 0.05, 0.24, 0.235)
    muzzle = ellipse(s.u, s.v - s.nose_y, 0.12, 0.075)
    lips = ellipse(s.u, s.v - s.mouth_y - 0.01, 0.15, 0.07)
    free = union(cheek, muzzle, smooth=0.05)
    jaw = s.head - 0.045 * ((s.v - 0.03) * 6).clamp(0, 1)
    shape = both(jaw, -free, -lips, 0.02 - s.v, smooth=0.03)
    s.paint(shape, s.hair_tone, BEARD, line=s.hair_line)
    _grizzle(s, ellipse(s.u, s.v - 0.55, 0.2, 0.08), shape)


def _grizzle(s, where, shape):
    if s.medium == "colour":
        s.shade(0.5 * s.old * soft(where, 0.14) * cover(shape + 0.02, s.pixel), s.grey)
