"""A training run from names: what the command line, the tools and the benchmark begin with.

>>> plan = prepare("acgan", "digits", "smoke", steps=2)
>>> plan.cfg.num_classes, plan.data
(10, <digits: 4,000 pictures (1, 32, 32), 10 classes on cpu>)
"""

import dataclasses
from dataclasses import dataclass
from types import ModuleType

from gancourse import gans, trained
from gancourse.data import DATASETS, load
from gancourse.data.source import Data
from gancourse.errors import CourseError, DataError, choose
from gancourse.trained import show
from gancourse.training.loop import train


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A GAN, a configuration and data that fit each other; made by :func:`prepare`.

    Attributes
    ----------
    module : module
        The GAN's file.
    name, preset : str
    cfg : Config
    data : gancourse.data.Data
        On the CPU.
    """

    module: ModuleType
    name: str
    preset: str
    cfg: object
    data: Data

    @property
    def card(self):
        """What the generator's file says of the run."""
        given = {name for names in self.module.SAMPLES.values() for name in names}
        fields = {n: field.card() for n, field in self.data.fields.items() if n in given}
        about = {"model": self.name, "preset": self.preset, "data": self.data.name}
        return about | {"fields": fields}

    def build(self, run):
        """Return a GAN with its first weights, and the frozen networks that it needs."""
        return self.module.build(self.cfg, run, **trained.frozen_for(self.module, run.device))

    def train(self, gan, run, **options):
        """Train ``gan``, as :meth:`build` made it; see :func:`gancourse.training.train`.

        What the pictures of the run show was held out from training.

        Parameters
        ----------
        gan : GAN
        run : Run
        **options
            Of :func:`gancourse.training.train`.

        Returns
        -------
        History

        Raises
        ------
        CourseError
            If the data don't suffice for a batch; nothing is written then.
        """
        data = self.data.to(run.device)
        data.batch(0, self.cfg.batch_size, run)
        shown = None
        if show.needed(self.module, self.module.inputs(self.cfg)):
            shown = show.held_out(self.module, self.data.name, self.cfg, like=self.data.fields)
        step, steps = gans.step_function(self.module, self.cfg)
        options = {"steps": steps, "card": self.card} | options
        return train(gan, step, data, run, sample=show.watch(self.module, shown, run), **options)


def prepare(name, data_name, preset, *, like=None, **changes):
    """Load data in the form that a GAN trains on, and fit a preset's configuration to them.

    Parameters
    ----------
    name, data_name, preset : str
        See :func:`gancourse.gans.find` and :func:`gancourse.data.load`.
    like : dict of str to Field, optional
        See :meth:`gancourse.data.source.Data.take`.
    **changes
        Fields of the configuration that shall not be the preset's.

    Returns
    -------
    Plan

    Raises
    ------
    CourseError
        If there is no such GAN, preset or data set, or the data have no such form.
    """
    module = gans.find(name)
    choose("preset", preset, module.PRESETS)
    found = load(data_name)
    try:
        data = found.take(*module.TAKES, like=like)
    except DataError as problem:
        raise CourseError(f"{name} needs {wanted(module)}. {problem}") from problem
    for field, kind in module.TAKES.items():
        if not isinstance(data.fields[field], kind):
            there = data.fields[field]
            raise CourseError(
                f"{name} takes {field} of another kind than {data.name} has: {there}."
            )
    cfg = dataclasses.replace(module.configure(preset, data.fields), **changes)
    data = show.sized(data, module.inputs(cfg))
    for field in module.TAKES:
        expected, there = module.inputs(cfg)[field], data.fields[field]
        if not expected.fits(there):
            raise CourseError(
                f"{name} in this configuration takes {field} as {expected}; in {data.name} it is "
                f"{there}."
            )
    return Plan(module=module, name=name, preset=preset, cfg=cfg, data=data)


def wanted(module):
    """Say which fields a GAN needs, and which data sets have them."""
    names = {*module.TAKES} - {"source"}  # which every set of labels has
    such = [name for name, info in DATASETS.items() if names <= {*info.gives}]
    return f"data with the fields {', '.join(module.TAKES)}, such as {', '.join(such)}"
