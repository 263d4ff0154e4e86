"""The training loop, where it runs, and how its state is kept."""

from gancourse.training.ema import EMA
from gancourse.training.gan import GAN
from gancourse.training.history import History
from gancourse.training.loop import train
from gancourse.training.progress import track
from gancourse.training.runtime import Run, start
from gancourse.training.schedules import Anneal, following, linear_decay
from gancourse.training.stages import in_stages

__all__ = [
    "EMA",
    "GAN",
    "Anneal",
    "History",
    "Run",
    "following",
    "in_stages",
    "linear_decay",
    "start",
    "track",
    "train",
]
