"""Training runs that are killed, as by ``kill -9``, and gone on with until they end.

The tests kill a few. ``python tests/training/killed_run.py 200`` kills as many over all GANs, and
says whether every run ended as one that was left alone.
"""

import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
from pathlib import Path

import torch

from gancourse import gans, runs
from gancourse.errors import CourseError
from gancourse.files import statefile
from gancourse.training import runtime

# Importing PyTorch takes seconds: one process does it, and each run is a fork of that process.
FORKS = "forkserver" in multiprocessing.get_all_start_methods()
PROCESSES = multiprocessing.get_context("forkserver" if FORKS else "spawn")
if FORKS:
    PROCESSES.set_forkserver_preload([runs.__name__, "gancourse.plotting", "gancourse.metrics"])

DATA = {"vanilla": "ring", "stargan": "toons:16"}  # the others get the first that they take
OTHERS = ("digits", "seasons:16", "sketch2face:16", "small2large:toons:16", "layouts:16")
STEPS = 13
MOMENTS = ("step", "flush", "replace")  # a half-written file is flushed, then renamed


def data_for(name):
    """Return the data that a GAN is trained on here."""
    for data in [DATA[name]] if name in DATA else OTHERS:
        try:
            runs.prepare(name, data, "smoke")
        except CourseError as error:
            problem = error
        else:
            return data
    raise problem


def start(name, folder, moment="never", count=1):
    """Run a GAN in a process of its own, and return how that ended: 0, or 1 after an exception.

    The process is killed at the ``count``-th "step", "flush" or "replace"; "never" lets it finish.
    """
    process = PROCESSES.Process(target=_run, args=(name, folder, moment, count))
    process.start()
    process.join()
    return process.exitcode


def _run(name, folder, moment, count):
    left = count

    def watched(this, real):
        def call(*arguments, **options):
            nonlocal left
            if this == moment:
                left -= 1
                if left == 0:
                    os._exit(9) if os.name == "nt" else os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)

        return call

    plan = runs.prepare(name, data_for(name), "smoke", steps=STEPS)
    for stage in plan.module.STAGES:
        setattr(plan.module, stage, watched("step", getattr(plan.module, stage)))
    os.fsync, os.replace = watched("flush", os.fsync), watched("replace", os.replace)
    torch.set_num_threads(1)
    run = runtime.start("cpu", 1)
    plan.train(
        plan.build(run),
        run,
        out_dir=folder,
        resume=True,
        record=lambda gan: {"noise": torch.rand(2), "at": (gan.step, None)},
        record_every=4,
        log_every=3,
        checkpoint_every=3,
        sample_every=5,
        quiet=True,
    )


def end(folder):
    """Return all that a run left, but for times: files by name, with what is in them."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        name = str(path.relative_to(folder))
        if path.suffix == ".safetensors":
            state, header = statefile.load(path)
            tree, tensors = statefile.flatten(state)
            found[name] = tree, {key: t.numpy().tobytes() for key, t in tensors.items()}, header
        elif path.suffix == ".jsonl":
            found[name] = [json.loads(line) | {"seconds": 0} for line in path.open()]
        else:
            found[name] = path.read_bytes() if path.is_file() else None
    return found


def survive(name, folder, dice, most):
    """Kill a run at random moments, ``most`` times at most, and let it end; return how often."""
    kills = 0
    while kills < most:
        code = start(name, folder, dice.choice(MOMENTS), dice.randint(1, 6))
        if code in (0, 1):
            assert code == 0, f"{name} ended with an error"
            return kills
        kills += 1
    assert start(name, folder) == 0, f"{name} ended with an error"
    return kills


def main(wanted, seed=0):
    """Kill ``wanted`` times over all GANs, and compare every end with that of a whole run."""
    dice, kills, ends = random.Random(seed), 0, 0
    with tempfile.TemporaryDirectory() as place:
        names, whole = gans.names(), {}
        while kills < wanted:
            name = names[ends % len(names)]
            if name not in whole:
                assert start(name, f"{place}/{name}") == 0
                whole[name] = end(f"{place}/{name}")
            ends += 1
            folder = f"{place}/{name}-{ends}"
            kills += survive(name, folder, dice, min(8, wanted - kills))
            same = end(folder) == whole[name]
            print(f"{name}: {kills} kills so far, {'the same end' if same else 'ANOTHER END'}")
            if not same:
                return 1
    print(f"{kills} kills, {ends} runs, {ends} identical ends")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
