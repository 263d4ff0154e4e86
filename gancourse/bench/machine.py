"""The machine that is measured: its name, the fastest that it computes, and its clock."""

import datetime
import platform
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where and when a result was measured."""

    date: str  # as 2026-11-26
    commit: str  # of the checkout; empty where there is none, with + if files differed from it
    device: str  # the name of the processor or of the GPU
    kind: Literal["cpu", "cuda", "mps"]  # a part of the name of the file
    python: str
    torch: str


def origin(device):
    """Return the :class:`Origin` of what is measured now."""
    return Origin(
        date=datetime.date.today().isoformat(),
        commit=commit(),
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name(),
        kind=device.type,
        python=platform.python_version(),
        torch=torch.__version__,
    )


def commit():
    """Return the short name of the checkout's commit; "" if there is no checkout or no git."""
    folder = Path(__file__).parent
    try:
        asked = [["rev-parse", "--short=10", "HEAD"], ["status", "--porcelain", "-uno"]]
        head, changed = (
            subprocess.run(
                ["git", "-C", folder, *words], capture_output=True, text=True, check=True
            ).stdout.strip()
            for words in asked
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head + "+" * bool(changed)


def cpu_name():
    """Return the name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


class Clock:
    """Seconds that a device has worked.

    On one thread of a CPU it is the time in which this process computed, so that other programs
    hardly change it. Else it is the time on the wall.

    Parameters
    ----------
    device : torch.device

    Attributes
    ----------
    kind : {"cpu", "wall"}
    """

    def __init__(self, device):
        self.device = device
        self.kind = "cpu" if device.type == "cpu" and torch.get_num_threads() == 1 else "wall"

    def read(self):
        """Wait for the device, and return the seconds."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()
        return time.process_time() if self.kind == "cpu" else time.perf_counter()

    def time(self, work, *arguments):
        """Return the seconds that a call takes."""
        begin = self.read()
        work(*arguments)
        return self.read() - begin


def peak(device, precision="fp32"):
    """Return the operations a second of a large matrix product: the most that this device does."""
    side = {"cuda": 8_192, "mps": 4_096}.get(device.type, 1_024)
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = torch.randn(2, side, side, device=device).to(kind)
    clock = Clock(device)
    for _ in range(2):
        a @ b
    seconds = [clock.time(torch.matmul, a, b) for _ in range(7)]
    return 2 * side**3 / statistics.median(seconds)
