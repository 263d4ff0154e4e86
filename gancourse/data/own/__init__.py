"""A user's own pictures, looked at before anything is trained on them.

>>> load_folder("~/pictures/shells").first(3)
<folder:/home/me/pictures/shells: 3 pictures (3, 64, 64), 2 classes on cpu>

Pictures (``folder:PATH``) lie in the folder, or in sub-folders, which are classes: the layout of
torchvision's ImageFolder and most other tools.

Pairs (``pairs:PATH``) lie in one file, A on the left and B on the right, as in the data sets of
pix2pix; or in two folders, in which the same name makes a pair::

    PATH/1.jpg                      one file for each pair, twice as wide as high
    PATH/A/1.jpg   PATH/B/1.png     two folders, whatever their names: A is first in the alphabet
    PATH/trainA/1.jpg   PATH/trainB/1.jpg

Unpaired pictures (``unpaired:PATH``) lie in two folders, as in the data sets of CycleGAN. What is
for testing lies in folders ``test`` or ``val``, above or below those of A and B, or in ``testA``
and ``testB``; without them it is one picture in ten, at least one, chosen by a hash of its name.
Two folders that lie apart are written with a comma between: ``pairs:PATH,PATH``.
"""

import hashlib
import os
from math import prod

import torch

from gancourse.data.own import reading
from gancourse.data.own.files import KINDS, absolute
from gancourse.data.own.layout import Folder, Sides
from gancourse.data.own.report import check
from gancourse.data.packed import packed
from gancourse.data.pairs import JITTER, PairedImages, UnpairedImages
from gancourse.data.source import Column, ImageData
from gancourse.errors import DataError
from gancourse.files.cache import cache_folder

IN_MEMORY = 2**30  # bytes of decoded pictures

__all__ = ["KINDS", "absolute", "check", "load_folder", "load_pairs", "load_unpaired"]


def load_folder(option, split="train"):
    """Return the pictures of a folder, in colour and square.

    Parameters
    ----------
    option : str or pathlib.Path
        The folder's path; quotes around it and ``~`` are understood.
    split : {"train", "test"}
        A tenth of the pictures is for testing, at least one of two, chosen by a hash of the name
        below the folder: a picture stays in its split when others are added, or the folder is
        moved.

    Returns
    -------
    ImageData
        uint8 (N, 3, 64, 64) unless resized; with the sub-folders as labels, if there are any, and
        with ``attributes`` if a list of them lies in the folder, see
        :mod:`gancourse.data.own.attributes`. The order is that of the hash, so that the first N
        are a fair sample. See :func:`gancourse.data.own.decoding.decode` for how a picture is read.

    Raises
    ------
    DataError
        If the folder is missing, or laid out in another way. Pictures that can't be read raise
        one when the first picture is needed.
    """
    folder = Folder(option)
    rows = folder.split(split)
    if not rows:
        raise DataError(
            f"{folder.root}: its only picture is for training, and none is in the {split} split. "
            "Add pictures."
        )
    chosen = [folder.records[row] for row in rows]
    labels = [folder.classes.index(folder.label(record)) for record in chosen if folder.classes]
    return ImageData(
        _column(folder.root, chosen),
        torch.tensor(labels) if labels else None,
        f"folder:{os.path.realpath(folder.root)}",
        folder.classes,
        attributes=None if folder.attributes is None else folder.attributes[rows],
        attribute_names=folder.attribute_names,
    )


def load_pairs(option, split="train"):
    """Return the pairs of a folder; the module's text says how it may be laid out.

    Parameters
    ----------
    option : str or pathlib.Path
        The folder's path, or two with a comma between.
    split : {"train", "valid", "test"}
        If there is no part for testing, that for validation is taken, and the other way round.

    Returns
    -------
    PairedImages
        uint8 (N, 3, 64, 64) on both sides unless resized. For training they are cut and mirrored
        at random as in the papers; ``augmented(jitter=0, mirror=False)`` turns that off.

    Raises
    ------
    DataError
        If the layout is another one, a side is empty, or a picture has no partner. Pictures that
        can't be read, or differ in shape, raise one when the first pair is needed.
    """
    sides = Sides(option, "pairs")
    (pairs,) = sides.take(split)
    return paired(_column(sides.written, pairs), f"pairs:{sides.real}", split)


def load_unpaired(option, split="train"):
    """Return pictures of A and of B, of which nothing belongs together.

    Parameters
    ----------
    option, split
        See :func:`load_pairs`.

    Returns
    -------
    UnpairedImages

    Raises
    ------
    DataError
        If the layout is another one, or a side is empty.
    """
    sides = Sides(option, "unpaired")
    columns = [_column(sides.written, side) for side in sides.take(split)]
    return unpaired(columns, f"unpaired:{sides.real}", split)


def _column(title, records):
    """Return a column of records; of pairs it has 6 channels, A over B.

    What takes more than ``IN_MEMORY`` bytes is decoded once into a file of the cache folder, from
    which batches are read: the memory does not grow with the number of pictures.
    """
    channels = 6 if records[0].pair else 3

    def read(count, size):
        some, shape = records[:count], (count, channels, size, size)
        if prod(shape) <= IN_MEMORY:
            return reading.read(title, some, size)
        path = cache_folder() / "pictures" / f"{_digest(some)}-{size}.npy"
        return packed(path, shape, lambda: reading.rows(title, some, size))

    return Column.read(read, len(records), reading.SIZE, channels)


def _digest(records):
    """Return a text that changes when a file of the records is another, or has been changed."""
    found = hashlib.sha256()
    for file in (file for record in records for file in record.files):
        about = os.stat(file.path)
        line = f"{file.path.absolute()}|{about.st_size}|{about.st_mtime_ns}\n"
        found.update(line.encode("utf-8", "surrogatepass"))
    return found.hexdigest()[:16]


def paired(column, name, split):
    """Return pairs from one column with 6 channels, A over B; each file is read once."""
    a, b = (ImageData(column.channels(first, first + 3), None, name) for first in (0, 3))
    return PairedImages(a, b, name, **_varied(split))


def unpaired(columns, name, split):
    """Return unpaired pictures from a column of A and one of B."""
    a, b = (
        ImageData(column, None, f"{name} {side}")
        for column, side in zip(columns, "AB", strict=True)
    )
    return UnpairedImages(a, b, name, **_varied(split))


def _varied(split):
    """Return how pictures are varied: as in the papers for training, else not at all."""
    return {"jitter": JITTER, "mirror": True} if split == "train" else {}
