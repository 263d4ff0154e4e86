"""The most memory that training needs on a CPU, measured in a process of its own."""

import ctypes
import json
import re
import subprocess
import sys
from pathlib import Path

from gancourse.files import paths

STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
PROGRAM = paths.APART + "from gancourse.bench import memory; memory.main(*sys.argv[1:])"


def of_side(name, preset, side, options):
    """Return by how many bytes a process grows that trains for some steps; None if unknown.

    Parameters
    ----------
    name, preset : str
        Of the GAN and of the preset.
    side : str
        "tutorial", or another name for our trainer.
    options : dict
        Of our trainer.
    """
    if not FORGET.exists():
        return None
    words = [sys.executable, "-c", PROGRAM, name, preset, side, json.dumps(options)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return int(done.stdout.split()[-1]) if done.returncode == 0 else None


def in_use(line):
    """Return a line of Linux's account of this process in bytes: VmRSS now, VmHWM at most."""
    return int(re.search(rf"{line}:\s+(\d+) kB", STATUS.read_text())[1]) * 1024


def main(name, preset, side, options="{}"):
    """Print the bytes; what was in use before does not count, such as PyTorch and the data."""
    from gancourse.bench import speed
    from gancourse.bench.sides import TUTORIAL, Ours, Tutorial
    from gancourse.training import runtime

    plan = speed.prepare(name, preset)
    runtime.use_threads(plan.threads)
    plan.data.batch(0, plan.cfg.batch_size, runtime.start("cpu", 0))
    ctypes.CDLL(None).malloc_trim(0)  # what drawing the data has left over would be used again
    FORGET.write_text("5")  # begins VmHWM anew
    before = in_use("VmRSS")
    loop = Tutorial(plan, "cpu") if side == TUTORIAL else Ours(plan, "cpu", **json.loads(options))
    loop.go(5)
    print(in_use("VmHWM") - before)
