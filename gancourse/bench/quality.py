"""How long a GAN trains until its samples are good, in our loop and in others, over seeds."""

import itertools
import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace

import torch

from gancourse import metrics, runs
from gancourse.bench.machine import Clock, Origin, origin
from gancourse.bench.sides import TUTORIAL, Ours, Tutorial
from gancourse.errors import CourseError
from gancourse.files import schema
from gancourse.trained import show

SAMPLES = 1_000


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is trained, and what is measured of it.

    Attributes
    ----------
    gan, data : str
    measure : callable
        ``measure(plan)`` returns a function of a GAN that returns the value.
    marks : tuple of float
        The values to reach, in this order.
    rising : bool
        Whether larger values are better.
    every : int
        Steps from one measurement to the next.
    changes : dict
        Fields of the preset's configuration that have other values here, on both sides.
    """

    gan: str
    data: str
    measure: Callable
    marks: tuple
    rising: bool
    every: int
    changes: dict = field(default_factory=dict)

    def reached(self, value, mark):
        """Return whether a value is as good as a mark."""
        return value >= mark if self.rising else value <= mark


@dataclass(frozen=True, kw_only=True)
class Try:
    """One training.

    Attributes
    ----------
    side : str
    seed : int
    origin : Origin
        Where and when; the commit is that of the beginning.
    curve : list of tuple
        Step, seconds of training so far, and the value.
    seconds : list of float or None
        Until each mark was first reached.
    """

    side: str
    seed: int
    origin: Origin
    curve: list[tuple[int, float, float]]
    seconds: list[float | None]


def modes(plan):
    """Return a measure: how many modes of the mixture are covered by 2,500 points."""
    return lambda gan: metrics.mode_scores(plan.module.sample(gan, 2_500), plan.data).covered


def accuracy(plan):
    """Return a measure: the share of samples that the judge gives the class that was asked for."""
    judge = metrics.load_judge(plan.data.name)

    def measure(gan):
        labels = torch.arange(SAMPLES) % gan.cfg.num_classes
        samples = plan.module.sample(gan, SAMPLES, labels=labels).cpu()
        return (judge.predict(samples) == labels).float().mean().item()

    return measure


def fid(plan):
    """Return a measure: the judge FID of samples against as many pictures of the test split."""
    judge = metrics.load_judge(plan.data.name)
    real = judge.features(show.held_out(plan.module, plan.data.name, plan.cfg, SAMPLES).images())

    def measure(gan):
        parts = [plan.module.sample(gan, 250, seed=seed).cpu() for seed in range(SAMPLES // 250)]
        return metrics.judge_fid(real, torch.cat(parts), judge)

    return measure


CLASSES = {"measure": accuracy, "marks": (0.90, 0.95), "rising": True, "every": 100}
FACES = {"measure": fid, "marks": (100.0, 50.0), "rising": False, "every": 100}
# Lessons 2 and 3 keep their papers' batch norm in D; what ships is trained with R1 instead.
LEAN = {"r1": 10.0, "lr_g": 1e-3, "lr_d": 1e-3, "betas": (0.0, 0.99), "steps": 4_000}
TASKS = {
    "modes": Task(gan="vanilla", data="ring", measure=modes, marks=(8,), rising=True, every=50),
    "acgan-digits": Task(gan="acgan", data="digits", **CLASSES),
    "cgan-digits": Task(gan="cgan", data="digits", **CLASSES),
    "dcgan-faces": Task(gan="dcgan", data="toons", changes=LEAN, **FACES),
    "lsgan-faces": Task(gan="lsgan", data="toons", changes=LEAN | {"r1": 2.0}, **FACES),
}


def sides_of(task, device, *, preset="laptop", earlier=None):
    """Return the sides of a task: the loop, its plan and its options, by the side's name.

    Sides: ``preset``, our loop with the preset; ``tutorial``, a tutorial's loop with the same
    configuration; ``earlier``, our loop with other values for some fields, if they are given. Our
    loop has the precision and the memory format that ``gancourse train`` would choose.

    Parameters
    ----------
    task : Task
    device : torch.device
    preset : str
    earlier : dict, optional
        Fields of the configuration and their values, as JSON has them.

    Returns
    -------
    dict of str to tuple
    """
    plan = runs.prepare(task.gan, task.data, preset, **task.changes)
    rows = {} if task.data == "ring" else {"rows": len(plan.data)}
    sides = {"preset": (Ours, plan, plan.settings(device)), TUTORIAL: (Tutorial, plan, rows)}
    if earlier:
        other = replace(plan, cfg=changed(plan.cfg, earlier))
        sides["earlier"] = (Ours, other, other.settings(device))
    return sides


def settings_of(task, sides, steps=None):
    """Return what decides how long the sides of a task take, as JSON has it.

    Parameters
    ----------
    task : Task
    sides : dict
        From :func:`sides_of`.
    steps : int, optional
        The most that are made; if left out, as many as the longest configuration has.

    Returns
    -------
    dict
        ``data``, ``steps``, ``every``, and for each side its configuration and options.
    """
    found = {
        "data": task.data,
        "steps": steps or max(plan.cfg.steps for _, plan, _ in sides.values()),
        "every": task.every,
        "sides": {name: asdict(plan.cfg) | more for name, (_, plan, more) in sides.items()},
    }
    return json.loads(json.dumps(found))


def race(name, device, seeds, sides, most, *, done=(), say=print):
    """Train each side with each seed until all marks are reached or the steps are made.

    Parameters
    ----------
    name : str
        One of ``TASKS``.
    device : torch.device
    seeds : sequence of int
    sides : dict
        From :func:`sides_of`.
    most : int
        Steps of a training.
    done : collection of tuple
        Pairs of a side and a seed that are left out.
    say : callable
        Is told how each training went.

    Yields
    ------
    Try
        As soon as it is done. The sides take turns, seed by seed.
    """
    task, here = TASKS[name], origin(device)
    measure = task.measure(sides["preset"][1])
    for seed, side in itertools.product(seeds, sides):
        if (side, seed) in done:
            continue
        loop, plan, options = sides[side]
        found = run_to_marks(loop(plan, str(device), seed, **options), task, measure, most)
        one = Try(side=side, seed=seed, origin=here, **found)
        say(f"{name} {side} seed {seed}: {in_words(task, one)}")
        yield one


def changed(cfg, fields):
    """Return a configuration with other values for some fields, which are JSON."""
    what = f"the earlier configuration of {type(cfg).__module__.rpartition('.')[2]}"
    return schema.read(type(cfg), asdict(cfg) | fields, what, CourseError, exact=True)


def run_to_marks(side, task, measure, most):
    """Train one side until all marks are reached, or ``most`` steps are made.

    Returns
    -------
    dict
        ``curve`` and ``seconds`` of a :class:`Try`. Measuring takes none of the seconds.
    """
    clock, spent, curve = Clock(side.run.device), 0.0, []
    found = [None] * len(task.marks)
    while side.gan.step < most and None in found:
        spent += clock.time(side.go, min(task.every, most - side.gan.step))
        value = float(measure(side.gan))
        curve.append((side.gan.step, round(spent, 3), round(value, 4)))
        for i, mark in enumerate(task.marks):
            if found[i] is None and task.reached(value, mark):
                found[i] = round(spent, 3)
    return {"curve": curve, "seconds": found}


def in_words(task, one):
    """Return what became of a training as text."""
    marks = zip(task.marks, one.seconds, strict=True)
    text = ", ".join(f"{m:g} after {s:.1f} s" if s else f"{m:g} not reached" for m, s in marks)
    step, seconds, value = one.curve[-1]
    return f"{text}; {value:g} at step {step:,}, {seconds:.1f} s"


def summary(tries, marks):
    """Return for each side and mark how many seeds reached it, and their seconds.

    Returns
    -------
    list of dict
        ``side``, ``mark``, ``reached``, ``seeds``; ``mean`` and ``error`` (standard error of the
        mean) of the seconds of those that reached it; ``faster``, the mean over seeds by which
        factor the tutorial loop took longer, where both reached it. None where there is none.
    """
    rows = []
    for side in dict.fromkeys(one.side for one in tries):
        own = [one for one in tries if one.side == side]
        for i, mark in enumerate(marks):
            times = [one.seconds[i] for one in own if one.seconds[i] is not None]
            rows.append(
                {
                    "side": side,
                    "mark": mark,
                    "reached": len(times),
                    "seeds": len(own),
                    "mean": statistics.fmean(times) if times else None,
                    "error": statistics.stdev(times) / len(times) ** 0.5 if times[1:] else None,
                    "faster": times_as_fast(tries, i, side, TUTORIAL),
                }
            )
    return rows


def times_as_fast(tries, i, side, other):
    """Return by which factor the other side took longer to the i-th mark, the mean over seeds.

    Returns
    -------
    float or None
        None if there is no seed with which both reached it.
    """
    seconds = {(one.side, one.seed): one.seconds[i] for one in tries if one.seconds[i]}
    factors = [
        taken / seconds[side, seed]
        for (name, seed), taken in seconds.items()
        if name == other and (side, seed) in seconds
    ]
    return statistics.fmean(factors) if factors else None
