"""Toons: faces and scenes that the course draws itself, so that every factor is known.

>>> some = faces(100, size=64, seed=0)
>>> some.images.shape
torch.Size([100, 3, 64, 64])
>>> some.factors[0].replace(hair="afro", hat="none").captions[0].count("afro")
1
>>> village = scenes(1, size=64, seed=0)
>>> draw_scenes(village.factors.replace(season="winter", time="night"), size=256).images.shape
torch.Size([1, 3, 256, 256])
"""

from gancourse.toons.factors import (
    ATTRIBUTES,
    FACTORS,
    SHARES,
    VARIATION,
    Factors,
    caption,
    code,
    sample,
)
from gancourse.toons.landscape import Scenes, draw_scenes, palette_image, scenes
from gancourse.toons.look import CLASSES, PALETTE, PARTS
from gancourse.toons.portrait import Faces, draw, faces
from gancourse.toons.scene_factors import (
    SCENE_ATTRIBUTES,
    SCENE_FACTORS,
    SCENE_LOOKS,
    SCENE_SHARES,
    SCENE_VARIATION,
    SceneFactors,
    scene_caption,
)
from gancourse.toons.scene_layout import HOUSES, SCENE_KINDS, THINGS, TREES, Slots
from gancourse.toons.scene_look import (
    SCENE_CLASSES,
    SCENE_INSTANCES,
    SCENE_PALETTE,
    SCENE_PARTS,
)

__all__ = [
    "ATTRIBUTES",
    "CLASSES",
    "FACTORS",
    "HOUSES",
    "PALETTE",
    "PARTS",
    "SCENE_ATTRIBUTES",
    "SCENE_CLASSES",
    "SCENE_FACTORS",
    "SCENE_INSTANCES",
    "SCENE_KINDS",
    "SCENE_LOOKS",
    "SCENE_PALETTE",
    "SCENE_PARTS",
    "SCENE_SHARES",
    "SCENE_VARIATION",
    "SHARES",
    "THINGS",
    "TREES",
    "VARIATION",
    "Faces",
    "Factors",
    "SceneFactors",
    "Scenes",
    "Slots",
    "caption",
    "code",
    "draw",
    "draw_scenes",
    "faces",
    "palette_image",
    "sample",
    "scene_caption",
    "scenes",
]
