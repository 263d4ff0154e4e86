"""One paper, one file. No file here imports another."""

from importlib import import_module
from pathlib import Path

from gancourse.errors import choose


def find(name):
    """Return the module of a GAN, such as ``gancourse.gans.dcgan`` for "dcgan".

    Raises
    ------
    CourseError
        If there is no such GAN; those that there are are listed.
    """
    files = Path(__file__).parent.glob("[!_]*.py")
    return import_module(f"gancourse.gans.{choose('GAN', name, sorted(f.stem for f in files))}")
