"""Explorers: small tools for a notebook, live where somebody can use them, a picture elsewhere."""

from gancourse.widgets.arithmetic import arithmetic
from gancourse.widgets.before_after import before_after
from gancourse.widgets.canvas import canvas
from gancourse.widgets.forgetting import forgetting
from gancourse.widgets.interpolation import interpolation
from gancourse.widgets.latent import latent_explorer, principal_directions
from gancourse.widgets.mixer import class_style_mixer
from gancourse.widgets.scrubber import extent_of, plane, scrubber
from gancourse.widgets.switches import switches

# Lesson 1 explores digits; the tool is the same for any small image.
digit_explorer = latent_explorer

__all__ = [
    "arithmetic",
    "before_after",
    "canvas",
    "class_style_mixer",
    "digit_explorer",
    "extent_of",
    "forgetting",
    "interpolation",
    "latent_explorer",
    "plane",
    "principal_directions",
    "scrubber",
    "switches",
]
