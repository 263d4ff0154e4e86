"""The training loop, where it runs, and how its state is kept."""

from gancourse.training.ema import EMA
from gancourse.training.gan import GAN
from gancourse.training.history import History
from gancourse.training.progress import track
from gancourse.training.runtime import Run, start
from gancourse.training.trainer import train

__all__ = ["EMA", "GAN", "History", "Run", "start", "track", "train"]
