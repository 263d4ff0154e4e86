"""The data of the course: what there is, and one call to load it.

>>> data = load("digits")
>>> data
<digits: 4,000 pictures (1, 28, 28), 10 classes on cpu>
"""

from gancourse.data import digits as _digits
from gancourse.data import emoji as _emoji
from gancourse.data import mixtures
from gancourse.data.source import Data, ImageData, shipped
from gancourse.errors import DataError, choose

__all__ = ["DATASETS", "Data", "ImageData", "load", "shipped"]

DATASETS = {
    "ring": mixtures.ring,
    "grid": mixtures.grid,
    "digits": _digits.digits,
    "fashion": _digits.fashion,
    "emoji": _emoji.load,
}


def load(name, *, split="train", image_size=None, device="cpu", limit=None):
    """Return the data set of that name."""
    kind, colon, modes = name.partition(":")
    choose("data set", kind, DATASETS)
    if kind in ("ring", "grid"):
        if colon and not modes.isdecimal():
            raise DataError(f"data set {name!r}: after the colon comes a number of modes")
        return DATASETS[kind](*([int(modes)] if colon else [])).to(device)
    data = _emoji.load(modes, split) if kind == "emoji" else DATASETS[kind](split)
    if limit is not None:
        data = data.first(limit)
    if image_size is not None:
        data = data.resized(image_size)
    return data.to(device)
