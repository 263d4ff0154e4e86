"""Several processes on this machine that train together, as torchrun would start them."""

import os
import socket
import tempfile
from pathlib import Path

import torch
from killed_run import PROCESSES

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


def train_with_the_same_noise(name, data, steps, changes, device):
    """Do the same with noise that each process cuts out of the whole batch's."""
    plan = runs.prepare(name, data, "smoke", **changes, steps=steps)
    draw, calls = plan.module.draw_z, iter(range(10_000))

    def draw_share(cfg, n, generator=None, device="cpu"):
        number, processes = parallel.place_in_group()
        whole = torch.Generator().manual_seed(next(calls))
        return draw(cfg, n * processes, whole)[number::processes]

    plan.module.draw_z = draw_share
    try:
        return train(name, data, steps, changes, device)
    finally:
        plan.module.draw_z = draw
