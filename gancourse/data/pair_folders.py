"""One's own pictures in two sets, A and B: pairs, or two piles of which nothing belongs together.

Pairs (``pairs:PATH``) lie in one file, A on the left and B on the right, as in the data sets of
pix2pix; or in two folders, where the same name makes a pair::

    PATH/1.jpg                      one file for each pair, twice as wide as high
    PATH/A/1.jpg   PATH/B/1.png     two folders, whatever their names: A is first in the alphabet
    PATH/trainA/1.jpg   PATH/trainB/1.jpg

Unpaired pictures (``unpaired:PATH``) lie in two folders, as in the data sets of CycleGAN. What is
for testing lies in folders ``test`` or ``val``, above or below those of A and B, or in ``testA``
and ``testB``; without them it is one picture in ten, chosen by its name. Two folders that lie
apart are written with a comma between: ``pairs:PATH,PATH``.
"""

import os
import re
from collections import Counter
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import PurePosixPath

import numpy as np

from gancourse.data.images import (
    PARTS,
    SIZE,
    Picture,
    Seen,
    composed,
    counted,
    decoded,
    find_folder,
    in_threads,
    look,
    pictures_in,
    read_pictures,
    refused,
    shown,
    some,
    square,
    survey,
)
from gancourse.data.pairs import JITTER, PairedImages, UnpairedImages
from gancourse.data.source import Column, ImageData
from gancourse.errors import DataError, choose

SPLIT_OF = {"train": "train", "training": "train", "test": "test", "testing": "test"}
SPLIT_OF |= {"val": "valid", "valid": "valid", "validation": "valid"}
# Where a part is missing, the second does.
INSTEAD = {"train": ("train",), "valid": ("valid", "test"), "test": ("test", "valid")}
SIDED = re.compile(rf"({'|'.join(PARTS)})?[ ._-]?([ab])", re.IGNORECASE)  # A, trainB, val_a
OWN_LETTER = [re.compile(rf"[ ._-]{side}$", re.IGNORECASE) for side in "ab"]  # 1_A.jpg
EXPECTED = {
    "pairs": "Expected one file for each pair, with A on the left and B on the right; or two "
    "folders, such as A and B or trainA and trainB, in which the same name makes a pair.",
    "unpaired": "Expected two folders, such as A and B or trainA and trainB.",
}


def load_pairs(option, split="train"):
    """Return the pairs of a folder; the module's text says how it may be laid out.

    Parameters
    ----------
    option : str or pathlib.Path
        The folder's path, or two with a comma between.
    split : {"train", "valid", "test"}
        Without a part for testing, the one for validation is taken, and the other way round.

    Returns
    -------
    PairedImages
        uint8 (N, 3, 64, 64) on both sides unless resized. For training they are cut and mirrored
        at random as in the papers; ``augmented(jitter=0, mirror=False)`` turns that off.

    Raises
    ------
    DataError
        If the layout is another one, a side is empty, or a picture has no partner. Whether
        pictures can be read, and fit each other, is seen when they are read, which ``resized``
        and ``to`` do.
    """
    sides = Sides(option, "pairs")
    (pairs,) = sides.take(split)

    def read(count, size):
        return read_pictures(sides.written, pairs[:count], size, channels=6, see=look_pair)

    return paired_images(read, len(pairs), f"pairs:{sides.real}", split)


def load_unpaired(option, split="train"):
    """Return two sets of pictures of which nothing belongs together.

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
    taken = sides.take(split)
    reads = [
        lambda count, size, side=side: read_pictures(sides.written, side[:count], size)
        for side in taken
    ]
    return unpaired_images(reads, [len(side) for side in taken], f"unpaired:{sides.real}", split)


def paired_images(read, count, name, split):
    """Return pairs that are read when they are needed, both sides at once.

    Parameters
    ----------
    read : callable
        ``read(count, size)`` returns uint8 (count, 6, size, size): A over B.
    count : int
    name, split : str
    """
    waiting = {}  # what was read of the other side, until it is asked for

    def half(number, *key):
        if (number, *key) not in waiting:
            both = read(*key)
            waiting.clear()
            waiting.update({(0, *key): both[:, :3], (1, *key): both[:, 3:]})
        return waiting.pop((number, *key))

    reads = [lambda *key, number=number: half(number, *key) for number in (0, 1)]
    a, b = (ImageData(Column.read(read, count, SIZE), None, name) for read in reads)
    varied = split == "train"
    return PairedImages(a, b, name, jitter=JITTER * varied, mirror=varied)


def unpaired_images(reads, counts, name, split):
    """Return two sets that are read when they are needed, each with its own function."""
    a, b = (
        ImageData(Column.read(read, count, SIZE), None, f"{name} {side}")
        for read, count, side in zip(reads, counts, "AB", strict=True)
    )
    varied = split == "train"
    return UnpairedImages(a, b, name, jitter=JITTER * varied, mirror=varied)


# What lies in the folders


@dataclass(frozen=True)
class Placed(Picture):
    """A picture of one side, or a pair.

    Attributes
    ----------
    path : pathlib.Path
    name : str
        Its path below the folder of its side, without an ending: what a pair has in common.
    files : tuple of Picture
        One; or that of A and that of B.
    """

    files: tuple = ()

    def __str__(self):
        return " + ".join(map(str, self.files))


class Sides:
    """Folders of pictures, sorted into parts and sides.

    Attributes
    ----------
    written : str
        The folder, or two with a comma between.
    real : str
        The same without links: one folder always has one name.
    parts : dict of str to tuple of lists of Placed
        By split, "" where the folders name none. Of pairs one list, else that of A and that of B.
    whole : bool
        Whether each file holds both sides.
    plain : bool
        Whether the folders' names say which is A and which B.
    called : tuple of str
        What the folders of A and of B are called, where that does not say which is which; or "".
    others : list of str
        Files that are no pictures.

    Raises
    ------
    DataError
        If they are laid out in another way, a side is empty, or names have no partner.
    """

    def __init__(self, option, kind):
        self.kind = kind
        folders = _folders(option, kind)
        self.written = ",".join(map(str, folders))
        self.real = ",".join(map(os.path.realpath, folders))
        self.called = tuple(folder.name for folder in folders) if len(folders) == 2 else ("", "")
        found, self.others = [], []
        for number, folder in enumerate(folders):
            pictures, others = pictures_in(folder)
            self.others += others
            prefix = f"{folder.name}/" if len(folders) == 2 else ""
            found += [
                (Picture(p.path, prefix + p.name), _place(p.name, side))
                for side in [number if prefix else None]
                for p in pictures
            ]
            if not pictures:
                others = f" among {len(others):,} files ({some(others)})" if others else ""
                raise self._refusal(f"0 pictures in {folder}{others}")
        self.plain = any(place.side is not None for _, place in found)
        if not self.plain:
            found = self._by_two_folders(found)
        loose = [picture for picture, place in found if place.side is None]
        self.whole = len(loose) == len(found)
        if loose and not self.whole:
            raise self._refusal(
                f"{len(loose):,} pictures ({some(loose)}) lie beside the folders of A and B"
            )
        if self.whole and kind == "unpaired":
            raise self._refusal(
                f"nothing says which of the {len(loose):,} pictures ({some(loose)}) are of A and "
                "which of B"
            )
        self.parts = self._parts(found)

    def _refusal(self, found):
        return DataError(f"{self.written}: {found}. {EXPECTED[self.kind]}")

    def _by_two_folders(self, found):
        """Take the two folders that there are for A and B, whatever their names."""
        tops = sorted({place.folders[0] if place.folders else "" for _, place in found})
        if tops == [""]:
            return found
        if len(tops) != 2 or "" in tops:
            names = [top or "pictures in no folder" for top in tops]
            raise self._refusal(f"there {'is' if len(names) == 1 else 'are'} {some(names)}")
        self.called = tuple(tops)
        return [(picture, _place(picture.name, None, tops)) for picture, _ in found]

    def _parts(self, found):
        named = {place.split for _, place in found} - {""}
        parts = {}
        for picture, place in found:
            part = place.split or ("train" if named else "")
            placed = Placed(picture.path, place.name, (picture,))
            parts.setdefault(part, ([], []))[place.side or 0].append(placed)
        for part, (a, b) in parts.items():
            if self.whole:
                parts[part] = (a,)
            elif not (a and b):
                where = f" for {part}" if part else ""
                raise self._refusal(
                    f"there are {len(a):,} pictures of A{where} and {len(b):,} of B"
                )
            elif self.kind == "pairs":
                parts[part] = (self._match(a, b),)
        return parts

    def _match(self, a, b):
        """Return the pairs that two lists of pictures make.

        Names that are the same make a pair first; of the rest those that differ in capitals, or
        in a letter of their side at the end.
        """
        pairs, left = [], (a, b)
        for like in (_same, _alike):
            named = []
            for side, pictures in enumerate(left):
                names = {}
                for picture in pictures:
                    other = names.setdefault(like(picture.name, side), picture)
                    if other is not picture:
                        raise self._refusal(f"{other} and {picture} are of one side and one name")
                named.append(names)
            one, two = named
            for n in one.keys() & two.keys():
                name, files = OWN_LETTER[0].sub("", one[n].name), one[n].files + two[n].files
                pairs.append(Placed(one[n].path, name, files))
            left = [[one[n] for n in one if n not in two], [two[n] for n in two if n not in one]]
        lone = [str(p) for p in chain(*zip_longest(*left)) if p]
        if lone:
            raise DataError(
                f"{self.written}: {len(lone):,} of {len(a) + len(b):,} pictures have no partner of "
                f"the same name: {some(lone)}. Rename or remove them; or, if nothing belongs "
                f"together, load them as unpaired:{self.written}."
            )
        return sorted(pairs, key=lambda pair: pair.files[0].name)

    def take(self, split):
        """Return the pictures of a split, see :meth:`split`; that there are none is an error."""
        taken = self.split(split)
        if not all(taken):
            raise DataError(
                f"{self.written}: none of its few pictures is in the {split} split. Add pictures."
            )
        return taken

    def split(self, split):
        """Return the pictures of a split: a list of pairs, or those of A and those of B.

        In the order of a hash of their names, so that the first N are a fair sample. Where the
        folders name no parts, the hash also chooses a tenth for testing; one at least, of two.
        """
        choose("split", split, INSTEAD)
        if len(self.parts) > 1 or not self.parts.keys() & {"", "train"}:
            for part in INSTEAD[split]:
                if part in self.parts:
                    return tuple(
                        sorted(side, key=lambda picture: picture.hash) for side in self.parts[part]
                    )
            raise self._refusal(f"there is no part for training, only for {some([*self.parts])}")
        taken = []
        for side in next(iter(self.parts.values())):
            side = sorted(side, key=lambda picture: picture.hash)
            # One at least, whatever the hash says: a run shows what was held out.
            count = sum(picture.for_testing for picture in side) or len(side) > 1
            side.sort(key=lambda picture: not picture.for_testing)
            taken.append(side[count:] if split == "train" else side[:count])
        return tuple(taken)


@dataclass(frozen=True)
class _Place:
    """What a picture's path says: split ("" if nothing), side (0, 1 or None), and the rest."""

    split: str
    side: int | None
    folders: tuple
    stem: str

    @property
    def name(self):
        return "/".join((*self.folders, self.stem))


def _place(name, side, tops=()):
    """Read the folders of a path from the top, as long as they are those of a split or a side."""
    path = PurePosixPath(name)
    folders, split = list(path.parts[:-1]), ""
    while folders:
        folder = folders[0]
        match = SIDED.fullmatch(folder)
        if not split and folder.lower() in SPLIT_OF:
            split = SPLIT_OF[folder.lower()]
        elif side is None and folder in tops:
            side = tops.index(folder)
        elif side is None and match and not tops:
            side = "ab".index(match[2].lower())
            split = split or SPLIT_OF.get((match[1] or "").lower(), "")
        else:
            break
        folders.pop(0)
    return _Place(split, side, tuple(folders), path.stem)


def _same(name, side):
    return composed(name)


def _alike(name, side):
    return OWN_LETTER[side].sub("", _same(name, side)).casefold()


def _folders(option, kind):
    """Return the one or two folders that the user means."""
    try:
        return [find_folder(option, kind)]
    except DataError as problem:
        paths = str(option).split(",")
        if len(paths) > 2 and all(os.path.isdir(os.path.expanduser(p.strip())) for p in paths):
            raise DataError(f"{option}: {len(paths)} folders, but there are two sides") from problem
        if len(paths) != 2:
            raise
    a, b = folders = [find_folder(path, kind) for path in paths]
    if os.path.samefile(a, b):
        raise DataError(f"{a} and {b} are one folder: A and B each need their own")
    return folders


# Reading


def look_pair(pair, size=SIZE):
    """Read both sides of a pair, and return what was seen of them.

    Parameters
    ----------
    pair : Placed
    size : int
        Pixels a side.

    Returns
    -------
    Seen
        With pixels of shape (6, size, size), A over B. Its size is that of A and of B, one after
        the other. The sides of one file must be square; two files must have one shape.
    """
    if len(pair.files) == 1:
        return look(pair, size, _halves)
    a, b = (look(file, size) for file in pair.files)
    for file, seen in zip(pair.files, (a, b), strict=True):
        if seen.problem:
            return Seen(problem=f"{file}: {seen.problem}")
    (small, low), (large, high) = sorted((a.size, b.size))
    if abs(large * low / high - small) > 1:
        sizes = "{}x{} and {}x{}".format(*a.size, *b.size)
        return Seen(problem=f"{sizes} pixels do not lie on each other: cut both to one shape")
    mode = a.mode if a.mode == b.mode else f"{a.mode}+{b.mode}"
    return Seen(pixels=np.concatenate([a.pixels, b.pixels]), size=a.size + b.size, mode=mode)


def _halves(picture, size):
    """Return the left and the right half of a picture, uint8 (6, size, size)."""
    draft = picture.size
    # Only if the seam stays between two pixels can less than all of them be decoded.
    if sorted(draft) == [max(draft) / 2, max(draft)] and max(draft) % 16 == 0:
        draft = (4 * size, 2 * size) if draft[0] > draft[1] else (2 * size, 4 * size)
    picture = decoded(picture, draft)
    width, height = picture.size
    if width != 2 * height:
        raise ValueError(
            f"{width}x{height} pixels: with A on the left and B on the right, a file is twice as "
            "wide as high"
        )
    halves = (picture.crop((left, 0, left + height, height)) for left in (0, height))
    return np.concatenate([square(half, size) for half in halves])


# Reports


def check_sides(option, kind):
    """Read every picture of both sides, and say what is there.

    Parameters
    ----------
    option : str or pathlib.Path
    kind : {"pairs", "unpaired"}

    Returns
    -------
    str
        A report of a few lines.

    Raises
    ------
    DataError
        If loading would raise one, or a picture cannot be used; the report says which.
    """
    sides = Sides(option, kind)
    training, testing = sides.split("train"), sides.split("test")
    lines, unreadable = [], []
    for number, (few, many) in enumerate(zip(testing, training, strict=True)):
        placed = [picture for part in sides.parts.values() for picture in part[number]]
        called = [f"{side}: {shown(name)}" for side, name in zip("AB", sides.called, strict=True)]
        if kind == "pairs":
            what = f" ({', '.join(called)})" if any(sides.called) else ""
            lines.append(f"{sides.written}: {len(placed):,} pairs{what}")
            lines.append(f"  kept as     {'one file' if sides.whole else 'two files'} each")
            found, bad = _survey_pairs(placed, sides.written)
        else:
            what = called[number] if any(sides.called) else "AB"[number]
            lines.append(f"{sides.written}: {len(placed):,} pictures of {what}")
            found, bad, _ = survey(placed, sides.written)
        lines += [f"  split       {len(many):,} for training, {len(few):,} for testing", *found]
        unreadable += bad
    if sides.others:
        lines.append(f"  no pictures {len(sides.others):,}: {some(sides.others)}")
    if unreadable:
        raise DataError("\n".join([*lines, *refused(unreadable)]))
    return "\n".join(lines)


def _survey_pairs(pairs, title):
    sizes, modes, unreadable, scaled = Counter(), Counter(), [], []
    for pair, seen in zip(pairs, in_threads(look_pair, pairs, title), strict=True):
        if seen.problem:
            unreadable.append(f"{pair} ({seen.problem})")
            continue
        sizes["{}x{}".format(*seen.size)] += 1
        modes[seen.mode] += 1
        if seen.size[:2] != seen.size[-2:]:
            scaled.append(pair)
    lines = [f"  pixels      {counted(sizes)}", f"  modes       {counted(modes)}"] if sizes else []
    if scaled:
        lines.append(f"  sizes       {len(scaled):,} differ between A and B: {some(scaled)}")
    return lines, unreadable


def kind_of(path):
    """Return "pairs" or "unpaired" where a folder is plainly meant as two sides, else None.

    That is where its sub-folders are called A and B, or trainA and trainB. Pairs they are if all
    names have a partner.
    """
    try:
        plain = Sides(path, "unpaired").plain
    except DataError:
        return None
    if not plain:
        return None
    try:
        Sides(path, "pairs")
    except DataError:
        return "unpaired"
    return "pairs"
