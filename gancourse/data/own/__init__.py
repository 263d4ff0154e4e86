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

Pictures with maps (``mapped:PATH``) lie in two folders, see :mod:`gancourse.data.own.maps`; those
with boxes (``boxes:PATH``) beside a list of these, see :mod:`gancourse.data.own.boxes`.
"""

import hashlib
import os
from math import prod

import torch

from gancourse.data.own import reading
from gancourse.data.own.boxes import THINGS, Listed, find_list
from gancourse.data.own.files import KINDS, find_folder, find_folders
from gancourse.data.own.layout import Folder, Sides
from gancourse.data.own.maps import Maps, picture_of
from gancourse.data.own.report import check
from gancourse.data.packed import packed
from gancourse.data.pairs import JITTER, PairedImages, UnpairedImages
from gancourse.data.source import Column, ImageData
from gancourse.errors import DataError
from gancourse.fields import Boxes, Map, Tokens
from gancourse.files.cache import cache_folder

IN_MEMORY = 2**30  # bytes of decoded pictures

__all__ = [
    "KINDS",
    "absolute",
    "check",
    "load_boxes",
    "load_folder",
    "load_mapped",
    "load_pairs",
    "load_unpaired",
]


def absolute(name):
    """Return a data set's name with absolute paths, so that it can be read from another folder.

    Parameters
    ----------
    name : str
        "folder:pics", "pairs:a,b", or any other name, which is returned as it is.

    Raises
    ------
    DataError
        If it names a folder that does not exist.
    """
    kind, _, path = name.partition(":")
    if kind not in KINDS or not path:
        return name
    if kind == "boxes":
        paths = [path for path in find_list(path) if path]
    else:
        paths = [find_folder(path)] if kind == "folder" else find_folders(path, kind)
    return f"{kind}:{','.join(str(path.absolute()) for path in paths)}"


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


def load_mapped(option, split="train"):
    """Return pictures with their maps; :mod:`gancourse.data.own.maps` says how they may lie.

    Parameters
    ----------
    option, split
        See :func:`load_pairs`.

    Returns
    -------
    ImageData
        uint8 (N, 3, 64, 64) unless resized, with the field "map": the classes of the middle
        square, as the picture is cut.

    Raises
    ------
    DataError
        If the layout is another one, a picture has no map, or the legend is wrong. Files that
        can't be read, pixels of unknown classes, and maps of another shape than their pictures
        raise one when the first row is needed.
    """
    maps = Maps(option)
    records, legend = maps.take(split), maps.legend
    title, count = maps.sides.written, len(records)
    read = _reader(title, records, lambda size: (size, size), maps.look_at, repr(legend))
    field = Map(classes=legend.names, size=reading.SIZE)
    column = Column(field, count, lambda count, field, device: read(count, field.side))
    pictures = _column(title, [picture_of(record) for record in records])
    return ImageData(pictures, None, f"mapped:{maps.sides.real}", more={"map": column})


def load_boxes(option, split="train"):
    """Return pictures with boxes; :mod:`gancourse.data.own.boxes` describes their list.

    Parameters
    ----------
    option : str or pathlib.Path
        A folder, or a folder and a list with a comma between.
    split : {"train", "test"}
        See :func:`load_folder`.

    Returns
    -------
    ImageData
        uint8 (N, 3, 64, 64) unless resized, with the fields "boxes" and "kinds": the largest
        eight things of each picture, the largest first.

    Raises
    ------
    DataError
        If there is no such folder or list, or the list does not fit the pictures. Pictures that
        can't be read, or have another size than the list says, raise one when the first is needed.
    """
    listed = Listed(option)
    rows = listed.take(split)
    boxes, kinds = (torch.from_numpy(table[rows]) for table in (listed.boxes, listed.kinds))
    places = Boxes(things=tuple(f"thing {k + 1}" for k in range(THINGS)))
    words = Tokens(words=listed.words, length=THINGS)
    return ImageData(
        _column(listed.written, [listed.records[row] for row in rows], listed.look_at),
        None,
        f"boxes:{listed.real}",
        more={"boxes": Column.of(places, boxes), "kinds": Column.of(words, kinds)},
    )


def _column(title, records, looker=reading.look_at):
    """Return a column of records; of pairs it has 6 channels, A over B."""
    channels = 6 if records[0].pair else 3
    read = _reader(title, records, lambda size: (channels, size, size), looker)
    return Column.read(read, len(records), reading.SIZE, channels)


def _reader(title, records, shape, looker=reading.look_at, about=""):
    """Return a function ``read(count, size)`` of the pixels of records.

    What takes more than ``IN_MEMORY`` bytes is decoded once into a file of the cache folder, from
    which batches are read: the memory does not grow with the number of pictures.

    Parameters
    ----------
    title, records, looker
        See :func:`gancourse.data.own.reading.rows`.
    shape : callable
        ``shape(size)`` returns the shape of the pixels of one record.
    about : str
        What the pixels depend on besides the files.
    """

    def read(count, size):
        some, whole = records[:count], (count, *shape(size))
        if prod(whole) <= IN_MEMORY:
            return reading.read(title, some, size, looker)
        path = cache_folder() / "pictures" / f"{_digest(some, about)}-{size}.npy"
        return packed(path, whole, lambda: reading.rows(title, some, size, looker))

    return read


def _digest(records, about=""):
    """Return a text that changes when a file of the records is another, or has been changed."""
    found = hashlib.sha256(about.encode("utf-8", "surrogatepass"))
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
