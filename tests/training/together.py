"""Several processes on this machine that train together, as torchrun would start them."""

import os
import socket
import tempfile
from pathlib import Path

import torch
from killed_run import PROCESSES
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from gancourse import gans, runs, training
from gancourse.files import statefile
from gancourse.training import parallel, runtime


def weights_after(jobs, processes=2):
    """Train GANs in several processes; return, for each process, the state of each GAN's parts.

    Parameters
    ----------
    jobs : dict of str to (function, tuple)
        ``function(*arguments, run)`` returns a GAN; the states are under the job's name.
    processes : int

    Returns
    -------
    list of dict
    """
    with socket.socket() as free, tempfile.TemporaryDirectory() as folder:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        workers = [
            PROCESSES.Process(target=_work, args=(jobs, number, processes, port, folder))
            for number in range(processes)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(300)
            assert worker.exitcode == 0, f"a process ended with {worker.exitcode}"
        return [statefile.load(Path(folder) / str(number))[0] for number in range(processes)]


def _work(jobs, number, processes, port, folder):
    os.environ |= {"RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": str(processes)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    with parallel.together("cpu") as device:
        found = {name: work(*arguments, device) for name, (work, arguments) in jobs.items()}
        statefile.save(Path(folder) / str(number), found)


def train(name, data, steps, changes, device):
    """Train a GAN and return the states of its networks and optimizers."""
    plan = runs.prepare(name, data, "smoke", **changes, steps=steps)
    run = runtime.start(device, 0)
    gan = plan.build(run)
    step, steps = gans.step_function(plan.module, plan.cfg)
    training.train(gan, step, plan.data, run, steps=steps, quiet=True)  # without samples' noise
    return {part: value.state_dict() for part, value in gan.parts().items()}


def train_alike(name, data, changes, device):
    """Do the same with one step, which is one step of the whole batch for any processes.

    The optimizers are plain SGD, whose momenta are the gradients then: Adam makes whole steps of
    the smallest. Nothing is dropped, batch norm does not look at the batch, and each process cuts
    its rows out of the random numbers that are drawn for the whole batch.
    """
    plan = runs.prepare(name, data, "smoke", **changes, steps=1)
    run = runtime.start(device, 0)
    gan = plan.build(run)
    for part, value in gan.parts().items():
        if isinstance(value, torch.optim.Optimizer):
            weights = [weight for group in value.param_groups for weight in group["params"]]
            setattr(gan, part, torch.optim.SGD(weights, lr=0.01, momentum=0.9))
        for layer in value.modules() if isinstance(value, nn.Module) else ():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                layer.eval()
    step, steps = gans.step_function(plan.module, plan.cfg)
    numbers = Alike(run)

    def alike(gan, batch, run):
        with numbers:
            return step(gan, batch, run)

    alike.steps = steps
    real = getattr(plan.module, "shuffled", None)
    if real:
        plan.module.shuffled = lambda source: next_of_the_set(source, 2 // run.processes)
    try:
        training.train(gan, alike, plan.data, run, quiet=True)
    finally:
        if real:
            plan.module.shuffled = real
    return {part: value.state_dict() for part, value in gan.parts().items()}


def next_of_the_set(source, distance):
    """Return a permutation of pictures in place of StarGAN's: that of the batch is each process's.

    Two processes have alternate pictures: the next one of a process is the next but one of all.
    """
    order = torch.empty_like(source)
    for number in source.unique():
        rows = (source == number).nonzero().squeeze(1)
        order[rows] = rows.roll(distance)
    return order


class Alike(TorchFunctionMode):
    """Within this, random numbers for rows are this process's part of those for the whole batch."""

    def __init__(self, run):
        super().__init__()
        self.run, self.draws = run, torch.Generator().manual_seed(0)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is F.dropout:
            return args[0]
        if function is torch.randn_like:
            function, args = torch.randn, (args[0].shape,)
        if function in (torch.rand, torch.randn, torch.randint):
            *bounds, shape = args if isinstance(args[-1], tuple) else (args,)
            whole = (shape[0] * self.run.processes, *shape[1:])
            return self.run.share(function(*bounds, whole, generator=self.draws))
        return function(*args, **kwargs)
