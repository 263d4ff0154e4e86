"""Explorers: live widgets for the reader of a notebook, still pictures for batch programs."""

from gancourse.widgets.arithmetic import Arithmetic
from gancourse.widgets.before_after import BeforeAfter
from gancourse.widgets.bench import MeasureBench
from gancourse.widgets.canvas import Canvas
from gancourse.widgets.dial import StyleDial
from gancourse.widgets.forgetting import Forgetting
from gancourse.widgets.instances import InstanceSwitch
from gancourse.widgets.interpolation import Interpolation
from gancourse.widgets.labelling import Labelling
from gancourse.widgets.latent import LatentExplorer, principal_directions
from gancourse.widgets.layout import LayoutEditor
from gancourse.widgets.lines import ParallelLines, line_distances
from gancourse.widgets.mixer import ClassStyleMixer
from gancourse.widgets.painter import MapPainter
from gancourse.widgets.ranking import BlindRanking
from gancourse.widgets.scrubber import Scrubber, extent_of, plane
from gancourse.widgets.switches import Switches
from gancourse.widgets.thermostat import Thermostat, balance
from gancourse.widgets.tradeoff import Tradeoff

__all__ = [
    "Arithmetic",
    "BeforeAfter",
    "BlindRanking",
    "Canvas",
    "ClassStyleMixer",
    "Forgetting",
    "InstanceSwitch",
    "Interpolation",
    "Labelling",
    "LatentExplorer",
    "LayoutEditor",
    "MapPainter",
    "MeasureBench",
    "ParallelLines",
    "Scrubber",
    "StyleDial",
    "Switches",
    "Thermostat",
    "Tradeoff",
    "balance",
    "extent_of",
    "line_distances",
    "plane",
    "principal_directions",
]
