"""Where the time of a step goes, from PyTorch's profiler."""

import os
import sys
import time
from contextlib import contextmanager

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile, record_function

# Of an operation's name, the first that fits. The arithmetic of the networks is the first four.
KINDS = {
    "convolution": ("conv",),
    "matrix product": ("mm", "linear", "matmul", "mv"),
    "normalisation": ("norm",),
    "pointwise": ("aten::",),
}
# What happens inside these regions is counted for the region, whatever it is.
REGIONS = {
    "optimizer": ("Optimizer.",),
    "batch": ("enumerate(DataLoader)", "gancourse.batch"),
    "reading losses": ("aten::item", "aten::_local_scalar_dense"),
}
GRAPH = "kernels"  # of a graph: the profiler does not know their operations
REST = "Python and launching"  # on a GPU, the time in which it waits
ARITHMETIC = (*KINDS, GRAPH)


class Marked:
    """Data whose batches the profiler sees as a region."""

    def __init__(self, data):
        self.data, self.fields = data, data.fields

    def batch(self, *arguments):
        """Return a batch."""
        with record_function("gancourse.batch"):
            return self.data.batch(*arguments)


def shares(side, seconds=0.3):
    """Return the share of the time of a side's steps by kind of work; they sum to 1.

    Parameters
    ----------
    side : Ours or Tutorial
    seconds : float
        About how long to look.

    Returns
    -------
    dict of str to float
        From the largest to the smallest.

    Notes
    -----
    The profiler takes time for each operation, and so makes many small operations look slower.
    """
    on_gpu = side.run.device.type == "cuda"
    if hasattr(side, "progress") and not isinstance(side.progress.data, Marked):
        side.progress.data = Marked(side.progress.data)
    begin = time.perf_counter()
    side.go(2)
    count = max(3, min(200, round(2 * seconds / (time.perf_counter() - begin))))
    activities = [ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * on_gpu]
    with silent(), profile(activities=activities) as prof:
        begin = time.perf_counter()
        side.go(count)
        if on_gpu:
            torch.cuda.synchronize()
        wall = 1e6 * (time.perf_counter() - begin)
    found = {}
    for event in prof.events():
        if event.device_type != DeviceType.CPU:  # a kernel, whose time its operation has too
            if side.run.graphs:
                found[GRAPH] = found.get(GRAPH, 0) + event.self_device_time_total
            continue
        if side.run.graphs:
            continue
        spent = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        kind = kind_of(event)
        if kind:
            found[kind] = found.get(kind, 0) + spent
    wall = max(wall, sum(found.values()))
    found[REST] = found.get(REST, 0) + wall - sum(found.values())
    return {k: v / wall for k, v in sorted(found.items(), key=lambda item: -item[1])}


@contextmanager
def silent():
    """Keep from the terminal what the profiler itself writes there."""
    sys.stderr.flush()
    before = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


def kind_of(event):
    """Return the kind of work of a profiler's event, or None if it is none of PyTorch's."""
    region = event
    while region is not None:
        for kind, starts in REGIONS.items():
            if region.name.startswith(starts):
                return kind
        region = region.cpu_parent
    if event.name.startswith("aten::"):
        return next(kind for kind, names in KINDS.items() if any(n in event.name for n in names))
    return None
