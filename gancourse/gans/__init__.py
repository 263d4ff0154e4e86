"""The GANs, one file for each paper. A file imports no other, except ``blocks``.

Each file declares:

``TAKES``
    The fields of a batch that its step functions need: a name and the kind of field for each.
``SAMPLES``
    What ``sample`` makes and of what: the name of the field that it imitates, and the names of its
    inputs. "z" is the noise; the others are fields.
``PLAYERS``
    The networks that each optimizer updates; that of player "D" is ``opt_d``.
``PUBLISHED``
    The networks that a trained generator's file holds.
``STAGES``
    The step functions in their order, each with the field of the Config that holds its number of
    steps.
``FROZEN``
    Optional: networks that are used and not trained, by name, and where each comes from, such as
    "judge:toons" or "pretrained:dcgan-toons". A field of the Config with the same name takes its
    place; it may also say "vgg19", which is downloaded. ``build`` gets them as ``frozen``.
"""

from importlib import import_module
from pathlib import Path

from gancourse.errors import choose
from gancourse.training.stages import in_stages


def names():
    """Return the names of all GANs in alphabetical order."""
    files = (file for folder in __path__ for file in Path(folder).glob("[!_]*.py"))
    return sorted(file.stem for file in files if file.stem != "blocks")


def find(name):
    """Return the module of a GAN, such as ``gancourse.gans.dcgan`` for "dcgan".

    Raises
    ------
    CourseError
        If there is no such GAN; the message lists the known ones.
    """
    return import_module(f"gancourse.gans.{choose('GAN', name, names())}")


def frozen(module):
    """Return what a GAN's file declares as FROZEN, a dict; empty if it declares nothing."""
    return vars(module).get("FROZEN", {})


def step_function(module, cfg):
    """Return the step function that the loop calls, all stages in one, and the number of steps.

    Returns
    -------
    step : callable
    steps : int
        The sum over all stages.
    """
    counts = {step: getattr(cfg, field) for step, field in module.STAGES.items()}
    stages = [(getattr(module, step), count) for step, count in counts.items()]
    return in_stages(*stages), sum(counts.values())
