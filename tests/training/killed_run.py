"""A training run that kills itself at a named moment; test_loop.py starts it."""

import multiprocessing
import os
from dataclasses import replace

from gancourse import files
from gancourse.data.mixtures import ring
from gancourse.gans import vanilla
from gancourse.training import runtime
from gancourse.training.loop import train

# Importing PyTorch takes seconds: one process does it, and each run is a fork of that process.
FORKS = "forkserver" in multiprocessing.get_all_start_methods()
PROCESSES = multiprocessing.get_context("forkserver" if FORKS else "spawn")
if FORKS:
    PROCESSES.set_forkserver_preload([train.__module__, vanilla.__name__, "gancourse.plotting"])


def start(folder, moment, count):
    """Run in a process of its own, and return how that ended: 0, or 1 after an exception.

    The process is killed, as by ``kill -9``, at the ``count``-th "step", "write" or "replace";
    "never" lets it finish.
    """
    process = PROCESSES.Process(target=_run, args=(folder, moment, count))
    process.start()
    process.join()
    return process.exitcode


def _run(folder, moment, count):
    left = count

    def die_when_due(this):
        nonlocal left
        if this == moment:
            left -= 1
            if left == 0:
                os._exit(9) if os.name == "nt" else os.kill(os.getpid(), 9)

    def step(gan, batch, run):
        die_when_due("step")
        return vanilla.train_step(gan, batch, run)

    real_open, real_replace = open, os.replace

    def watched_open(path, mode="r", **options):
        file = real_open(path, mode, **options)
        if str(path).endswith(".part"):  # a checkpoint, a picture or the history is half written
            file.write(b"half")
            file.flush()
            die_when_due("write")
            file.seek(0)
            file.truncate()
        return file

    def watched_replace(*paths):
        die_when_due("replace")
        real_replace(*paths)

    files.open = watched_open
    os.replace = watched_replace

    run = runtime.start("cpu", seed=1)
    cfg = replace(vanilla.PLANE["smoke"], steps=60, ema_decay=0.9)
    train(
        vanilla.build(cfg, run),
        step,
        ring(),
        run,
        out_dir=folder,
        resume=True,
        sample=vanilla.sample,
        checkpoint_every=10,
        sample_every=20,
        log_every=3,
        quiet=True,
    )
