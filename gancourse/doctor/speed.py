"""How fast this machine trains, and how long the lessons take here.

Other packages are imported where they are used: the doctor also runs where some are missing.
"""

import time
from typing import NamedTuple

from gancourse.errors import CourseError

ROUNDS = 5  # the fastest one counts


class Speed(NamedTuple):
    """What :func:`measure_speed` returns.

    Attributes
    ----------
    steps : float
        Steps per second of computing time. Only the ratio of two speeds has a meaning: it
        compares two machines.
    share : float or None
        Which part of the time a program computes, 0 to 1: near 1 on an idle machine, about 1/2
        where two programs share a core. None where a GPU computes.
    """

    steps: float
    share: float | None


class Record(NamedTuple):
    """What a notebook's metadata say of its runs, by preset: their seconds, and the speed there."""

    seconds: dict[str, float]
    speed: dict[str, float]


def measure_speed(device="cpu", seconds=2.0):
    """Measure how fast this machine trains two small convolutional networks.

    On a CPU it uses one thread, as most lessons do, and counts the time that this program was
    computing. Other programs therefore hardly change the result.

    Parameters
    ----------
    device : str
    seconds : float
        How long to measure.

    Returns
    -------
    Speed
    """
    import torch

    on_cpu = torch.device(device).type == "cpu"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        step = small_training(device)
        for _ in range(5):  # the first steps are slower: they allocate memory and load kernels
            step()
        rounds = [timed(step, seconds / ROUNDS) for _ in range(ROUNDS)]
    finally:
        torch.set_num_threads(threads)
    best = max(count / (computing if on_cpu else wall) for count, wall, computing in rounds)
    _, wall, computing = map(sum, zip(*rounds, strict=True))
    return Speed(best, min(1.0, computing / wall) if on_cpu else None)


def small_training(device):
    """Return a function that trains two small networks on noise for a step, and waits for it."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    netG = nn.Sequential(
        *(nn.Linear(64, 64 * 49), nn.Unflatten(1, (64, 7, 7)), nn.ReLU()),
        *(nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(32, 1, 4, 2, 1)),
    ).to(device)
    netD = nn.Sequential(
        *(nn.Conv2d(1, 32, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(32, 64, 4, 2, 1)),
        *(nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(64 * 49, 1)),
    ).to(device)
    opt = torch.optim.Adam([*netG.parameters(), *netD.parameters()], 2e-4)
    z = torch.randn(64, 64, device=device)

    def step():
        loss = netD(netG(z)).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        loss.item()  # waits for the device

    return step


def timed(step, seconds):
    """Call ``step`` for some seconds; return how often, and the wall and the computing time."""
    count, wall, computing = 0, time.perf_counter(), time.process_time()
    while count < 3 or time.perf_counter() - wall < seconds:
        step()
        count += 1
    return count, time.perf_counter() - wall, time.process_time() - computing


def estimates(speed):
    """Estimate how long each lesson takes here in each preset, if nothing else runs.

    A lesson's notebook records the seconds that it took and the speed of that machine. The
    estimate scales these seconds by the ratio of speeds, and is right to a factor of two or so.

    Parameters
    ----------
    speed : float or None
        Steps per second of computing time on this machine.

    Returns
    -------
    rows : list of dict
        ``lesson``, ``preset``, ``recorded`` (seconds, on the recording machine) and ``seconds``
        (the estimate for this one); None where they are unknown.
    faults : list of str
        What is wrong with the notebooks.
    """
    from gancourse.batch import lessons

    rows, faults = [], []
    for path in lessons.by_number().values():
        try:
            record = recorded(path)
        except CourseError as fault:
            faults.append(str(fault))
            continue
        for preset in lessons.PRESETS:
            there, seconds = record.speed.get(preset), record.seconds.get(preset)
            here = round(seconds * there / speed, 1) if seconds and there and speed else None
            row = {"lesson": path.stem, "preset": preset, "recorded": seconds, "seconds": here}
            rows.append(row)
    if not rows and not faults:
        faults.append(f"there are no lessons in {lessons.folder()}")
    return rows, faults


def recorded(path):
    """Return the :class:`Record` in a notebook's metadata; it is empty if nothing was recorded.

    Raises
    ------
    CourseError
        If the file cannot be read, or its record has another form.
    """
    from gancourse.batch import lessons
    from gancourse.files import schema

    found = lessons.read(path).metadata.get("gancourse", {})
    given = [found.get(name, {}) for name in Record._fields]
    return schema.read(Record, given, f"the record of times in {path}", CourseError)
