"""The work of each piece of `make gpu`: ``python -m tools.gpu.pieces NAME DEVICE END FOLDER``.

A piece writes NAME.json into the folder whenever it knows more, so that it can be ended at any
time. The file holds fields of :class:`tools.gpu.results.Results`.
"""

import dataclasses
import itertools
import json
import signal
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
from torch.overrides import TorchFunctionMode

from gancourse import bench, gans, runs, trained
from gancourse.bench import speed
from gancourse.bench.machine import origin
from gancourse.errors import CourseError
from gancourse.fields import example
from gancourse.files import schema
from gancourse.training import runtime
from gancourse.training.graphs import replayed
from tools.gpu import curves, results
from tools.gpu.results import ROOT, file_name, say

# How far a step may be from that of the CPU in fp32: of the losses, of the gradients. G's gradient
# comes after D's first step of Adam, which has the same size however small a gradient is: rounding
# turns some around. On a CPU, channels_last differs by 2 % in fp32, and bf16 by 19 %.
FAR = {"exact": (0.01, 0.1), "fp32": (0.01, 0.25), "bf16": (0.1, 0.5)}
TESTS = ROOT / "tests"

# Networks that are larger than a CPU can train in an hour; a generator's file stays below 4 MB.
WIDER = {
    "dcgan-toons": {"ndf": 64, "batch_size": 64, "steps": 24_000},
    "dcgan-emoji": {"ndf": 64, "batch_size": 64, "steps": 20_000},
    # With a D of 64 to 512 channels it wins, and the judge FID is 450 after 2,800 steps.
    "lsgan-toons": {"steps": 20_000},
    "srgan-toons": {"pretrain_steps": 6_000, "steps": 3_000},
    "acgan-digits": {"g_channels": (256, 128, 64), "d_channels": (64, 128, 128, 256, 256)},
    "acgan-fashion": {"g_channels": (256, 128, 64), "d_channels": (64, 128, 128, 256, 256)},
    "cyclegan-seasons": {"ndf": 32},
    "stargan-toons": {"ngf": 32, "ndf": 32},
    "stargan-emoji": {"ngf": 32, "ndf": 32},
    "pix2pix-hints2face": {"d_channels": (64, 128, 256)},
    "pix2pix-map2scene": {"d_channels": (64, 128, 256)},
    "pix2pix-sketch2face": {"d_channels": (64, 128, 256, 256, 256)},
    "pix2pix-noto2fluent": {"d_channels": (64, 128, 256)},
}


class Gathered:
    """The results so far, and the folder that they are written to.

    Parameters
    ----------
    device : str
    budget : float
    work : Path
        The folder of the pieces' files.
    out : Path
    """

    def __init__(self, device, budget, work, out):
        found = results.Results(origin=origin(runtime.find_device(device)), budget=budget)
        self.found, self.work, self.out, self.log = dataclasses.asdict(found), work, out, []

    def add(self, name, status, seconds):
        """Add what a piece has left behind, write everything, and return a remark on it."""
        self.found["pieces"].append({"name": name, "status": status, "seconds": round(seconds, 1)})
        file, note = file_name(name), ""
        log = self.work / f"{file}.log"
        if log.exists():
            self.log.append(f"=== {name}\n{log.read_text(errors='replace')}")
        try:
            left = json.loads((self.work / f"{file}.json").read_text())
        except (OSError, ValueError):
            left = {}
        for key, value in left.items():
            self.found[key] = merged(self.found[key], value)
        path = self.work / f"{name.partition(':')[2]}.safetensors"
        if path.exists() and any(one["fits"] for one in left.get("trained", [])):
            note = "" if results.pack(self.out, path) else "; no room for its weights"
        self.write()
        return note

    def write(self):
        """Write the results and the log."""
        found = schema.read(results.Results, self.found, "the results", CourseError)
        results.write(self.out, found, "\n".join(self.log))


def merged(known, more):
    """Return what two pieces know together, of lists the rows and of dicts the keys of both."""
    if isinstance(known, list) and isinstance(more, list):
        return [*known, *more]
    if isinstance(known, dict) and isinstance(more, dict):
        return known | {k: merged(known[k], v) if k in known else v for k, v in more.items()}
    return more


def kind_of_device(name):
    """Return "cpu", "cuda" or "mps" for a device's name; an error if it is not here."""
    return runtime.find_device(name).type


# The pieces. Each is given the device's name, its seconds, the folder, and what follows the colon.


def tests(device, seconds, folder, which, write):
    """Run the tests marked ``gpu``."""
    import pytest

    found = {"passed": 0, "skipped": 0, "failed": []}

    class Counter:
        def pytest_runtest_logreport(self, report):
            if report.failed:
                found["failed"].append(f"{report.nodeid} ({report.when})")
            found["passed"] += report.when == "call" and report.passed
            found["skipped"] += report.skipped
            write(tests=found)

    files = [str(p) for p in sorted(TESTS.rglob("test_*.py")) if "mark.gpu" in p.read_text()]
    # Without the options of pyproject.toml, which ask for nbval.
    options = ["-m", "gpu", "-q", "-o", "addopts=--strict-markers", "-p", "no:cacheprovider"]
    code = pytest.main([*options, *files], plugins=[Counter()])
    if code not in (0, 1):
        raise SystemExit(f"pytest ended with status {code}")


def agreement(device, seconds, folder, which, write):
    """Compare a step of each GAN, in each precision, with the same step on the CPU in fp32.

    A rehearsal takes the smallest networks, here and where speed is measured.
    """
    found, here = [], runtime.find_device(device)
    hows = {"exact fp32": {}, "fp32": {}, "fp32 channels_last": {"channels_last": True}}
    if runtime.fast_precision(here) == "bf16":
        hows |= {"bf16": {"precision": "bf16"}}
        hows |= {"bf16 channels_last": {"precision": "bf16", "channels_last": True}}
    for name in gans.names():
        module = gans.find(name)
        cfg = module.PRESETS[preset_for(here)]
        truth = one_step(module, cfg, runtime.start("cpu", 0))
        for how, options in hows.items():
            torch.backends.cudnn.allow_tf32 = how != "exact fp32"
            losses, gradients = one_step(module, cfg, runtime.start(device, 0, **options))
            off = max(
                abs(losses[tag] - value) / max(1.0, abs(value)) for tag, value in truth[0].items()
            )
            angles = {
                player: ((gradients[player] - g).norm() / g.norm()).item()
                for player, g in truth[1].items()
            }
            far = FAR["exact" if "exact" in how else options.get("precision", "fp32")]
            agrees = off <= far[0] and max(angles.values()) <= far[1]
            found.append(
                {
                    **{"gan": name, "how": how, "losses": off, "gradients": angles},
                    "agrees": bool(agrees),
                }
            )
            print(found[-1], flush=True)
            write(agreement=found)


class DrawnOnTheCPU(TorchFunctionMode):
    """Lets random numbers be drawn on the CPU, so that they are the same on each device."""

    DRAWS = (torch.randn, torch.rand, torch.randint, torch.randperm)
    LIKE = (torch.randn_like, torch.rand_like)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function in self.DRAWS and kwargs.get("generator") is None:
            device = kwargs.pop("device", "cpu")
            return function(*args, **kwargs).to(device)
        if function in self.LIKE:
            like = torch.empty(args[0].shape)
            return function(like).to(args[0].device, args[0].dtype)
        if function is torch.nn.functional.dropout:
            return self.dropout(*args, **kwargs)
        return function(*args, **kwargs)

    @staticmethod
    def dropout(input, p=0.5, training=True, inplace=False):
        """Drop a share of the numbers, as ``torch.nn.functional.dropout`` does."""
        if not training or not p:
            return input
        kept = torch.rand(input.shape) >= p
        return input * (kept / (1 - p)).to(input.device, input.dtype)


def one_step(module, cfg, run):
    """Make the first steps of a GAN on a made-up batch, until each player has moved.

    Returns
    -------
    losses : dict of str to float
    gradients : dict of str to Tensor
        Those of each player's first update, all in one vector on the CPU.
    """
    frozen = trained.frozen_for(module, "cpu")
    torch.manual_seed(0)
    begin = module.build(cfg, runtime.Run(device=torch.device("cpu")), **frozen)
    gan = module.build(cfg, run, **trained.frozen_for(module, run.device))
    names = [name for names in module.PLAYERS.values() for name in names]
    for name in names:
        getattr(gan, name).load_state_dict(getattr(begin, name).state_dict())
    gradients = {}

    def keep(player):
        def hook(optimizer, *_):
            grads = [w.grad.float().flatten() for g in optimizer.param_groups for w in g["params"]]
            gradients.setdefault(player, torch.cat(grads).cpu())

        return hook

    for player in module.PLAYERS:
        optimizer = getattr(gan, f"opt_{player.lower()}")
        optimizer.register_step_pre_hook(keep(player))
    taken = {name: field for name, field in module.inputs(cfg).items() if name in module.TAKES}
    batch = example(taken, cfg.batch_size, torch.Generator().manual_seed(0))
    batch = {name: rows.to(run.device) for name, rows in batch.items()}
    stages = gans.step_function(module, cfg)[0]
    step = getattr(stages, "stages", [(stages, 0)])[-1][0]  # that of the last stage
    gan.step = getattr(stages, "steps", cfg.steps) - cfg.steps  # at which it begins
    torch.manual_seed(1)
    losses = {}
    with DrawnOnTheCPU():
        while gradients.keys() != module.PLAYERS.keys():  # G may wait for several updates of D
            losses |= step(gan, batch, run)
            gan.step += 1
    return {tag: loss.item() for tag, loss in losses.items()}, gradients


def preset_for(device):
    """Return the preset to compare and to time: "laptop", or "smoke" on a CPU."""
    return "smoke" if device.type == "cpu" else "laptop"


def curves_of_one(device, seconds, folder, which, write):
    """Train a GAN for a few hundred steps in two settings, with several seeds, and compare."""
    here = runtime.find_device(device)
    for found in curves.trainings(which, here, preset_for(here)):
        one = found.tries[-1]
        print(f"{one.how}, seed {one.seed}: {found.measure} {one.quality:.4g}", flush=True)
        write(curves=[dataclasses.asdict(found)])
    print(*map(curves.line, found.verdicts), sep="\n", flush=True)


def speed_of_one(device, seconds, folder, which, write):
    """Run the quick benchmark for a GAN, and time a step of its ``paper`` preset.

    Several of these pieces prepare their data at once; one at a time uses the device.
    """
    here = runtime.find_device(device)
    plan = speed.prepare(which, preset_for(here))
    alone, measured = partial(lock, Path(folder) / "timed"), Path(folder) / "peaks.json"
    with alone():
        if not measured.exists():
            found = {kind: bench.machine.peak(here, kind) for kind in bench.precisions(here)}
            measured.write_text(json.dumps(found))
    peaks = json.loads(measured.read_text())
    short = {"rounds": 3, "seconds": 0.1} if here.type == "cuda" else {}
    rows = speed.measure(plan, here, peaks=peaks, alone=alone, **short)
    print(*map(bench.line, rows), sep="\n", flush=True)
    rows = bench.Speeds(origin=origin(here), peaks=peaks, rows=rows)
    write(speed=dataclasses.asdict(rows))
    step = speed.paper_step(which, here, 0.15, alone)
    print(which, step, flush=True)
    write(speed=dataclasses.asdict(rows), paper={which: step})


@contextmanager
def lock(path):
    """Hold a lock that the processes of a folder share."""
    import fcntl  # make gpu runs on Linux

    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def recipe(device, seconds, folder, which, write):
    """Train a recipe for as long as there is time. `make gpu-take` measures what comes of it."""
    from tools import train_pretrained  # with torchmetrics, which takes a second or two to import

    begin = time.perf_counter()
    base, plan = train_pretrained.RECIPES[which], planned(which)
    data = plan.data.to(runtime.find_device(device))  # drawn there, once
    plan = dataclasses.replace(plan, data=data)
    kept = {"channels_last": base.channels_last}
    hows = [{"precision": precision} | kept for precision in precisions_of(base, device)]
    costs = [seconds_a_step(plan, runtime.start(device, 0, **how)) for how in hows]
    cost, how = min(zip(costs, hows, strict=True), key=lambda pair: pair[0])
    run = runtime.start(device, 0, **how)
    train = seconds - (time.perf_counter() - begin) - 10  # the rest is for writing
    steps = max(1, min(plan.cfg.steps, int(0.95 * train / cost)))
    print(f"{run}: {1e3 * cost:.1f} ms a step, {steps:,} steps", flush=True)
    plan = dataclasses.replace(planned(which, steps), data=data)
    gan = plan.build(run)
    with stopped_after(train):
        history = plan.train(gan, run, quiet=True)
    path = Path(folder) / f"{which}.safetensors"
    more = WIDER.get(which, {}) | {"steps": plan.cfg.steps}
    more |= {"lr_decay": plan.cfg.lr_decay} if "lr_decay" in base.changes else {}
    train_pretrained.publish(path, gan, plan, run, history, base, more, measured=False)
    fits = path.stat().st_size <= results.LARGEST
    found = {"name": which, "step": gan.step, "seconds": round(history.seconds[-1], 1)}
    print(found, f"{path.stat().st_size:,} bytes", flush=True)
    write(trained=[found | {"fits": fits}])


def precisions_of(base, device):
    """Return the precisions that a recipe may be trained in, the first by its own choice."""
    fast = runtime.fast_precision(runtime.find_device(device))
    return dict.fromkeys([fast if base.precision == "auto" else base.precision, "fp32"])


def planned(name, steps=None):
    """Return the plan of a recipe with its wider networks.

    With another number of steps, step sizes that decay end where those of the recipe do.
    """
    from tools import train_pretrained

    base = train_pretrained.RECIPES[name]
    changes = {"steps": base.steps} | base.changes | WIDER.get(name, {})
    if "lr_decay" in changes:
        changes["lr_decay"] **= base.steps / (steps or changes["steps"])
    changes["steps"] = steps or changes["steps"]
    return runs.prepare(base.model, base.data, "laptop", like=base.like, **changes)


def seconds_a_step(plan, run, count=40):
    """Return how long a step takes, from a few steps of a GAN that is thrown away."""
    gan, data = plan.build(run), plan.data.to(run.device)
    step = replayed(gans.step_function(plan.module, plan.cfg)[0], gan, run)
    clock = bench.machine.Clock(run.device)
    for gan.step in range(speed.FIRST if run.graphs else 3):
        step(gan, data.batch(gan.step, plan.cfg.batch_size, run), run)
    clock.read()  # waits
    wall = time.perf_counter()
    for done in itertools.count(1):
        gan.step += 1
        step(gan, data.batch(gan.step, plan.cfg.batch_size, run), run)
        if done == count or time.perf_counter() - wall > 3:
            break
    clock.read()
    return (time.perf_counter() - wall) / done


@contextmanager
def stopped_after(seconds):
    """Press the training loop's stop button after so many seconds."""

    def press(*_):
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.setitimer(signal.ITIMER_REAL, 1.0)  # the loop has not begun, or has ended
        else:
            signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGALRM, press)
    signal.setitimer(signal.ITIMER_REAL, max(0.1, seconds))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def lesson(device, seconds, folder, which, write):
    """Execute the cells of a lesson in this process, one after the other.

    It needs IPython, ipywidgets and anywidget for what the cells import, but no Jupyter. An
    interactive figure is made and not shown.
    """
    import nbformat

    from gancourse import lesson as called
    from gancourse.batch import lessons

    path = lessons.by_number()[which]
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    claims, begin = [], time.perf_counter()
    found = {"name": path.stem, "cells": [0, len(cells)], "claims": claims, "error": ""}

    def note(*outputs, **_):
        for output in outputs:
            bundle = getattr(output, "bundle", None)
            claim = bundle.get(lessons.CLAIM) if isinstance(bundle, dict) else None
            if claim:
                claims.append([claim["text"], claim["holds"]])

    called.display = note
    space = {"__name__": "__main__", "display": note}
    for number, cell in enumerate(cells, 1):
        try:
            execute(cell, f"<cell {number} of {path.stem}>", space)
        except BaseException as error:
            found["error"] = f"cell {number}: {type(error).__name__}: {error!s:.300}"
            raise
        finally:
            found["seconds"] = round(time.perf_counter() - begin, 1)
            found["cells"][0] = number - bool(found["error"])
            write(lessons=[found])
        if "parameters" in cell.metadata.get("tags", []):
            space["device"] = device


def execute(cell, name, space):
    """Execute a cell; its functions have a source, as those of a notebook do."""
    import linecache

    lines = cell.source.splitlines(keepends=True)
    linecache.cache[name] = (len(cell.source), None, lines, name)
    exec(compile(cell.source, name, "exec"), space)


PIECES = {
    **{"tests": tests, "agreement": agreement, "speed": speed_of_one},
    **{"recipe": recipe, "lesson": lesson, "curves": curves_of_one},
}


def main(name, device, end, folder):
    """Do the work of one piece, which ends at ``end``, in seconds since 1970."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped: the time is up"))
    kind, _, which = name.partition(":")
    path = Path(folder) / f"{file_name(name)}.json"

    def write(**found):
        path.with_suffix(".part").write_text(json.dumps(found))
        path.with_suffix(".part").replace(path)

    begin = time.perf_counter()
    PIECES[kind](device, float(end) - time.time(), folder, which, write)
    say(f"{name}: {time.perf_counter() - begin:.1f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
