"""The pieces of `make gpu`, their order, their budgets, and how they are run.

Each piece is a process: what it has written by the end of its time is kept, whatever becomes of
it. After each piece the folder holds all results so far.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from gancourse import bench, gans
from gancourse.errors import choose
from tools.gpu import curves, results
from tools.gpu.results import BENCHMARKS, ROOT, file_name, say

RESERVE = 8.0  # seconds at the end, for what is written last
GRACE = 3.0  # seconds that a piece has for its last words

# From the most valuable on; other recipes come last.
FIRST = (
    *("dcgan-toons", "stargan-toons", "lsgan-toons", "cyclegan-seasons", "srgan-toons"),
    *(
        "wgan_gp-toons",
        "pix2pix-hints2face",
        "pix2pix-map2scene",
        "vanilla-digits",
        "cgan-digits",
        "dcgan-emoji",
        "stargan-emoji",
    ),
    *("acgan-fashion", "pix2pix-sketch2face", "cgan-fashion", "cyclegan-studios"),
    *("pix2pix-noto2fluent", "acgan-digits"),
)
# The GANs of the first lessons first, then the others.
GANS = ("dcgan", "vanilla", "lsgan", "acgan", "cgan", "pix2pix", "cyclegan", "stargan")
GANS += tuple(name for name in gans.names() if name not in GANS)
LESSONS = tuple(sorted(path.name[:2] for path in (ROOT / "notebooks").glob("[0-9]*_*.ipynb")))


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Pieces that run in turn, or several at once.

    Attributes
    ----------
    names : tuple of str
        Each "kind" or "kind:which", where the kind is a function of ``pieces.py``.
    share : float
        Of the time. What a stage leaves over goes to those after it.
    most : float
        Seconds of a piece, at most.
    least : float
        Seconds below which a piece is not begun.
    at_once : int
        How many pieces run at once on a GPU. On a CPU it is one.
    """

    names: tuple
    share: float
    most: float = float("inf")
    least: float = 5.0
    at_once: int = 1


def all_stages(recipes, known=()):
    """Return the stages of the plan.

    Pieces that time steps prepare their data at once and use the GPU in turns. Small networks leave
    most of a GPU idle: recipes and lessons share it. Within a stage, GANs and lessons that have no
    figures yet come first.

    Parameters
    ----------
    recipes : iterable of str
        The names of all recipes.
    known : collection of str
        The pieces whose figures are on record; see :func:`on_record`.

    Returns
    -------
    tuple of Stage
    """
    order = [name for name in FIRST if name in recipes]
    order += [name for name in recipes if name not in FIRST]
    trained = tuple(f"recipe:{name}" for name in order)
    read = tuple(sorted((f"lesson:{name}" for name in LESSONS), key=known.__contains__))
    compared = tuple(f"curves:{name}" for name in curves.GANS)
    timed = tuple(sorted((f"speed:{name}" for name in GANS), key=known.__contains__))
    return (
        Stage(names=("tests", "agreement"), share=60, at_once=2),
        Stage(names=compared, share=50, at_once=2),
        Stage(names=timed, share=120, at_once=6),
        Stage(names=trained, share=200, most=200, least=60, at_once=3),
        Stage(names=read, share=110, at_once=8),
    )


def on_record(kind, benchmarks=BENCHMARKS):
    """Return the pieces whose figures a device of a kind has on record, whole or not.

    A lesson that was stopped counts: those that nobody has begun come before it.

    Parameters
    ----------
    kind : {"cpu", "cuda", "mps"}
    benchmarks : path

    Returns
    -------
    set of str
    """
    speeds, rest = results.recorded(benchmarks, kind)
    timed = {row.gan for row in bench.rows_of(speeds)} & {gan for one in rest for gan in one.paper}
    read = {lesson.name[:2] for one in rest for lesson in one.lessons}
    return {f"speed:{gan}" for gan in timed} | {f"lesson:{number}" for number in read}


def chosen(stages, only):
    """Return the stages with the pieces that are named, each by itself or by its kind.

    Raises
    ------
    CourseError
        If a name is no piece's and no kind's.
    """
    pieces = [name for stage in stages for name in stage.names]
    kinds = [name.partition(":")[0] for name in pieces]
    for name in only:
        choose("piece", name, dict.fromkeys([*kinds, *pieces]))
    found = (
        replace(stage, names=tuple(n for n in stage.names if {n, n.partition(":")[0]} & {*only}))
        for stage in stages
    )
    return tuple(stage for stage in found if stage.names)


def rehearsed(stages):
    """Return the stages for a CPU, with the recipes that train fastest first."""
    quick = "recipe:vanilla-digits", "recipe:cgan-digits"
    return tuple(
        replace(stage, names=tuple(sorted(stage.names, key=lambda name: name not in quick)))
        for stage in stages
    )


class Budget:
    """Seconds that are left of a number of them.

    Parameters
    ----------
    seconds : float
    clock : callable
    """

    def __init__(self, seconds, clock=time.monotonic):
        self.clock, self.end = clock, clock() + seconds - RESERVE

    def left(self):
        """Return the seconds that are left, 0 at least."""
        return max(0.0, self.end - self.clock())


def carry_out(stages, budget, start, done, alone, wait=time.sleep):
    """Run the pieces of all stages as far as the budget reaches.

    Parameters
    ----------
    stages : sequence of Stage
    budget : Budget
    start : callable
        ``start(name, seconds)`` begins a piece and returns its process, which has ``poll()``,
        ``stop()`` and ``kill()``.
    done : callable
        ``done(name, status, seconds)`` is told what became of each piece.
    alone : bool
        Run one piece at a time.
    wait : callable
        Waits for some seconds.
    """
    shares = [stage.share for stage in stages]
    for i, stage in enumerate(stages):
        end = budget.clock() + budget.left() * shares[i] / sum(shares[i:])
        running = {}
        try:
            carry_out_stage(stage, end, budget.clock, start, done, alone, wait, running)
        finally:  # also when this program is ended
            for process, _, _ in running.values():
                process.kill()


def carry_out_stage(stage, end, clock, start, done, alone, wait, running):
    """Run the pieces of a stage until ``end``; ``running`` always holds those at work.

    See :func:`carry_out`.
    """
    waiting = list(stage.names)
    while waiting or running:
        now = clock()
        while waiting and len(running) < (1 if alone else stage.at_once):
            seconds = min(stage.most, end - now)
            if seconds < stage.least:
                for name in waiting:
                    done(name, "not begun", 0.0)
                waiting = []
                break
            name = waiting.pop(0)
            running[name] = (start(name, seconds), now, now + seconds)
        for name, (process, begun, last) in list(running.items()):
            code = process.poll()
            if code is None and now <= last:
                continue
            if code is None and now <= last + GRACE:
                process.stop()
                continue
            if code is None:
                process.kill()
            del running[name]
            late = "stopped" if now > last else "failed"
            done(name, "done" if code == 0 else late, now - begun)
        if running:
            wait(0.2)


class Process:
    """A piece at work, in a process group of its own.

    On a CPU, which is for rehearsals, lessons are run in the smoke preset.

    Parameters
    ----------
    name : str
    seconds : float
        How long it may take.
    device : str
    work : Path
        The folder of its files.
    threads : int
        Of the CPU.
    """

    def __init__(self, name, seconds, device, work, threads):
        end = time.time() + seconds  # what PyTorch takes to be imported counts
        words = ["-m", "tools.gpu.pieces", name, device, f"{end:.1f}", work]
        environment = os.environ | {
            "OMP_NUM_THREADS": str(threads),
            "MPLBACKEND": "Agg",
            "GANCOURSE_CACHE": str(work / "cache"),
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        }
        if device == "cpu":
            environment["GANCOURSE_PRESET"] = "smoke"
        self.log = open(work / f"{file_name(name)}.log", "wb")
        self.process = subprocess.Popen(
            [sys.executable, *map(str, words)],
            **{"stdout": self.log, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL},
            **{"cwd": ROOT, "env": environment, "start_new_session": True},
        )

    def poll(self):
        """Return the exit status, or None while it runs."""
        code = self.process.poll()
        if code is not None:
            self.log.close()
        return code

    def stop(self):
        """Ask it to end."""
        self._signal(signal.SIGTERM)

    def kill(self):
        """End it and what it started."""
        self._signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def _signal(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass


def main(device, seconds, out, only=()):
    """Carry out the plan; see the Makefile.

    Parameters
    ----------
    device : str
    seconds : float
        From now on, for everything.
    out : path
        The folder of the results.
    only : sequence of str
        The pieces to run, if not all: "speed", "recipe:dcgan-toons".

    Raises
    ------
    CourseError
        If ``only`` names no piece, or what is on record cannot be read.
    """
    budget, out = Budget(seconds), Path(out)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    out.mkdir(parents=True, exist_ok=True)
    for old in (results.RESULTS, results.LOG, *(map(results.WEIGHTS.format, range(1, 6)))):
        (out / old).unlink(missing_ok=True)
    from tools import train_pretrained  # PyTorch, which takes a while: it counts
    from tools.gpu import pieces

    kind = pieces.kind_of_device(device)
    alone = kind == "cpu"
    stages = all_stages(train_pretrained.RECIPES, on_record(kind))
    stages = rehearsed(stages) if alone else stages
    stages = chosen(stages, only) if only else stages
    with tempfile.TemporaryDirectory(prefix="gancourse-gpu-") as work:
        work = Path(work)
        gathered = pieces.Gathered(device, seconds, work, out)

        def start(name, seconds):
            stage = next(stage for stage in stages if name in stage.names)
            at_once = 1 if alone else min(stage.at_once, len(stage.names))
            say(f"{name}: begun, {seconds:.0f} s at most")
            # A rehearsal has one thread: two are much slower where other programs run.
            threads = 1 if alone else max(1, (os.cpu_count() or 1) // at_once)
            return Process(name, seconds, device, work, threads)

        def done(name, status, spent):
            say(f"{name}: {status} after {spent:.0f} s{gathered.add(name, status, spent)}")

        try:
            carry_out(stages, budget, start, done, alone)
        finally:
            gathered.write()
    say(f"see {out / results.RESULTS}; `make gpu-take FOLDER={out}` keeps what is better")
