"""A training run from the names of a GAN, a data set and a preset.

>>> plan = prepare("acgan", "digits", "smoke", steps=2)
>>> plan.cfg.num_classes, plan.data
(10, <digits: 4,000 pictures (1, 32, 32), 10 classes on cpu>)
"""

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

import torch
from torch import nn

from gancourse import gans, trained
from gancourse.data import DATASETS, load
from gancourse.data.source import Data, near
from gancourse.errors import CourseError, DataError, choose
from gancourse.fields import Classes, Flags
from gancourse.files import schema
from gancourse.trained import show
from gancourse.training import checkpoint, effort, guards, runtime
from gancourse.training.loop import train


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A GAN's file, a configuration and data that fit each other; :func:`prepare` makes it.

    Attributes
    ----------
    module : module
        The GAN's file.
    name, preset : str
        Of the GAN and of the preset.
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
        """What generator.safetensors says of the run: model, preset, data, fields of the inputs."""
        given = {name for names in self.module.SAMPLES.values() for name in names}
        fields = {n: field.card() for n, field in self.data.fields.items() if n in given}
        about = {"model": self.name, "preset": self.preset, "data": self.data.name}
        return about | {"fields": fields}

    def build(self, run):
        """Return the untrained GAN, with the frozen networks that it needs."""
        frozen = trained.frozen_for(self.module, run.device, self.cfg)
        return self.module.build(self.cfg, run, **frozen)

    @cached_property
    def work(self):
        """How many operations the first training step has; see :mod:`.effort`."""
        step, _ = gans.step_function(self.module, self.cfg)
        fields = {name: self.data.fields[name] for name in self.module.TAKES}
        rows = max(2, self.cfg.batch_size)  # batch norm cannot compute with one; train() says so
        return effort.operations(self.build, step, fields, rows)

    @property
    def threads(self):
        """The number of CPU threads for this run: 1 if a step is small, else PyTorch's number.

        It follows from the networks and the batch, and not from a measurement: results differ in
        the last digits between numbers of threads, and one seed gives one curve on a machine.
        """
        return 1 if self.work < effort.FEW else torch.get_num_threads()

    def settings(self, device, fast=None):
        """Return the precision and the memory format for this run, as options of ``start``.

        As for :attr:`threads`, nothing is measured here. What ``gancourse bench`` measured on a
        CPU that has bf16: with convolutions, a step in both is as fast as in neither or faster, by
        up to 2 times, in the laptop and the smoke presets; weightnorm alone gains nothing.
        Perceptrons of that size are slower in bf16, and so are small steps on a GPU, which are
        bound by their launch. Instance norm turns ``channels_last`` back.

        Parameters
        ----------
        device : torch.device
        fast : {"fp32", "bf16"}, optional
            The precision that is fast on the device; if left out, that of this machine.

        Returns
        -------
        dict
            "precision" and "channels_last".
        """
        with torch.device("meta"):
            nets = self.module.networks(self.cfg).values()
        kinds = {type(layer) for net in nets for layer in net.modules()}
        convolved = nn.Conv2d in kinds
        pays = (convolved and device.type == "cpu") or self.work >= effort.FEW
        turned = pays and convolved and nn.InstanceNorm2d not in kinds
        return {
            "precision": (fast or runtime.fast_precision(device)) if pays else "fp32",
            "channels_last": turned and device.type != "mps",
        }

    def train(self, gan, run, **options):
        """Train a GAN that :meth:`build` returned; see :func:`gancourse.training.train`.

        Inputs in the pictures of the run are from the test split.

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
            If the data have fewer rows than a batch; then nothing is written.
        """
        data = near(self.data, run.device)
        guards.check_first_batch(gan, data, run)
        shown = None
        if show.needed(self.module, self.module.inputs(self.cfg)):
            shown = show.held_out(self.module, self.data.name, self.cfg, like=self.data.fields)
        step, steps = gans.step_function(self.module, self.cfg)
        options = {"steps": steps, "card": self.card} | options
        return train(gan, step, data, run, sample=show.watch(self.module, shown, run), **options)


def prepare(name, data_name, preset, *, like=None, **changes):
    """Load the fields of a data set that a GAN takes, and fit a preset's configuration to them.

    Parameters
    ----------
    name, data_name, preset : str
        See :func:`gancourse.gans.find` and :func:`gancourse.data.load`.
    like : dict of str to Field, optional
        See :meth:`gancourse.data.source.Data.take`.
    **changes
        Values for fields of the configuration, in place of the preset's.

    Returns
    -------
    Plan

    Raises
    ------
    CourseError
        If there is no such GAN, preset or data set, or the data lack a field or do not fit.
    """
    module = gans.find(name)
    choose("preset", preset, module.PRESETS)
    if "batch_size" in changes:
        guards.check_batch_size(changes["batch_size"])
    found = load(data_name)
    try:
        data = found.take(*module.TAKES, like=like)
    except DataError as problem:
        raise CourseError(f"{name} needs {wanted(module)}. {problem}") from problem
    for field, kind in module.TAKES.items():
        if not isinstance(data.fields[field], kind):
            there = data.fields[field]
            raise CourseError(
                f"{name} does not take {field} of the kind that {data.name} has: {there}. Take "
                "other data, see `gancourse data list`."
            )
    refuse_one_class(name, data)
    cfg = dataclasses.replace(module.configure(preset, data.fields), **changes)
    data = show.sized(data, module.inputs(cfg))
    for field in module.TAKES:
        expected, there = module.inputs(cfg)[field], data.fields[field]
        if not expected.fits(there):
            raise CourseError(
                f"{name} in this configuration takes {field} as {expected}; {data.name} has "
                f"{there}. Take other data, or change the configuration."
            )
    # As a generator's file will be checked, which names these data.
    what = f"the configuration of {name} for {data.name}"
    schema.read(module.Config, checkpoint.describe(cfg), what, CourseError, exact=True)
    return Plan(module=module, name=name, preset=preset, cfg=cfg, data=data)


def refuse_one_class(name, data):
    """Raise a CourseError if the labels are of one class: there is nothing to tell apart."""
    labels = data.fields.get("labels")
    single = isinstance(labels, Classes) and labels.count < 2
    if isinstance(labels, Flags):
        single = any(kind == "classes" and len(names) < 2 for kind, names in labels.sets)
    if single:
        raise CourseError(
            f"{name} learns from labels, and {data.name} has one class alone: "
            f"{', '.join(labels.names)}. Take data with two classes or more; in a folder, each "
            "sub-folder is one."
        )


def wanted(module):
    """Return a text that names the fields that a GAN needs, and the data sets that have them."""
    names = {*module.TAKES}
    if "source" in names:  # label sets: made of classes, or of attributes
        names = names - {"source", "labels"}
        such = [n for n, info in DATASETS.items() if {"labels", "attributes"} & {*info.gives}]
    else:
        such = [*DATASETS]
    such = [name for name in such if names <= {*DATASETS[name].gives}]
    return f"data with the fields {', '.join(module.TAKES)}, such as {', '.join(such)}"
