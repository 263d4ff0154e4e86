"""Whether training as `gancourse train` does it on a GPU leads where plain fp32 leads.

CUDA graphs and bf16 change the last digits, and these change a whole run: two runs are not compared
point by point, but the means over seeds with how far the seeds of one setting are apart.
"""

import dataclasses
import math
import statistics

from gancourse.bench import quality, speed
from gancourse.errors import CourseError
from gancourse.training import runtime
from tools.gpu import results

GANS = ("vanilla", "dcgan")
SEEDS, POINTS = (0, 1, 2), 10
STEPS = {"laptop": 600, "smoke": 80}
# The presets' averages still hold the first weights after so few steps: every seed of vanilla's has
# the judge FID of a grey square, 100.08.
AVERAGE = {"ema_decay": 0.9}


def settings(plan, device):
    """Return two settings of ``start``: plain fp32, and that of `gancourse train` on a device.

    On a CPU, where it might be plain fp32 too, the other one is bf16.
    """
    if device.type == "cpu":
        return {}, {"precision": "bf16"}
    return {"graphs": False}, plan.settings(device)


def trainings(name, device, preset):
    """Train a GAN for a few hundred steps in both settings with each of ``SEEDS``, in turns.

    Parameters
    ----------
    name : str
        Of the GAN.
    device : torch.device
    preset : str
        "laptop" or "smoke".

    Yields
    ------
    tools.gpu.results.Curves
        With the trainings that are done so far.

    Raises
    ------
    CourseError
        If a training diverges, or its samples have no judge FID.
    """
    steps = STEPS[preset]
    plan = speed.prepare(name, preset, steps=steps, **AVERAGE)
    measure, tries = quality.fid(plan), []
    ready = dataclasses.replace(plan, data=plan.data.to(device))  # moved once
    for seed in SEEDS:
        for options in settings(plan, device):
            run = runtime.start(str(device), seed, **options)
            gan = plan.build(run)
            history = ready.train(gan, run, log_every=steps // POINTS, quiet=True)
            losses = {
                tag: [None if math.isnan(value) else value for value in values]
                for tag, values in history.values.items()
            }
            value = float(measure(gan))
            if not math.isfinite(value):
                raise CourseError(f"{name}, {run}, seed {seed}: the judge FID is {value}.")
            one = {"how": str(run), "seed": seed, "losses": losses, "quality": value}
            tries.append(results.Curve(**one))
            yield results.Curves(
                **{"gan": name, "data": plan.data.name, "preset": preset, "measure": "judge_fid"},
                **{"steps": history.steps, "tries": tries, "verdicts": verdicts(tries)},
            )


def verdicts(tries):
    """Compare the means of two settings over seeds, for the quality and for each loss.

    Two settings agree if their means differ by no more than the seeds of one setting do: by the
    difference between the highest and the lowest seed, in the setting where it is larger. Of two
    settings that are alike, three seeds say so in 95 of 100 cases.

    Parameters
    ----------
    tries : list of tools.gpu.results.Curve

    Returns
    -------
    list of tools.gpu.results.Verdict
        The first is on the quality. A loss counts by its mean over the second half of the steps.
        Empty unless there are two settings with two seeds each.
    """
    sides = {}
    for one in tries:
        sides.setdefault(one.how, []).append(values_of(one))
    if len(sides) != 2 or min(map(len, sides.values())) < 2:
        return []
    found = []
    for what in sides[tries[0].how][0]:
        values = [[known[what] for known in side if what in known] for side in sides.values()]
        if min(map(len, values)) < 2:
            continue
        means = tuple(map(statistics.fmean, values))
        spread = max(max(side) - min(side) for side in values)
        agree = abs(means[0] - means[1]) <= spread
        found.append(results.Verdict(of=what, means=means, spread=spread, agree=agree))
    return found


def values_of(one):
    """Return the quality of a training, and the mean of each loss over the second half of it."""
    found = {"quality": one.quality}
    for tag, values in one.losses.items():
        late = [value for value in values[len(values) // 2 :] if value is not None]
        found |= {tag: statistics.fmean(late)} if late else {}
    return found


def line(verdict):
    """Return a verdict as a line of text."""
    plain, other = verdict.means
    return (
        f"{verdict.of}: {plain:.4g} and {other:.4g}, seeds within {verdict.spread:.3g}: "
        f"{'the settings agree' if verdict.agree else 'THE SETTINGS DIFFER'}"
    )
