"""The device, the precision and the seed of a run."""

import contextlib
import random
from dataclasses import dataclass

import numpy as np
import torch

from gancourse.errors import CourseError, check_seed, check_whole, choose
from gancourse.training import parallel

DEVICES = ("auto", "cuda", "mps", "cpu")
PRECISIONS = ("fp32", "bf16")


@dataclass(frozen=True, kw_only=True)
class Run:
    """The settings that all parts of a training run share; made by :func:`start`.

    Attributes
    ----------
    device : torch.device
        The device of the networks and of the batches.
    seed : int
        The seed of all random numbers: initial weights, order of the data, noise.
    precision : {"fp32", "bf16"}
        The number format of the forward passes; the weights always stay in fp32.
    channels_last : bool
        Keep 4-D weights and activations in NHWC memory order.
    compile : bool
        Compile the networks with ``torch.compile``.
    graphs : bool
        Launch each step as a CUDA graph: see :mod:`gancourse.training.graphs`.
    process, processes : int
        The number of this process, from 0, and how many train together: see
        :mod:`gancourse.training.parallel`.
    """

    device: torch.device
    seed: int = 0
    precision: str = "fp32"
    channels_last: bool = False
    compile: bool = False
    graphs: bool = False
    process: int = 0
    processes: int = 1

    def __str__(self):
        words = [str(self.device), self.precision]
        words += ["channels last"] * self.channels_last + ["compiled"] * self.compile
        words += ["CUDA graphs"] * self.graphs
        if self.device.type == "cpu":
            count = torch.get_num_threads()
            words.append(f"{count} thread{'s' * (count != 1)}")
        return ", ".join(words)

    def autocast(self):
        """Return the context in which a forward pass and its losses are computed."""
        if self.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def place(self, net):
        """Move ``net`` to the device, in the run's memory format, compiled if asked for."""
        net = net.to(self.device)
        if self.processes > 1 and self.device.type == "cuda":
            net = torch.nn.SyncBatchNorm.convert_sync_batchnorm(net)
        if self.channels_last:
            net = net.to(memory_format=torch.channels_last)
        if self.compile:
            net.compile()  # in place: the names in the state dict stay as they are
        return net

    def share(self, rows, first=0):
        """Return this process's part of rows of a batch: every ``processes``-th.

        Parameters
        ----------
        rows : sequence or torch.Tensor
            Of all processes: which rows, or numbers drawn for each.
        first : int
            The place of the first of them in the batch.
        """
        return rows[(self.process - first) % self.processes :: self.processes]

    def generator(self, *key):
        """Return a random generator on the device, seeded by the run's seed and ``key`` alone.

        The numbers do not depend on what was drawn before. So a resumed run sees the batches that
        an uninterrupted run would have seen.
        """
        words = np.random.SeedSequence([self.seed, *key]).generate_state(2)
        seed = int(words[0]) << 31 ^ int(words[1])
        return torch.Generator(device=self.device).manual_seed(seed)


def start(
    device="auto", seed=0, *, precision="fp32", channels_last=False, compile=False, graphs=True
):
    """Choose the device, seed every random source, and return the :class:`Run`.

    Parameters
    ----------
    device : {"auto", "cuda", "mps", "cpu"} or str
        ``auto`` takes CUDA, then Apple's MPS, then the CPU; "cuda:1" names one of several.
    seed : int
        Seeds Python, NumPy and PyTorch; 0 to 2**63 - 1.
    precision : {"fp32", "bf16", "auto"}
        See :class:`Run`. ``auto`` takes what :func:`fast_precision` returns.
    channels_last, compile : bool
        See :class:`Run`.
    graphs : bool
        On CUDA, launch each step as a graph: see :mod:`gancourse.training.graphs`.

    Returns
    -------
    Run

    Raises
    ------
    CourseError
        If the device is unknown or this machine lacks it, or another value is not valid.
    """
    choose("precision", precision, (*PRECISIONS, "auto"))
    check_seed(seed)
    device = find_device(device)
    if precision == "bf16" and device.type == "cuda" and fast_precision(device) != "bf16":
        raise CourseError(f"{device} does not compute in bf16. Use precision fp32, or auto.")
    process, processes = parallel.place_in_group()
    run = Run(
        device=device,
        seed=seed,
        precision=fast_precision(device) if precision == "auto" else precision,
        channels_last=channels_last,
        compile=compile,
        graphs=graphs and device.type == "cuda",
        process=process,
        processes=processes,
    )
    seed_everything(seed)
    return run


def use_threads(count):
    """Let PyTorch compute with so many threads on the CPU, from 1 to 1024.

    Results for different numbers differ in the last digits.

    Raises
    ------
    CourseError
        If ``count`` is no such number.
    """
    check_whole("threads", count, 1, 1024)
    torch.set_num_threads(count)


def find_device(name="auto"):
    """Turn a device's name into a ``torch.device`` that exists on this machine.

    Raises
    ------
    CourseError
        If the name is unknown, or this machine has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, _, index = str(name).partition(":")
    choose("device", kind if kind != "auto" else str(name), DEVICES)
    here = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }[kind]
    if index and not (index.isascii() and index.isdigit() and len(index) < 4):
        raise CourseError(f"device {name!r} must have a number after the colon, as in cuda:0.")
    if int(index or 0) >= here:
        raise CourseError(
            f"device {name!r} is not here: PyTorch {torch.__version__} sees {here} {kind} "
            f"device{'' if here == 1 else 's'}. Use device='auto', or see `gancourse doctor`."
        )
    return torch.device(kind, int(index)) if index else torch.device(kind)


def fast_precision(device):
    """Return "bf16" if the device computes with it in hardware, else "fp32".

    Elsewhere bf16 is emulated, which is slower than fp32.
    """
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp32"
    if device.type == "cpu":
        names = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        if any(getattr(torch.cpu, name, bool)() for name in names):
            return "bf16"
    return "fp32"


def seed_everything(seed):
    """Seed Python's, NumPy's and PyTorch's random sources, on every device."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - for code that uses NumPy's global source
    torch.manual_seed(seed)


def seed_process(run, step):
    """Seed the random sources of a process that is not the first, so that its noise differs.

    Parameters
    ----------
    run : Run
    step : int
        At which the process begins; a resumed run draws other numbers than before.
    """
    if run.process:
        words = np.random.SeedSequence([run.seed, run.process, step]).generate_state(2)
        seed_everything(int(words[0]) << 31 ^ int(words[1]))


def random_state():
    """Return the state of every random source, as tensors and plain values."""
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002
    return {
        "python": list(random.getstate()[1]),
        "numpy": {"kind": kind, "keys": torch.from_numpy(keys.astype(np.int64)), "rest": rest},
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "mps": torch.mps.get_rng_state() if torch.backends.mps.is_available() else None,
    }


def set_random_state(state):
    """Restore what :func:`random_state` returned.

    The states of GPUs are restored only if the machine has as many GPUs as then.
    """
    random.setstate((3, tuple(state["python"]), None))
    numpy = state["numpy"]
    np.random.set_state((numpy["kind"], numpy["keys"].numpy().astype(np.uint32), *numpy["rest"]))  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    if state["mps"] is not None and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])


@contextlib.contextmanager
def undisturbed():
    """Restore the state of every random source at the end of a ``with`` block."""
    state = random_state()
    try:
        yield
    finally:
        set_random_state(state)
