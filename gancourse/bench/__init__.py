"""The benchmark: our trainer against the loop as tutorials write it, on the same networks.

:func:`speed_of` measures pictures a second, :func:`quality_of` the time until samples are good.
Both write a JSON file into a folder as soon as they know more, and can be begun again.
"""

import json
import os
import stat
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from gancourse import gans
from gancourse.bench import memory, quality, speed
from gancourse.bench.machine import Origin, origin, peak
from gancourse.bench.sides import TUTORIAL
from gancourse.errors import CourseError, choose
from gancourse.files import paths, schema
from gancourse.files.writing import write_atomically
from gancourse.training import runtime

FOLDER = Path("benchmarks", "results")


@dataclass(frozen=True, kw_only=True)
class Speeds:
    """Speeds of one origin: the peaks of its machine by precision, and a row for each side.

    A file is a list of these, since one GAN can be measured again without the others.
    """

    origin: Origin
    peaks: dict[str, float]  # operations a second of a large matrix product
    rows: list[speed.Row]


@dataclass(frozen=True, kw_only=True)
class Race:
    """A file of times to quality: trainings with the same settings on the same machine."""

    task: str
    marks: list[float]
    settings: dict[str, object]  # see quality.settings_of
    tries: list[quality.Try]


def speed_of(names=(), *, device="auto", preset="laptop", threads=None, full=False, out=FOLDER):
    """Measure the speed of GANs; :func:`speeds_file` names the file.

    What the file has of the same GANs is replaced, and the rest stays as it is.

    Parameters
    ----------
    names : sequence of str
        Of GANs; all if there is none.
    device, preset : str
    threads : int, optional
        On a CPU; if left out, as many as a training of the GAN uses.
    full : bool
        Time for longer, and compiled networks too; on a CPU, measure the memory.
    out : path

    Yields
    ------
    list of gancourse.bench.speed.Row
        Of one GAN.

    Raises
    ------
    CourseError
        Before anything is measured: if there is no such GAN or preset, or the file holds something
        else, or cannot be written.
    """
    for name in names:
        choose("GAN", name, gans.names())
    device = runtime.find_device(device)
    path = speeds_file(out, device.type, preset)
    known = kept(path, list[Speeds]) or []
    where = origin(device)  # before the file is written, which changes the checkout
    peaks, all_threads = None, torch.get_num_threads()
    sides = speed.sides_of(device) | (speed.COMPILED if full else {})
    here = precisions(device)
    longer = {"rounds": 9, "seconds": 2.0} if full else {}
    try:
        for name in names or gans.names():
            plan = speed.prepare(name, preset)
            if device.type == "cpu":
                runtime.use_threads(threads or plan.threads)
            peaks = peaks or {kind: peak(device, kind) for kind in here}
            rows = speed.measure(plan, device, sides=sides, peaks=peaks, **longer)
            if full and device.type == "cpu":
                rows = [
                    replace(row, memory=memory.of_side(name, preset, row.side, sides.get(row.side)))
                    for row in rows
                ]
            known = together(known, Speeds(origin=where, peaks=peaks, rows=rows))
            write(path, known)
            yield [row for row in rows_of(known) if row.gan == name]
    finally:
        torch.set_num_threads(all_threads)


def together(known, new):
    """Return the speeds on record with newer ones, which replace those of the same GANs.

    Of several peaks of a machine the largest is nearest to what it can do: it is that of all rows.

    Parameters
    ----------
    known : list of Speeds
    new : Speeds

    Returns
    -------
    list of Speeds
        One for each origin.
    """
    newer, rows, peaks = {row.gan for row in new.rows}, {}, {}
    for one in (*known, new):
        kept = [row for row in one.rows if one is new or row.gan not in newer]
        rows.setdefault(one.origin, []).extend(kept)
        most = peaks.setdefault(one.origin.device, {})
        most |= {kind: max(peak, most.get(kind, 0)) for kind, peak in one.peaks.items()}
    found = []
    for where, kept in rows.items():
        most = peaks[where.device]
        kept = sorted((speed.of_peak(row, most) for row in kept), key=lambda row: row.gan)
        found += [Speeds(origin=where, peaks=most, rows=kept)] if kept else []
    return found


def rows_of(found):
    """Return the rows of a list of speeds, in the order of their GANs."""
    return sorted((row for one in found for row in one.rows), key=lambda row: row.gan)


def memory_of(names=(), *, out=FOLDER):
    """Measure the peak memory of both sides on the CPU, and put it into the rows of the speeds.

    The sides are the tutorial loop, and ours in its fastest setting. All else in the file stays.

    Parameters
    ----------
    names : sequence of str
        Of GANs; all of the file if there is none.
    out : path
        The folder of ``speed-cpu.json``.

    Yields
    ------
    list of gancourse.bench.speed.Row
        Of one GAN: the two that were measured.

    Raises
    ------
    CourseError
        If the speeds of a GAN are not there yet, or this system does not say what a process uses.
    """
    if not memory.FORGET.exists():
        raise CourseError("the peak memory of a process is known on Linux alone.")
    path = speeds_file(out, "cpu")
    found = read(path, list[Speeds])
    known = list(dict.fromkeys(row.gan for row in rows_of(found)))
    for name in names:
        choose("GAN", name, known)
    options = speed.OURS | speed.COMPILED
    for name in names or known:
        sides = {row.side: row for row in rows_of(found) if row.gan == name}
        both = []
        for row in (sides[TUTORIAL], speed.fastest(sides)):
            most = memory.of_side(name, row.preset, row.side, options.get(row.side))
            both.append(replace(row, memory=most))
        filled = {(row.gan, row.side): row for row in both}
        found = [
            replace(one, rows=[filled.get((row.gan, row.side), row) for row in one.rows])
            for one in found
        ]
        write(path, found)
        yield both


def speeds_file(out, kind, preset="laptop"):
    """Return the path of speeds: ``speed-cpu.json``, or ``speed-cpu-smoke.json`` of a preset."""
    return Path(out) / f"speed-{kind}{'' if preset == 'laptop' else f'-{preset}'}.json"


def precisions(device):
    """Return the precisions that a device has in hardware."""
    return dict.fromkeys(("fp32", runtime.fast_precision(device)))


def quality_of(name, *, device="auto", seeds=(0, 1, 2), earlier=None, steps=None, out=FOLDER):
    """Measure the time to quality; the file is ``quality-TASK-cpu.json``, or of another device.

    Trainings that the file holds are kept, and are not made again, if they had the same settings on
    the same machine with the same PyTorch. If they had others, the file is begun anew.

    Parameters
    ----------
    name : str
        One of :data:`gancourse.bench.quality.TASKS`.
    device : str
        On a CPU one thread is used.
    seeds : sequence of int
    earlier, steps
        See ``sides_of`` and ``settings_of`` of :mod:`gancourse.bench.quality`.
    out : path

    Yields
    ------
    Race
        With the trainings that are done so far, first those that are kept.

    Raises
    ------
    CourseError
        Before anything is measured: if the file holds something else, or cannot be written.
    """
    task = quality.TASKS[choose("task", name, quality.TASKS)]
    device = runtime.find_device(device)
    if device.type == "cpu":
        runtime.use_threads(1)
    sides = quality.sides_of(task, device, earlier=earlier)
    settings = quality.settings_of(task, sides, steps)
    marks = [float(mark) for mark in task.marks]
    race = Race(task=name, marks=marks, settings=settings, tries=[])
    path = Path(out) / f"quality-{name}-{device.type}.json"
    known = kept(path, Race)
    if known is not None:
        others = differences(known, race, origin(device))
        if others:
            print(f"{path}: begun anew, for it was measured with {' and '.join(others)}")
        else:
            race = known
    yield race
    done = {(one.side, one.seed) for one in race.tries}
    for one in quality.race(name, device, seeds, sides, settings["steps"], done=done):
        race = replace(race, tries=[*race.tries, one])
        write(path, race)
        yield race


def differences(known, race, here):
    """Return in words why trainings on record cannot stand beside new ones.

    Parameters
    ----------
    known, race : Race
        On record, and to be made.
    here : gancourse.bench.machine.Origin

    Returns
    -------
    list of str
        Empty if they can. The date and the commit may differ.
    """
    found = []
    if (known.task, known.marks, known.settings) != (race.task, race.marks, race.settings):
        found.append("other settings")
    places = {replace(one.origin, date=here.date, commit=here.commit) for one in known.tries}
    if places - {here}:
        found.append("another machine or PyTorch")
    return found


def earlier_fields(path, task):
    """Return the fields that a JSON file, {GAN: {field: value}}, has for the GAN of a task.

    An empty dict if ``path`` is None.
    """
    if path is None:
        return {}
    gan = quality.TASKS[choose("task", task, quality.TASKS)].gan
    return read(path, dict[str, dict[str, object]]).get(gan, {})


def compared(race):
    """Return the times to quality of a race as lines of text."""
    lines = []
    for row in quality.summary(race.tries, race.marks):
        text = f"{row['side']:<10} {row['mark']:g}: {row['reached']} of {row['seeds']} seeds"
        if row["mean"] is not None:
            text += f", {row['mean']:.1f} s"
        if row["error"] is not None:
            text += f" ± {row['error']:.1f}"
        if row["faster"] is not None:
            text += f", {row['faster']:.2f} x tutorial"
        lines.append(text)
    return "\n".join(lines)


def write(path, result):
    """Write a result, or a list of them, as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(result, default=asdict, indent=1).encode() + b"\n")


def kept(path, kind):
    """Return what a file of results holds that is to be written again; None if there is none yet.

    Parameters
    ----------
    path : Path
    kind : type
        What the file may hold.

    Raises
    ------
    CourseError
        If it holds something else, which would be lost, or if nothing can be written there.
    """
    paths.folder(path.parent, "the folder of the results")
    if not os.path.lexists(path) or not paths.target(path).exists():
        return None
    try:
        return read(path, kind)
    except CourseError as error:
        raise CourseError(f"{error} It is not replaced. Choose another folder.") from error


def read(path, kind):
    """Return what :func:`write` wrote, checked; raise a CourseError if it is something else."""
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):  # opening a pipe would wait for ever
            raise CourseError(f"cannot read {path}: it is a folder or a device, not a file.")
        text = Path(path).read_bytes()
    except OSError as error:
        raise CourseError(f"cannot read {path}: {error.strerror}.") from error
    exact = hasattr(kind, "__dataclass_fields__")
    return schema.read(kind, text, str(path), CourseError, exact=exact)


def line(row):
    """Return a row of speeds as a line of text."""
    low, middle, high = row.ratio
    outside = "" if row.outside is None else f"  {row.outside:4.0%} outside arithmetic"
    peak = "" if row.of_peak is None else f"  {row.of_peak:6.1%} of peak"
    memory = "" if row.memory is None else f"  {row.memory / 2**20:,.0f} MiB"
    return (
        f"{row.gan:<10} {row.side:<20} {row.images:9,.0f} pictures/s  {middle:5.2f} x tutorial "
        f"({low:.2f}-{high:.2f}){outside}{peak}{memory}"
    )
