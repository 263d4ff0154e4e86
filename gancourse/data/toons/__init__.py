"""Toons: pictures drawn by the course itself, so that everything about them is known.

>>> some = faces(100, size=64, seed=0)
>>> some.images.shape
torch.Size([100, 3, 64, 64])
>>> some.factors[0].replace(hair="afro", hat="none").captions[0].count("afro")
1
"""

from gancourse.data.toons.factors import (
    ATTRIBUTES,
    FACTORS,
    SHARES,
    VARIATION,
    Factors,
    caption,
    code,
    sample,
)
from gancourse.data.toons.look import CLASSES, PALETTE, PARTS
from gancourse.data.toons.portrait import Faces, draw, faces

__all__ = [
    "ATTRIBUTES",
    "CLASSES",
    "FACTORS",
    "PALETTE",
    "PARTS",
    "SHARES",
    "VARIATION",
    "Faces",
    "Factors",
    "caption",
    "code",
    "draw",
    "faces",
    "sample",
]
