"""One paper, one file. No file here imports another, except what papers only cite: blocks.

Each file says of itself, once:

``TAKES``
    The fields of a batch that its step functions need: a name and the kind of field for each.
``SAMPLES``
    What ``sample`` returns, by the name of the field that it imitates, and what it is given for
    that: "z", the noise, and fields by name.
``PLAYERS``
    The networks that each optimizer moves; player "D" has the optimizer ``opt_d``.
``PUBLISHED``
    The networks that a trained generator's file holds.
``STAGES``
    The step functions in their order, each with the field of the Config that says for how long.
``FROZEN``
    Only where there are some: networks that are used and not trained, by name, and what each is:
    "judge:toons" or "pretrained:dcgan-toons". ``build`` is handed them as ``frozen``.
"""

from importlib import import_module
from pathlib import Path

from gancourse.errors import choose
from gancourse.training.stages import in_stages


def names():
    """Return the names of all GANs, in the order of the alphabet."""
    files = (file for folder in __path__ for file in Path(folder).glob("[!_]*.py"))
    return sorted(file.stem for file in files if file.stem != "blocks")


def find(name):
    """Return the module of a GAN, such as ``gancourse.gans.dcgan`` for "dcgan".

    Raises
    ------
    CourseError
        If there is no such GAN; those that there are are listed.
    """
    return import_module(f"gancourse.gans.{choose('GAN', name, names())}")


def frozen(module):
    """Return what a GAN's file declares as FROZEN; nothing, where it declares nothing."""
    return vars(module).get("FROZEN", {})


def step_function(module, cfg):
    """Return what the loop calls for a GAN: its step function, or its stages one after the other.

    Returns
    -------
    step : callable
    steps : int
        Of all stages.
    """
    counts = {step: getattr(cfg, field) for step, field in module.STAGES.items()}
    stages = [(getattr(module, step), count) for step, count in counts.items()]
    return in_stages(*stages), sum(counts.values())
