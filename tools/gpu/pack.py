"""Pack what a machine without a network lacks into one archive: ``make gpu-pack``.

That machine has Python 3.12 on Linux, PyTorch, torchvision and the packages that come with them.
The archive travels beside the checkout, and `make gpu` unpacks it. It is about half as large as
the wheels that it is made of.
"""

import argparse
import importlib.metadata
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from gancourse.errors import CourseError

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 64 * 2**20  # bytes that can be carried, the checkout included

# What the course imports, and what these import; in the versions that are installed here.
COURSE = ("pydantic", "pydantic_core", "annotated_types", "typing_inspection", "typing_extensions")
COURSE += ("pooch", "platformdirs")
# What the cells of a lesson import: no Jupyter, since a lesson is executed in the same process.
LESSONS = ("ipython", "traitlets", "decorator", "matplotlib_inline", "prompt_toolkit", "wcwidth")
LESSONS += ("stack_data", "executing", "asttokens", "pure_eval", "ipython_pygments_lexers")
LESSONS += ("nbformat", "fastjsonschema", "jsonschema", "jsonschema_specifications", "referencing")
LESSONS += ("rpds_py", "jupyter_core", "ipywidgets", "comm", "anywidget", "psygnal")


def download(folder, python="3.12", machine="x86_64"):
    """Download the wheels of all packages, each in the version that is installed here.

    Parameters
    ----------
    folder : path
    python : str
        The version of the other machine's Python.
    machine : str
        Its processor.

    Raises
    ------
    CourseError
        If pip fails.
    """
    wanted = []
    for name in (*COURSE, *LESSONS):
        try:
            wanted.append(f"{name}=={importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue  # the version of IPython that is installed here needs no such package
    tags = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014", "manylinux1")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", "--python-version", python, "--implementation", "cp"]
    command += [word for tag in tags for word in ("--platform", f"{tag}_{machine}")]
    if subprocess.run([*command, "--dest", str(folder), *wanted], check=False).returncode:
        raise CourseError("pip could not download the packages: see above.")


def pack(wheels, path):
    """Write what is in a folder's wheels, without their tests, into one archive."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as site:
        for wheel in sorted(Path(wheels).glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                names = archive.namelist()
                kept = [n for n in names if "/tests/" not in n and ".data/" not in n]
                archive.extractall(site, kept)
        with tarfile.open(path, "w:xz") as archive:
            archive.add(site, ".")


def size_of_checkout():
    """Return the bytes of all files that git knows."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return sum(path.stat().st_size for path in paths if path.is_file())


def main():
    """Pack, and say what there is to carry."""
    parser = argparse.ArgumentParser(prog="python -m tools.gpu.pack", description=__doc__)
    parser.add_argument("path", type=Path, help="the archive, such as build/site.tar.xz")
    parser.add_argument("--python", default="3.12", help="of the other machine")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as wheels:
            download(wheels, options.python)
            pack(wheels, options.path)
    except CourseError as problem:
        parser.exit(2, f"{problem}\n")
    mine, checkout = options.path.stat().st_size, size_of_checkout()
    print(f"{options.path}: {mine / 2**20:.1f} MiB; the checkout has {checkout / 2**20:.1f}")
    if mine + checkout > LIMIT:
        print(f"that is more than {LIMIT / 2**20:.0f} MiB together")


if __name__ == "__main__":
    main()
