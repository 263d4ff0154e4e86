"""Drawing faces: the order of the painters."""

import torch

from gancourse.data.toons import features, hair, wear
from gancourse.data.toons.factors import code
from gancourse.data.toons.look import start


def paint(s):
    """Draw everything on a sheet, from back to front."""
    s.draw(features.ground)
    s.draw(hair.hair_behind)
    body = {"box": (-0.8, 0.3, 0.8, 1.0), "frame": "body"}
    s.draw(wear.hood, where=s.clothes == code("clothes", "hoodie"), **body)
    s.draw(features.neck, **body)
    s.draw(wear.clothes, **body)
    s.draw(features.ears, box=(-0.57, -0.08, 0.57, 0.22))
    s.draw(features.head, box=(-0.5, -0.58, 0.5, 0.58))
    s.draw(features.freckles, box=(-0.36, 0.15, 0.36, 0.27), where=s.freckles == 1)
    s.draw(features.wrinkles, box=(-0.43, -0.36, 0.43, 0.35), where=s.age == code("age", "old"))
    s.draw(features.nose, box=(-0.09, 0.05, 0.09, 0.33))
    s.draw(hair.beard, box=(-0.53, 0.0, 0.53, 0.62), where=s.beard > 0)
    s.draw(features.mouth, box=(-0.25, 0.25, 0.25, 0.54))
    s.draw(features.eyes, box=(-0.42, -0.15, 0.42, 0.26))
    s.draw(features.brows, box=(-0.38, -0.3, 0.38, 0.04))
    s.draw(hair.hair)
    s.draw(wear.earrings, box=(-0.55, 0.16, 0.55, 0.29), where=s.earrings == 1)
    s.draw(wear.glasses, box=(-0.51, -0.14, 0.51, 0.32), where=s.glasses > 0)
    s.draw(wear.hat, box=(-0.8, -0.9, 0.8, -0.05), where=s.hat > 0)


def picture(factors, size):
    """Return uint8 pictures (N, 3, size, size)."""
    sheet = start("colour", factors, size)
    paint(sheet)
    return sheet.pixels.mul_(255).add_(0.5).clamp_(0, 255).to(torch.uint8)
