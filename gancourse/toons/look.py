"""The parts of a face, and its colours and measures as functions of the factors.

Head coordinates ``u`` (to the right) and ``v`` (down) have their origin in the middle of the head
and turn with it; the standard head reaches from -0.46 to 0.46 and from -0.54 to 0.54. Body
coordinates ``x`` and ``y`` stay upright. A picture is 2 wide.
"""

import torch

from gancourse.toons.factors import FACTORS, code
from gancourse.toons.shapes import EPS
from gancourse.toons.sheet import Pose, Sheet

# The parts in a map of parts; the number of a part is its index here.
PARTS = (
    "background",
    "neck",
    "clothes",
    "left ear",
    "right ear",
    "earrings",
    "face",
    "nose",
    "beard",
    "mouth",
    "left eye",
    "right eye",
    "left brow",
    "right brow",
    "hair",
    "glasses",
    "hat",
)
NECK, CLOTHES, EARRINGS, FACE, NOSE, BEARD, MOUTH, HAIR, GLASSES, HAT = (
    PARTS.index(part)
    for part in (
        "neck", "clothes", "earrings", "face", "nose", "beard", "mouth", "hair", "glasses", "hat"
    )
)  # fmt: skip
EARS, EYES, BROWS = (
    (PARTS.index(f"left {part}"), PARTS.index(f"right {part}")) for part in ("ear", "eye", "brow")
)

# The classes of a semantic map: the parts, without the distinction of left and right.
CLASSES = tuple(dict.fromkeys(part.split()[-1] for part in PARTS))
PART_CLASSES = torch.tensor([CLASSES.index(part.split()[-1]) for part in PARTS], dtype=torch.uint8)

HEAD = (0.46, 0.54)  # half the width and half the height of the standard head
PIVOT = 0.45  # the height v of the point around which a head turns
FIGURE = 1.08  # the scale of the figure
RAISE = 0.075  # how far the figure is moved down


def rgb(*codes):
    """Return colours written as "f2786b" as a float tensor (number of colours, 3) in [0, 1]."""
    return torch.tensor([[int(c[i : i + 2], 16) / 255 for i in (0, 2, 4)] for c in codes])


# In the order of the factors' values.
SKIN = rgb("ffe3d3", "fbd0b0", "ecb688", "cf9364", "a36d48", "784c33")
BLUSH = rgb("ff9d94", "f98d7c", "e97d62", "c96444", "8f4636", "622f27")
LIPS = rgb("d9616b", "d2555c", "c04a4c", "a83d40", "8c2f3a", "6b2430")
HAIR_TONES = rgb("38323f", "7a4a30", "c4562c", "f0c75e", "bcc1cc")
# Darker tones of the same hair, warmer than a mixture with black would be.
HAIR_SHADES = rgb("2c2733", "5e3826", "9c4222", "d6a347", "989eac")
HAIR_LINES = rgb("1f1a26", "43271c", "6f2c1b", "8f642c", "666b7c")
BROW_TONES = rgb("302b37", "57341f", "94401f", "b08038", "858b9a")
EYE_TONES = rgb("6b4226", "9a7b35", "4f9a68", "4a8fd0")
CLOTH = rgb("f27d6b", "efb746", "4f9468", "3ea8a2", "79b8e8", "40558a", "8a5fa6", "f6ecda")
TRIM = rgb("f9bfb3", "f7dba0", "a9cbb5", "a0d5d1", "bcdcf3", "a2acc3", "c6b1d3", "e2a896")
FRAMES = rgb("2f2c3a", "8a5630", "c8404a", "3a62ad")
GROUNDS = rgb("f9cfd9", "ffd8c2", "fdedb8", "eedfc8", "c8ebd8", "bfe8ea", "c5dff6", "dcd2f4")
FIXED = {
    "ink": rgb("3a2a3a"),
    "white": rgb("fffdfa"),
    "grey": rgb("d3d5dd"),
    "gold": rgb("f4b93c"),
    "gap": rgb("7a2438"),
    "tongue": rgb("f0808a"),
}


# A colour for each of CLASSES, uint8 (number of classes, 3), to show a semantic map.
PALETTE = (
    rgb(
        "f1ece4", "c98d6b", "6d8fc7", "d99b7c", "f2b632", "f3c3a2", "e58f7a",
        "8a6d5a", "d2455a", "4aa3a0", "5b4636", "6b5878", "2f3a56", "e9765b",
    )
    * 255
).round().to(torch.uint8)  # fmt: skip


def mix(a, b, share):
    """Interpolate linearly from ``a``, at a share of 0, to ``b``, at a share of 1."""
    return a + (b - a) * share


def by_kind(sheet, factor, painters):
    """Call each painter with the pictures in which the factor has the painter's value."""
    for kind, painter in painters.items():
        sheet.draw(painter, where=getattr(sheet, factor) == code(factor, kind))


def per(codes, *numbers):
    """Return one number for each code, as (N, 1, 1, 1)."""
    return torch.tensor(numbers, dtype=torch.float32, device=codes.device)[codes].view(-1, 1, 1, 1)


def tone(codes, palette):
    """Return one colour for each code, as (N, 3, 1, 1)."""
    return palette.to(codes.device)[codes].view(-1, 3, 1, 1)


def start(medium, factors, size):
    """Return an empty :class:`Sheet` with the planes and values that the painters use."""
    count, device = len(factors), factors.codes.device
    if medium == "parts":
        pixels = torch.zeros(count, 1, size, size, dtype=torch.uint8, device=device)
    else:
        pixels = torch.ones(count, 3 if medium == "colour" else 1, size, size, device=device)
    values = {**{name: getattr(factors, name) for name in FACTORS}, **measure(factors)}
    pose = Pose(
        x=0.03 * factors.x,
        y=RAISE + PIVOT + 0.02 * factors.y,
        size=FIGURE * (1 + 0.035 * factors.size),
        sine=0.075 * factors.tilt,
        width=(1 + 0.03 * factors.width) * values.pop("wide").view(-1),
        height=(1 + 0.03 * factors.height) * values.pop("high").view(-1),
        pivot=PIVOT,
    )
    planes = pose.planes(size)
    values["pixel"] = (2 / size / pose.size).view(-1, 1, 1, 1)
    sheet = Sheet(medium, pixels, planes, values, pose.window(size))
    planes["head"] = head_shape(sheet)
    planes["right"] = (sheet.u > 0) * 2.0 - 1.0
    return sheet


def head_shape(s):
    """Return the distance to the outline of the head: an ellipse with a jaw.

    Below the middle, ``taper`` makes it narrower, and ``square`` turns the ellipse X^2 + Y^2 = 1
    into the squircle X^2 + Y^2 - square X^2 Y^2 = 1, which tends to the box max(|X|, |Y|) = 1.
    """
    a, b = HEAD
    y = s.v / b
    down = y.clamp(0, 1)
    half = a * (1 - s.taper * down * down)
    x = s.u / half
    xx, yy = x * x, y * y
    corner = s.square * (y > 0)
    # Outside the box the squircle would turn back inwards; clamping its last term prevents that.
    x_in, y_in = xx.clamp(max=1), yy.clamp(max=1)
    level = (xx + yy - corner * x_in * y_in).sqrt()
    dx = x * (1 - corner * y_in) / half
    dy = y * (1 - corner * x_in) / b + dx * x * (2 * a / b) * s.taper * down
    return (level + EPS) * (level - 1) / ((dx * dx + dy * dy).sqrt() + EPS)


def measure(f):
    """Return the colours and the measures of each face.

    Parameters
    ----------
    f : Factors

    Returns
    -------
    dict of str to torch.Tensor
        Colours (N, 3, 1, 1) in [0, 1], measures (N, 1, 1, 1) in head coordinates.
    """
    count, device = len(f), f.codes.device
    fixed = {
        name: colour.to(device).view(1, 3, 1, 1).expand(count, -1, -1, -1)
        for name, colour in FIXED.items()
    }
    ink, white = fixed["ink"], fixed["white"]

    def vary(name, amount):
        return amount * getattr(f, name).view(-1, 1, 1, 1)

    feminine = per(f.presentation, 1, 0)
    old = per(f.age, 0, 0, 1)
    # A young face has large, low eyes and a small nose; an old one the opposite.
    drop = per(f.age, 0.055, 0, -0.015)
    eye = (1 + vary("eye_size", 0.06)) * per(f.age, 1.18, 1.0, 0.9)
    skin, blush = tone(f.skin, SKIN), tone(f.skin, BLUSH)
    hair = tone(f.hair_colour, HAIR_TONES)
    cloth, hat = tone(f.clothes_colour, CLOTH), tone(f.hat_colour, CLOTH)
    skin_line = mix(skin * 0.6, ink, 0.28)

    face = {
        "feminine": feminine,
        "old": old,
        "wide": per(f.face, 0.99, 1.05, 1.0, 1.02, 0.94),
        "high": per(f.face, 1.0, 0.96, 0.98, 1.01, 1.05),
        "taper": per(f.face, 0.12, 0.02, 0.02, 0.26, 0.08) + 0.05 * feminine - 0.01,
        "square": per(f.face, 0.15, 0.1, 0.68, 0.15, 0.35) + 0.12 * (1 - feminine),
        "skin_tone": skin,
        "skin_line": skin_line,
        "skin_shade": mix(skin * 0.8, blush, 0.3),
        "skin_light": mix(skin, white, 0.5),
        "blush_tone": blush,
        "lip_tone": tone(f.skin, LIPS),
        "mouth_line": mix(skin_line, ink, 0.6),
        "swap": per(f.side, -1, 1),
        "neck": mix(0.15, 0.125, feminine),
        "shoulder": mix(0.72, 0.63, feminine),
    }
    features = {
        "eye_x": 0.2 + vary("eye_spacing", 0.015),
        "eye_y": 0.06 + drop + vary("eye_height", 0.01),
        "eye_wide": 0.112 * eye * per(f.eyes, 0.95, 1.08, 1.0),
        "eye_top": 0.112 * eye * per(f.eyes, 1.0, 0.78, 0.6)
        * per(f.expression, 1, 1, 1, 0.9, 1.22, 0.9),
        "eye_low": 0.088 * eye * per(f.eyes, 1.0, 0.72, 0.95)
        * per(f.expression, 1, 0.85, 1, 1, 1.15, 0.85),
        "lid_slope": per(f.expression, 0, 0, 0, 0.22, 0, -0.25),
        "gaze": vary("gaze", 0.018),
        "eye_tone": tone(f.eye_colour, EYE_TONES),
        "lash": mix(-0.05, 0.012, feminine),  # a negative radius paints nothing
        "brow_y": -0.125 + 0.8 * drop + vary("brow_height", 0.012)
        + per(f.expression, 0, -0.005, -0.02, -0.005, -0.06, 0.03),
        "brow_slope": per(f.expression, 0, -0.03, -0.03, 0.36, 0.05, -0.42),
        "brow_thick": (1 + vary("brow_weight", 0.1)) * mix(1.08, 0.94, feminine)
        * per(f.brows, 0.015, 0.024, 0.02, 0.042),
        "brow_bend": per(f.brows, -0.025, -0.006, -0.055, -0.022),
        "nose_y": 0.205 + 0.65 * drop,
        "nose_size": (1 + vary("nose_size", 0.1)) * per(f.age, 0.84, 1.0, 1.15),
        "mouth_y": 0.352 + 0.3 * drop + vary("mouth_height", 0.01),
        "mouth_wide": (1 + vary("mouth_width", 0.08)) * per(f.age, 0.93, 1.0, 1.03),
        "mouth_bend": per(f.expression, 0.008, 0.075, 0, -0.06, 0, 0),
        "dimple": per(f.expression, -1, 0.009, -1, -1, -1, -1),
        "mouth_half": per(f.expression, 0.11, 0.165, 0.19, 0.115, 0.068, 0.125),
    }  # fmt: skip
    worn = {
        "hair_tone": hair,
        "hair_line": tone(f.hair_colour, HAIR_LINES),
        "hair_shade": tone(f.hair_colour, HAIR_SHADES),
        "hair_light": mix(hair, white, 0.45),
        "volume": vary("hair_volume", 1.0),
        "brow_tone": mix(tone(f.hair_colour, BROW_TONES), fixed["grey"], 0.3 * old),
        "frame_tone": tone(f.glasses_colour, FRAMES),
        "has_hat": per(f.hat, 0, 1, 1, 1),
    }
    for name, colour in (("hat", hat), ("cloth", cloth)):
        worn[f"{name}_tone"] = colour
        worn[f"{name}_dark"] = mix(colour * 0.8, ink, 0.08)
        worn[f"{name}_line"] = mix(colour * 0.55, ink, 0.35)
        worn[f"{name}_light"] = mix(colour, white, 0.5)
    worn["trim_tone"] = tone(f.clothes_colour, TRIM)
    worn["ground_tone"] = tone(f.background, GROUNDS)
    return {**fixed, **face, **features, **worn}
