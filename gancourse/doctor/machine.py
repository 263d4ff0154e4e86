"""What this machine has: packages, devices, memory, disks, a kernel and a browser.

Other packages are imported where they are used: the doctor also runs where some are missing.
"""

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import webbrowser
from pathlib import Path

MODULES = {
    "pillow": "PIL",
    "beautifulsoup4": "bs4",
    "ipython": "IPython",
}  # packages whose module has another name


def find_packages():
    """Compare the installed packages with the requirements of the course.

    Returns
    -------
    list of dict
        ``name``, ``needed`` (a range of versions), ``found`` (a version or None), ``ok``,
        ``extra`` (the optional group that needs it, or None) and ``error`` (why it cannot be
        imported, or None).

    Raises
    ------
    ImportError
        If the course itself is not installed, or ``packaging`` is not.
    """
    from packaging.requirements import Requirement

    found = []
    for line in importlib.metadata.requires("gancourse") or []:
        need = Requirement(line)
        extra = re.search(r"""extra == ["'](\w+)["']""", str(need.marker or ""))
        version = installed(need.name)
        error = None if extra or version is None else import_error(need.name)
        found.append(
            {
                "name": need.name,
                "needed": str(need.specifier),
                "found": version,
                "ok": error is None and fits(version, need.specifier),
                "extra": extra and extra[1],
                "error": error,
            }
        )
    return found


def installed(name):
    """Return the version of an installed package as text, or None."""
    try:
        return importlib.metadata.version(name)
    except (importlib.metadata.PackageNotFoundError, KeyError):  # KeyError: metadata without one
        return None


def fits(version, specifier):
    """Return whether a version, a text or None, is in a range; one that is no version is not."""
    from packaging.version import InvalidVersion, Version

    try:
        return version is not None and specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False


def import_error(name):
    """Return why a package cannot be imported, or None if it can."""
    try:
        importlib.import_module(MODULES.get(name, name.replace("-", "_")))
    except Exception as error:  # what a broken package raises is not known
        return in_a_line(error)
    return None


def in_a_line(error):
    """Return an error as one line of text."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def find_devices():
    """Return the devices that PyTorch can use, first the one that ``auto`` takes."""
    try:
        import torch
    except (ImportError, OSError):  # an OSError if its shared libraries do not load
        return []
    devices = [
        {"name": f"cuda:{i}", "model": torch.cuda.get_device_name(i), **free_on(torch, i)}
        for i in range(torch.cuda.device_count())
    ]
    if torch.backends.mps.is_available():
        devices.append({"name": "mps", "model": "Apple GPU", "free": None, "total": None})
    model = f"{platform.machine()}, {torch.get_num_threads()} threads"
    return [*devices, {"name": "cpu", "model": model, "free": memory_free(), "total": None}]


def free_on(torch, index):
    """Return the free and the total memory of a GPU in bytes; None if it cannot be asked."""
    try:
        free, total = torch.cuda.mem_get_info(index)
    except RuntimeError:  # the GPU is broken, or another program has it to itself
        free = total = None
    return {"free": free, "total": total}


def memory_free():
    """Return the free memory in bytes; None where /proc/meminfo does not say it, as on macOS."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except (OSError, UnicodeError):
        return None
    found = re.search(r"MemAvailable:\s+(\d+) kB", text)
    return int(found[1]) * 1024 if found else None


def look_at_folder(place):
    """Return what a folder that need not exist yet can hold.

    Parameters
    ----------
    place : str or Path

    Returns
    -------
    free : int or None
        Bytes on its disk.
    fault : str or None
        Why nothing can be written there.
    """
    place = Path(os.path.abspath(place))
    there = next(folder for folder in (place, *place.parents) if os.path.lexists(folder))
    try:
        free = shutil.disk_usage(there).free
    except OSError:
        free = None
    if not os.path.isdir(there):
        return free, f"{there} is not a folder"
    if not os.access(there, os.W_OK | os.X_OK):
        return free, f"you may not write to {there}"
    return free, None


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
