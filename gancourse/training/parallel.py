"""Several processes that train one GAN together, each with a part of every batch.

    torchrun --nproc-per-node 8 -m gancourse train dcgan --preset paper --data celeba --out run

Every process holds all networks. It computes gradients on its part of the batch; before an
optimizer moves its weights, the gradients are averaged over all processes. So the weights stay
equal everywhere, and a step is that of one process with the whole batch. Three things differ: noise
and dropout are drawn in each process; batch norm takes its statistics from the part of the batch on
a CPU, on CUDA from the whole batch (``SyncBatchNorm``); and a loss that is no mean over the rows of
a batch, as in SGAN and LostGAN, is that of the part.

The first process writes all files. Goyal et al. 2017, arXiv:1706.02677, describe the method.
"""

import os
import platform
import socket
from contextlib import contextmanager
from threading import Timer

import torch
import torch.distributed as dist
from torch import nn

from gancourse.errors import CourseError, printable
from gancourse.files.streams import say

PATIENCE = 10  # seconds until a process says that it waits for the others


def by_torchrun():
    """Return what torchrun has told this process, by name; {} unless it is one of several.

    Returns
    -------
    dict of str to int
        WORLD_SIZE, RANK, LOCAL_RANK, MASTER_PORT and TORCHELASTIC_RESTART_COUNT.

    Raises
    ------
    CourseError
        If one is missing or makes no sense: another program has set a part of them.
    """
    if "RANK" not in os.environ or os.environ.get("WORLD_SIZE", "1") == "1":
        return {}
    processes = _told("WORLD_SIZE", 1)
    if processes == 1:
        return {}
    if not os.environ.get("MASTER_ADDR"):
        raise _wrong("MASTER_ADDR", "the address of the first process")
    return {
        "WORLD_SIZE": processes,
        "RANK": _told("RANK", 0, processes - 1),
        "LOCAL_RANK": _told("LOCAL_RANK", 0, processes - 1, "0"),
        "MASTER_PORT": _told("MASTER_PORT", 1, 65_535),
        "TORCHELASTIC_RESTART_COUNT": _told("TORCHELASTIC_RESTART_COUNT", 0, default="0"),
    }


def _told(name, least, most=None, default=None):
    """Return the whole number that an environment variable holds; see :func:`by_torchrun`."""
    text = os.environ.get(name, default)
    try:
        number = int(text)
    except (TypeError, ValueError):
        number = least - 1
    if number < least or (most is not None and number > most):
        bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise _wrong(name, f"a whole number {bounds}")
    return number


def _wrong(name, expected):
    found = os.environ.get(name)
    found = "is not set" if found is None else f"is {printable(repr(found), 60)}"
    return CourseError(
        f"the environment variable {name} {found}; expected {expected}, as torchrun sets it. "
        "Start several processes with torchrun, or for a single one remove WORLD_SIZE and RANK "
        "(unset WORLD_SIZE RANK)."
    )


def restarted():
    """Return whether torchrun has started the processes again, after one of them failed."""
    return by_torchrun().get("TORCHELASTIC_RESTART_COUNT", 0) > 0


def job():
    """Return what tells one command of torchrun from others; "" without torchrun.

    The first process writes it into checkpoints: after a restart, a run goes on that the same
    command has begun, and no earlier one.
    """
    if not by_torchrun():
        return ""
    # torchrun is the parent of its processes, and lives on when it starts them again.
    name = printable(os.environ.get("TORCHELASTIC_RUN_ID", ""), 100)
    return f"{name} {printable(platform.node(), 100)} {os.getppid()}"


@contextmanager
def together(device="auto"):
    """Join the processes that torchrun has started, until the end of a ``with`` block.

    Without torchrun, or with one process, nothing is joined.

    Parameters
    ----------
    device : str
        As the user named it. "auto" and "cuda" become the CUDA device of this process.

    Yields
    ------
    str
        The device for :func:`gancourse.training.runtime.start`.

    Raises
    ------
    CourseError
        If this machine has fewer CUDA devices than processes, if the environment makes no sense
        (see :func:`by_torchrun`), or if the processes do not find each other.
    """
    told = by_torchrun()
    if not told:
        yield device
        return
    kind = str(device)
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "cpu"
    if kind == "cuda":
        number, here = told["LOCAL_RANK"], torch.cuda.device_count()
        if number >= here:
            raise CourseError(
                f"process {number + 1} on this machine has no CUDA device: PyTorch sees {here}. "
                "Start as many processes as there are devices (--nproc-per-node), or use "
                "--device cpu."
            )
        kind = f"cuda:{number}"
        torch.cuda.set_device(number)
    dist.init_process_group("nccl" if kind.startswith("cuda") else "gloo", **_meeting_point(told))
    try:
        yield kind
    finally:
        dist.destroy_process_group()


def _meeting_point(told):
    """Return where the processes exchange their addresses, anew after each restart.

    PyTorch 2.14 would find the addresses of the processes before the restart, which are gone.
    """
    number, processes = told["RANK"], told["WORLD_SIZE"]
    hosted = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"  # by torchrun itself
    host, port = os.environ["MASTER_ADDR"], told["MASTER_PORT"]
    waiting = f"gancourse: process {number} of {processes} waits for the others at {host}:{port}"
    reminder = Timer(PATIENCE, say, [f"{waiting}, for 5 minutes at most"], {"err": True})
    reminder.daemon = True
    reminder.start()
    try:
        socket.getaddrinfo(host, port)  # PyTorch would ask for a wrong name again and again
        store = dist.TCPStore(host, port, processes, is_master=number == 0 and not hosted)
    # RuntimeError is PyTorch's: an address in use, no answer within 5 minutes. The others: no name.
    except (OSError, ValueError, RuntimeError) as error:
        raise CourseError(
            f"process {number} of {processes} does not find the others at {printable(host)}:{port} "
            f"({printable(str(error).partition(chr(10))[0])}). Start all of them with torchrun, "
            "with an address that each machine reaches (--master-addr) and a free port "
            "(--master-port)."
        ) from error
    finally:
        reminder.cancel()
    named = dist.PrefixStore(f"gancourse/{told['TORCHELASTIC_RESTART_COUNT']}", store)
    return {"store": named, "rank": number, "world_size": processes}


def place_in_group():
    """Return the number of this process, from 0, and how many there are."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def check_batch_size(size, run):
    """Raise a CourseError unless each process gets as many rows of a batch."""
    if size % run.processes:
        raise CourseError(
            f"a batch of {size} cannot be divided among {run.processes} processes. Take a "
            f"batch_size (--batch-size) that is a multiple of {run.processes}."
        )


def check_share(batch, size, run):
    """Raise a CourseError unless the first of several processes' batches has its rows alone.

    Data that leave ``run`` out of account would give every process the same whole batch.
    """
    for name, rows in batch.items() if run.processes > 1 else ():
        if len(rows) != size // run.processes:
            raise CourseError(
                f"{name!r} of a batch has {len(rows)} rows in each process; of a batch of {size}, "
                f"each of {run.processes} processes takes {size // run.processes}. A batch() of "
                "your own returns the rows that run.share(rows) picks."
            )


def synchronise(gan, run):
    """Give the GAN of each process the first one's weights, and average gradients from here on.

    Parameters
    ----------
    gan : GAN
    run : Run
    """
    if run.processes == 1:
        return
    for part in gan.parts().values():
        if isinstance(part, nn.Module):
            for tensor in [*part.parameters(), *part.buffers()]:
                dist.broadcast(tensor.data, src=0)
        elif isinstance(part, torch.optim.Optimizer) and not getattr(part, "averages", False):
            part.register_step_pre_hook(_average_gradients)
            part.averages = True


def _average_gradients(optimizer, *_):
    gradients = [
        weight.grad
        for group in optimizer.param_groups
        for weight in group["params"]
        if weight.grad is not None
    ]
    if not gradients:
        return
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    dist.all_reduce(flat)  # one message for all of them
    flat /= dist.get_world_size()
    parts = flat.split([gradient.numel() for gradient in gradients])
    torch._foreach_copy_(gradients, [p.view_as(g) for p, g in zip(parts, gradients, strict=True)])


def mean(values, run):
    """Return the mean of a tensor over all processes."""
    if run.processes == 1:
        return values
    values = values.clone()
    dist.all_reduce(values)
    return values / run.processes


def any_of(condition, run):
    """Return whether a condition holds in any process."""
    if run.processes == 1:
        return condition
    flag = torch.tensor(float(condition), device=run.device)
    dist.all_reduce(flag, dist.ReduceOp.MAX)
    return bool(flag)


def wait(run):
    """Wait until every process is here."""
    if run.processes > 1:
        any_of(False, run)
