"""A training run that kills itself at a named moment; test_loop.py starts it.

Usage: killed_run.py FOLDER MOMENT COUNT, where MOMENT is "step", "write" or "replace" and the
run ends without a word at the COUNT-th of them; "never" lets it finish.
"""

import os
import sys
from dataclasses import replace

from gancourse import files
from gancourse.data.mixtures import ring
from gancourse.gans import vanilla
from gancourse.training import runtime
from gancourse.training.loop import train

folder, moment, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
left = count


def die_when_due(this):
    global left
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
gan = vanilla.build(cfg, run)
train(
    gan,
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
