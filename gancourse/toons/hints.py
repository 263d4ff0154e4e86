"""Line drawings of faces with strokes of colour, as a person would add them with a few pens.

Two strokes each for skin, hair, clothes, hat and background, as far as they are seen. A stroke has
the colour of the pen with which that part of the face was painted, and lies within the part.
"""

import torch
import torch.nn.functional as F

from gancourse.toons.factors import FACTORS
from gancourse.toons.look import CLASSES, CLOTH, GROUNDS, HAIR_TONES, SKIN

# For each class that gets a stroke: the factor that chooses the pen, the pens, and their kind.
STROKES = {
    "background": ("background", GROUNDS, "paper"),
    "clothes": ("clothes_colour", CLOTH, "cloth"),
    "face": ("skin", SKIN, "skin"),
    "hair": ("hair_colour", HAIR_TONES, "hair"),
    "hat": ("hat_colour", CLOTH, "cloth"),
}
# Every colour that occurs, by the name of its pen: (red, green, blue), 0 to 255.
PENS = {"eraser": (255, 255, 255), "line": (0, 0, 0)} | {
    f"{kind}: {value}": tuple((tone * 255).round().int().tolist())
    for factor, tones, kind in STROKES.values()
    for value, tone in zip(FACTORS[factor], tones, strict=True)
}
LENGTH, WIDTH = 0.55, 0.17  # of a stroke; a picture is 2 wide
TURNS = ((1.0, 0.0), (0.0, 1.0), (0.8, 0.6), (0.8, -0.6))  # the directions of strokes


def hinted(faces):
    """Return the drawings of faces with strokes of colour, uint8 (N, 3, size, size).

    Lines are black and one pixel of the drawing sharp: every pixel has a colour of ``PENS``.

    Parameters
    ----------
    faces : gancourse.toons.Faces
    """
    size, semantic, factors = faces.size, faces.semantic, faces.factors
    lines = faces.sketch < 128  # (N, 1, size, size)
    out = torch.where(lines, 0, 255).to(torch.uint8).repeat(1, 3, 1, 1)
    axis = (torch.arange(size, device=out.device) * 2 + 1) / size - 1
    for number, name in enumerate(2 * tuple(STROKES)):  # each part gets two
        factor, tones, _ = STROKES[name]
        region = (semantic == CLASSES.index(name)) & ~lines[:, 0]
        # The middle of a stroke is a random pixel, if possible one that is not at the edge.
        inner = F.max_pool2d((~region).float()[:, None], 5, 1, 2)[:, 0] == 0
        inner = torch.where(inner.flatten(1).any(1).view(-1, 1, 1), inner, region)
        chance, way = (_uniform(factors, 2 * number + k) for k in (0, 1))
        place = inner.flatten(1).cumsum(1)
        nth = (chance * place[:, -1]).floor().long() + 1
        middle = (place >= nth[:, None]).byte().argmax(1)
        turn = torch.tensor(TURNS, device=out.device)[(way * len(TURNS)).long()]
        x = axis - axis[middle % size].view(-1, 1)
        y = axis - axis[middle // size].view(-1, 1)
        along = turn[:, 0].view(-1, 1, 1) * x[:, None] + turn[:, 1].view(-1, 1, 1) * y[:, :, None]
        across = turn[:, 0].view(-1, 1, 1) * y[:, :, None] - turn[:, 1].view(-1, 1, 1) * x[:, None]
        stroke = region & (along.abs() < LENGTH / 2) & (across.abs() < WIDTH / 2)
        colour = (tones * 255).round().to(torch.uint8).to(out.device)[getattr(factors, factor)]
        out = torch.where(stroke[:, None], colour.view(-1, 3, 1, 1), out)
    return out


def _uniform(factors, number):
    """Return numbers in [0, 1) that depend on each face's variation alone, (N,)."""
    weights = 1 + torch.arange(factors.variation.shape[1], dtype=torch.float64) * 0.618
    mixed = (factors.variation.double().cpu() * weights).sum(1) * (977.1 + 131.7 * number)
    return (mixed - mixed.floor()).to(factors.variation.device)
