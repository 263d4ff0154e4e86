"""How many pictures a second each side trains on, in turns, as a ratio with its spread."""

import contextlib
import statistics
from dataclasses import dataclass, replace

import torch
from torch import nn

from gancourse import gans, runs
from gancourse.bench import parts
from gancourse.bench.machine import Clock
from gancourse.bench.sides import TUTORIAL, Ours, Tutorial
from gancourse.errors import CourseError
from gancourse.training import effort, runtime
from gancourse.training.graphs import replayed

# The data of each GAN; a file that is not listed gets the first that it takes.
DATA = {
    "vanilla": "digits",
    "dcgan": "toons:2000",
    "lsgan": "toons:2000",
    "acgan": "digits",
    "cgan": "digits",
    "pix2pix": "sketch2face:2000",
    "cyclegan": "seasons:2000",
    "stargan": "toons:2000",
}
OTHERS = ("digits", "toons:2000", "scenes:2000", "sketch2face:2000", "seasons:2000", "ring")
OTHERS += ("small2large:toons:2000", "layouts:2000")
# Steps by which a GAN has its graph: if all are alike, and if some differ, such as every fifth.
ALIKE, FIRST = 4, 20
# Our trainer in each precision and memory format.
OURS = {
    "fp32": {},
    "bf16": {"precision": "bf16"},
    "channels_last": {"channels_last": True},
    "bf16 channels_last": {"precision": "bf16", "channels_last": True},
}
COMPILED = {"compile": {"compile": True}}  # takes minutes to begin
# On CUDA, where launching bounds small networks: one by one in fp32, and as graphs.
GRAPHS = {"fp32": {"graphs": False}, "fp32 graphs": {}}
GRAPHS |= {"bf16 channels_last graphs": OURS["bf16 channels_last"]}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One side of one GAN.

    Attributes
    ----------
    gan, data, preset : str
    batch : int
        Pictures a step.
    threads : int
        Of the CPU.
    clock : str
        "wall", or "cpu" for the time in which the process computed.
    side : str
        "tutorial", or how our trainer computed.
    ms : float
        The median time of a step, in milliseconds.
    ratio : tuple of float
        The speed relative to the tutorial loop's, timed just before: lowest, median and highest.
    shares : dict of str to float
        Which share of the time went where; see :func:`gancourse.bench.parts.shares`. Empty but for
        the tutorial loop, our trainer in fp32, and the fastest.
    operations : float
        Of a step of the networks, the mean over the first steps.
    of_peak : float or None
        Operations a second, as a share of those of a large matrix product.
    memory : int or None
        The most bytes that were in use, on a CPU those that training adds; None if not measured.
    """

    gan: str
    data: str
    preset: str
    batch: int
    threads: int
    clock: str
    side: str
    ms: float
    ratio: tuple[float, float, float]
    shares: dict[str, float]
    operations: float
    of_peak: float | None = None
    memory: int | None = None

    @property
    def images(self):
        """Pictures a second."""
        return 1e3 * self.batch / self.ms

    @property
    def outside(self):
        """The share of the time outside the arithmetic of the networks; None if not measured."""
        if not self.shares:
            return None
        return 1 - sum(self.shares.get(kind, 0) for kind in parts.ARITHMETIC)


def fastest(sides):
    """Return the fastest of our rows of a GAN, by side, against the tutorial loop in its turns."""
    return max((row for side, row in sides.items() if side != TUTORIAL), key=lambda r: r.ratio[1])


def prepare(name, preset="laptop", **changes):
    """Return the :class:`gancourse.runs.Plan` of a GAN on its data of the benchmark."""
    problem = None
    for data in [DATA[name]] if name in DATA else OTHERS:
        try:
            return runs.prepare(name, data, preset, **changes)
        except CourseError as error:
            problem = error
    raise problem


def sides_of(device):
    """Return our sides for a device: options of :class:`Ours` by name."""
    fast = runtime.fast_precision(device)
    sides = GRAPHS if device.type == "cuda" else OURS
    return {k: v for k, v in sides.items() if v.get("precision", "fp32") in ("fp32", fast)}


def measure(
    plan, device, *, sides=None, rounds=5, seconds=0.3, peaks=None, alone=contextlib.nullcontext
):
    """Time the tutorial loop and each of our sides in turns, in one process.

    Parameters
    ----------
    plan : gancourse.runs.Plan
    device : torch.device
    sides : dict of str to dict, optional
        Options of :class:`Ours`, by name; by default those of :func:`sides_of`.
    rounds : int
        How often each side is timed.
    seconds : float
        About how long, each time.
    peaks : dict of str to float, optional
        Operations a second by precision, from :func:`gancourse.bench.machine.peak`.
    alone : callable
        Returns a context in which nothing else uses the device.

    Returns
    -------
    list of Row
        The tutorial loop first. A side that does not run here is left out.
    """
    clock, sides = Clock(device), sides_of(device) if sides is None else sides
    ready, counts, memory = {TUTORIAL: Tutorial(plan, str(device))}, {}, {}
    networks = [net for net in ready[TUTORIAL].gan.parts().values() if hasattr(net, "modules")]
    flat = not any(isinstance(layer, nn.Conv2d) for net in networks for layer in net.modules())
    for name, options in sides.items():
        if not (flat and options.get("channels_last")):
            with left_out(f"{plan.name} {name}"):
                ready[name] = Ours(plan, str(device), **options)
    with alone():
        running = {}
        for name, side in ready.items():
            with left_out(f"{plan.name} {name}"):
                counts[name] = warm_up(side, clock, seconds)
                running[name] = side
        times = {name: [] for name in running}
        for _ in range(rounds):
            for name, side in running.items():
                if device.type == "cuda":
                    torch.cuda.reset_peak_memory_stats(device)
                times[name].append(clock.time(side.go, counts[name]) / counts[name])
                if device.type == "cuda":
                    memory[name] = torch.cuda.max_memory_allocated(device)
        medians = {name: statistics.median(spent) for name, spent in times.items()}
        fastest = sorted(running.keys() - {TUTORIAL}, key=medians.get)[:1]
        shown = running.keys() & {TUTORIAL, "fp32", *fastest}
        shares = {name: parts.shares(running[name], seconds) for name in shown}
    work = operations(plan)
    rows = []
    for name in running:
        ratios = [b / a for a, b in zip(times[name], times[TUTORIAL], strict=True)]
        step = medians[name]
        rows.append(
            of_peak(
                Row(
                    gan=plan.name,
                    data=plan.data.name,
                    preset=plan.preset,
                    batch=plan.cfg.batch_size,
                    threads=torch.get_num_threads(),
                    clock=clock.kind,
                    side=name,
                    ms=round(1e3 * step, 3),
                    ratio=tuple(round(f(ratios), 3) for f in (min, statistics.median, max)),
                    shares={kind: round(v, 3) for kind, v in shares.get(name, {}).items()},
                    operations=work,
                    memory=memory.get(name),
                ),
                peaks or {},
            )
        )
    return rows


def of_peak(row, peaks):
    """Return a row with its share of the peak of its precision, if that peak is known."""
    most = peaks.get("bf16" if "bf16" in row.side else "fp32")
    return replace(row, of_peak=most and round(row.operations / row.ms * 1e3 / most, 4))


@contextlib.contextmanager
def left_out(name):
    """Say that a side is left out if it does not run here: no compiler, or no bf16."""
    try:
        yield
    except Exception as error:  # which says so in many ways
        print(f"{name}: left out ({str(error).splitlines()[0][:80]})")


def warm_up(side, clock, seconds):
    """Make the first steps, which compile and allocate; return how many take so many seconds."""
    side.go(ALIKE)
    if getattr(side.step, "questions", ()):
        side.go(FIRST - ALIKE)
    return max(2, round(seconds * 5 / clock.time(side.go, 5)))


def operations(plan, steps=8):
    """Return the mean number of operations of a step of the networks, over the first ``steps``."""
    step, _ = gans.step_function(plan.module, plan.cfg)
    fields = {name: plan.data.fields[name] for name in plan.module.TAKES}

    def at(number):
        def build(run):
            gan = plan.build(run)
            gan.step = number
            return gan

        return effort.operations(build, step, fields, plan.cfg.batch_size)

    return sum(map(at, range(steps))) / steps


def paper_step(name, device, seconds=3.0, alone=contextlib.nullcontext):
    """Time a step of the ``paper`` preset on a made-up batch, in each precision that runs here.

    On CUDA, steps are replayed as graphs where their optimizers allow it.

    Returns
    -------
    dict of str to float
        Milliseconds a step by precision; "steps", how many the preset has; "hours" for all of
        them in the fastest precision.
    """
    from gancourse import trained
    from gancourse.fields import example

    module = gans.find(name)
    cfg = module.PRESETS["paper"]
    plain, steps = gans.step_function(module, cfg)
    taken = {name: field for name, field in module.inputs(cfg).items() if name in module.TAKES}
    found = {"steps": steps}
    for precision in dict.fromkeys(("fp32", runtime.fast_precision(device))):
        run = runtime.start(str(device), 0, precision=precision)
        gan = module.build(cfg, run, **trained.frozen_for(module, device))
        batch = example(taken, cfg.batch_size, device=device)
        step, clock, times = replayed(plain, gan, run), Clock(device), []
        with alone():
            for _ in range(ALIKE if run.graphs else 1):
                step(gan, batch, run)
                gan.step += 1
            while getattr(step, "questions", ()) and gan.step < FIRST:
                step(gan, batch, run)
                gan.step += 1
            while not times or (sum(times) < seconds and len(times) < 50):
                times.append(clock.time(step, gan, batch, run))
                gan.step += 1
        found[precision] = round(1e3 * statistics.fmean(times), 3)
    fastest = min(ms for name, ms in found.items() if name != "steps")
    return found | {"hours": round(fastest * steps / 3.6e6, 2)}
