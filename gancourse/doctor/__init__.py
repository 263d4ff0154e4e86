"""What this machine has, what the course needs, and how long its lessons will take here.

Whatever is wrong with the machine is a finding. ``problems`` keep the course from running, and
make the exit status 1; ``notes`` do not.
"""

import json
import os
import platform
import sys
from pathlib import Path

from gancourse.doctor import machine
from gancourse.doctor.speed import estimates, measure_speed
from gancourse.errors import printable
from gancourse.files.cache import CACHE, cache_folder

INSTALL = "python -m pip install {}"
TORCH = INSTALL.format("--force-reinstall torch torchvision")
LITTLE = 2**30  # bytes; less than that on a disk is noted
BUSY = 0.8  # a machine is called busy where a program computes in less of the time


def examine(measure=True):
    """Look at this machine.

    Parameters
    ----------
    measure : bool
        Also measure its speed, which the estimates need; takes some seconds.

    Returns
    -------
    dict
        Can be written as JSON; None stands for an unknown value. ``problems`` lists ``what`` is
        missing and the command that ``mends`` it; it is empty if the course can run. ``notes``
        are texts.
    """
    problems, notes = [], []
    here = ask("the current folder", Path.cwd, problems, "cd to a folder that exists")
    if here is None:
        os.chdir(sys.prefix)  # without a folder, a library of PyTorch ends the process
    install = INSTALL.format("-e .")
    packages = ask("the list of packages", machine.find_packages, problems, install) or []
    problems += filter(None, map(problem_of_package, packages))
    kernel = machine.find_kernel()
    if not kernel:
        problems.append(problem("there is no Jupyter kernel", INSTALL.format("ipykernel")))
    devices = ask("PyTorch's devices", machine.find_devices, problems, TORCH) or []
    speed = None
    if measure and devices:
        name = devices[0]["name"]
        speed = ask(f"training on {name}", lambda: measure_speed(name), problems, TORCH)
        notes += [busy(speed.share)] if speed and speed.share and speed.share < BUSY else []
    steps = speed and speed.steps
    again = "git checkout -- notebooks, or install the course again"
    rows, faults = ask("the lessons", lambda: estimates(steps), problems, again) or ([], [])
    problems += [problem(fault, again) for fault in faults]
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": packages,
        "devices": devices,
        "cores": os.cpu_count(),
        "memory_free": machine.memory_free(),
        "disk_free": disks(here, notes),
        "kernel": kernel,
        "browser": machine.find_browser(),
        "speed": speed and speed.steps,
        "share": speed and speed.share,
        "lessons": rows,
        "problems": problems,
        "notes": notes,
    }


def problem(what, mends):
    """Return a problem as :func:`examine` lists it."""
    return {"what": what, "mends": mends}


def ask(what, question, problems, mends):
    """Return the answer to a question, or None and a problem more if it ends in an error."""
    try:
        return question()
    except Exception as error:  # what a broken package or driver raises is not known
        problems.append(problem(f"{what}: {machine.in_a_line(error)}", mends))
        return None


def problem_of_package(p):
    """Return the problem of a package from :func:`machine.find_packages`, or None."""
    if p["ok"] or p["extra"]:
        return None
    wanted = f'"{p["name"]}{p["needed"]}"'
    if p["error"]:
        what = f"{p['name']} {p['found']} cannot be imported: {p['error']}"
        return problem(what, INSTALL.format(f"--force-reinstall {wanted}"))
    what = f"{p['name']} {p['needed']} is needed, found: {p['found'] or 'none'}"
    return problem(what, INSTALL.format(wanted))


def busy(share):
    """Return a note on a machine where a program computes in this share of the time."""
    return (
        f"this machine is busy: a program computes in {share:.0%} of the time, so that a lesson "
        f"takes about {1 / share:.1f} times as long while the others run"
    )


def disks(here, notes):
    """Return the free bytes for each folder that the course writes to; note what is wrong there."""
    places = {
        "the current folder": lambda: here,
        "the lessons": lessons_folder,
        f"the cache of downloads ({CACHE})": cache_folder,
    }
    found = {}
    for name, place in places.items():
        try:
            place = place()
        except Exception as error:  # a home that is not known, a package that is missing
            notes.append(f"{name}: {machine.in_a_line(error)}")
            continue
        if place is None:
            continue
        free, fault = machine.look_at_folder(place)
        found[str(place)] = free
        if fault:
            notes.append(f"{name}: {fault}")
        if free is not None and free < LITTLE:
            notes.append(f"{name}: only {size(free)} free for {place}")
    return found


def lessons_folder():
    """Return the folder of the lessons, in which JupyterLab saves them."""
    from gancourse.batch import lessons

    return lessons.folder()


def size(number):
    """Return a number of bytes as text in GiB."""
    return "unknown" if number is None else f"{number / 2**30:.1f} GiB"


def expected(row):
    """Return a row of :func:`estimates` as text."""
    if row["seconds"] is not None:
        return f"{row['preset']} {row['seconds']:.0f} s"
    if row["recorded"] is not None:
        return f"{row['preset']} {row['recorded']:.0f} s where it was recorded"
    return f"{row['preset']} unknown"


def report(found):
    """Return what :func:`examine` found as text for a person."""
    lines = [
        f"Python    {found['python']} on {found['system']}",
        f"processor {found['cores']} cores, {size(found['memory_free'])} of memory free",
        *(
            f"device    {d['name']}: {d['model']}, {size(d['free'])} free"
            for d in found["devices"]
            if d["name"] != "cpu"
        ),
        *(f"disk      {size(n)} free for {printable(p)}" for p, n in found["disk_free"].items()),
        f"kernel    {'there' if found['kernel'] else 'missing'}",
        f"browser   {found['browser'] or 'none found (JupyterLab and the browser tests need one)'}",
        "",
        "packages",
    ]
    for p in found["packages"]:
        state = "" if p["ok"] else (f"  only for {p['extra']}" if p["extra"] else "  MISSING")
        state = "  BROKEN" if p["error"] else state
        lines.append(f"  {p['name']:<14} {p['found'] or '-':<12} {p['needed']}{state}")
    title = "time that a lesson takes here if nothing else runs (within a factor of two or so)"
    lines += ["", title]
    for lesson in dict.fromkeys(row["lesson"] for row in found["lessons"]):
        times = [expected(row) for row in found["lessons"] if row["lesson"] == lesson]
        lines.append(f"  {lesson}: {', '.join(times)}")
    lines += ["", *(f"note: {printable(note, 1000)}" for note in found["notes"])]
    lines += [
        f"PROBLEM: {printable(p['what'], 1000)}\n  mend it: {p['mends']}" for p in found["problems"]
    ]
    return "\n".join(lines if found["problems"] else [*lines, "All that the course needs is here."])


def main(as_json):
    """Print what was found, and return the exit code: 1 if something needed is missing."""
    found = examine()
    print(json.dumps(found, indent=1) if as_json else report(found), flush=True)
    return 1 if found["problems"] else 0
