"""What this machine has, what the course needs, and how long its lessons will take here."""

import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
import sys
import time
import webbrowser
from pathlib import Path

from packaging.requirements import Requirement

from gancourse.batch import lessons

INSTALL = "python -m pip install {}"


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
        missing and the command that ``mends`` it; it is empty if the course can run.
    """
    packages = find_packages()
    problems = [
        {
            "what": f"{p['name']} {p['needed']} is needed, found: {p['found'] or 'none'}",
            "mends": INSTALL.format(f'"{p["name"]}{p["needed"]}"'),
        }
        for p in packages
        if not p["ok"] and not p["extra"]
    ]
    kernel = find_kernel()
    if not kernel:
        problems.append(
            {"what": "there is no Jupyter kernel", "mends": INSTALL.format("ipykernel")}
        )
    devices = find_devices()
    speed = measure_speed(devices[0]["name"]) if measure and devices else None
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": packages,
        "devices": devices,
        "cores": os.cpu_count(),
        "memory_free": memory_free(),
        "disk_free": {str(place): disk_free(place) for place in (Path.cwd(), cache_folder())},
        "kernel": kernel,
        "browser": find_browser(),
        "speed": speed,
        "lessons": estimates(speed),
        "problems": problems,
    }


def find_packages():
    """Compare the installed packages with the requirements of the course."""
    found = []
    for line in importlib.metadata.requires("gancourse") or []:
        need = Requirement(line)
        extra = re.search(r'extra == "(\w+)"|extra == \'(\w+)\'', str(need.marker or ""))
        try:
            version = importlib.metadata.version(need.name)
        except importlib.metadata.PackageNotFoundError:
            version = None
        found.append(
            {
                "name": need.name,
                "needed": str(need.specifier),
                "found": version,
                "ok": version is not None and need.specifier.contains(version, prereleases=True),
                "extra": extra and (extra[1] or extra[2]),
            }
        )
    return found


def find_devices():
    """Return the devices that PyTorch can use, first the one that ``auto`` takes."""
    try:
        import torch
    except (ImportError, OSError):  # an OSError if its shared libraries do not load
        return []
    devices = [
        {
            "name": f"cuda:{i}",
            "model": torch.cuda.get_device_name(i),
            "free": torch.cuda.mem_get_info(i)[0],
            "total": torch.cuda.mem_get_info(i)[1],
        }
        for i in range(torch.cuda.device_count())
    ]
    if torch.backends.mps.is_available():
        devices.append({"name": "mps", "model": "Apple GPU", "free": None, "total": None})
    model = f"{platform.machine()}, {torch.get_num_threads()} threads"
    return [*devices, {"name": "cpu", "model": model, "free": memory_free(), "total": None}]


def memory_free():
    """Return the free memory in bytes; None where there is no /proc/meminfo, as on macOS."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    return int(re.search(r"MemAvailable:\s+(\d+) kB", text)[1]) * 1024


def disk_free(place):
    """Return the free bytes on the disk of ``place``, a folder that need not exist yet."""
    place = next(folder for folder in (place, *place.parents) if folder.exists())
    return shutil.disk_usage(place).free


def cache_folder():
    """Return the folder of downloaded data."""
    import pooch

    return Path(os.environ.get("GANCOURSE_CACHE") or pooch.os_cache("gancourse"))


def find_kernel():
    """Return whether JupyterLab can start a kernel with this Python."""
    return importlib.util.find_spec("ipykernel") is not None


def find_browser():
    """Return a browser's name or path, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge", "firefox")
    path = next(filter(None, map(shutil.which, names)), None)
    try:
        return path or webbrowser.get().name
    except (webbrowser.Error, AttributeError):
        return None


def measure_speed(device="cpu", seconds=2.0):
    """Train two small convolutional networks on noise, and return the steps per second.

    Only the ratio of two such speeds has a meaning: it compares two machines.
    """
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

    def train(until):
        steps = 0
        while steps < 5 or time.perf_counter() < until:
            loss = netD(netG(z)).square().mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
            steps += 1
            loss.item()  # waits for the device
        return steps

    train(0)  # the first steps are slower: they allocate memory and load kernels
    start = time.perf_counter()
    steps = train(start + seconds)
    return steps / (time.perf_counter() - start)


def estimates(speed):
    """Estimate how long each lesson takes here in each preset.

    A lesson's notebook records the seconds that it took and the speed of that machine. The
    estimate scales these seconds by the ratio of speeds, and is right to a factor of two or so.

    Parameters
    ----------
    speed : float or None
        From :func:`measure_speed`, on this machine.

    Returns
    -------
    list of dict
        ``lesson``, ``preset``, ``recorded`` (seconds, on the recording machine) and ``seconds``
        (the estimate for this one); None where they are unknown.
    """
    rows = []
    for path in lessons.by_number().values():
        record = lessons.read(path).metadata.get("gancourse", {})
        for preset in lessons.PRESETS:
            recorded = record.get("seconds", {}).get(preset)
            there = record.get("speed", {}).get(preset)
            here = round(recorded * there / speed, 1) if recorded and there and speed else None
            row = {"lesson": path.stem, "preset": preset, "recorded": recorded, "seconds": here}
            rows.append(row)
    return rows


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
        *(f"disk      {size(free)} free for {place}" for place, free in found["disk_free"].items()),
        f"kernel    {'there' if found['kernel'] else 'missing'}",
        f"browser   {found['browser'] or 'none found (JupyterLab and the browser tests need one)'}",
        "",
        "packages",
    ]
    for p in found["packages"]:
        state = "" if p["ok"] else (f"  only for {p['extra']}" if p["extra"] else "  MISSING")
        lines.append(f"  {p['name']:<14} {p['found'] or '-':<12} {p['needed']}{state}")
    lines += ["", "time that a lesson takes here (an estimate, within a factor of two or so)"]
    for lesson in dict.fromkeys(row["lesson"] for row in found["lessons"]):
        times = [expected(row) for row in found["lessons"] if row["lesson"] == lesson]
        lines.append(f"  {lesson}: {', '.join(times)}")
    if not found["lessons"]:
        lines.append("  there are no lessons here")
    lines += ["", *(f"PROBLEM: {p['what']}\n  mend it: {p['mends']}" for p in found["problems"])]
    return "\n".join(lines if found["problems"] else [*lines, "All that the course needs is here."])


def main(as_json):
    """Print what was found, and return the exit code: 1 if something needed is missing."""
    found = examine()
    print(json.dumps(found, indent=1) if as_json else report(found))
    sys.stdout.flush()
    return 1 if found["problems"] else 0
