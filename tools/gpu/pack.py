"""Download what a machine without a network lacks: ``make gpu-pack``.

That machine has Python 3.12 on Linux, PyTorch, torchvision and the packages that come with them.
The folder travels beside the checkout, and `make gpu` installs what it finds there.
"""

import argparse
import importlib.metadata
import subprocess
import sys
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
LESSONS += ("rpds_py", "jupyter_core", "ipywidgets", "comm", "anywidget", "psygnal", "pygments")


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
    Path(folder).mkdir(parents=True, exist_ok=True)
    for old in Path(folder).glob("*.whl"):
        old.unlink()
    if subprocess.run([*command, "--dest", str(folder), *wanted], check=False).returncode:
        raise CourseError("pip could not download the packages: see above.")


def size_of_checkout():
    """Return the bytes of all files that git knows."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return sum(path.stat().st_size for path in paths if path.is_file())


def main():
    """Download, and say what there is to carry."""
    parser = argparse.ArgumentParser(prog="python -m tools.gpu.pack", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default="3.12", help="of the other machine")
    options = parser.parse_args()
    try:
        download(options.folder, options.python)
    except CourseError as problem:
        parser.exit(2, f"{problem}\n")
    wheels, checkout = (
        sum(p.stat().st_size for p in options.folder.glob("*.whl")),
        size_of_checkout(),
    )
    print(
        f"{options.folder}: {wheels / 2**20:.1f} MiB of packages; checkout {checkout / 2**20:.1f}"
    )
    if wheels + checkout > LIMIT:
        print(f"together more than {LIMIT / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
