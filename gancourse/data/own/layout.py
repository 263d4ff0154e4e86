"""How folders are laid out: classes, or pairs and unpaired pictures of A and B, in splits."""

import os
import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from pathlib import Path, PurePosixPath

import torch

from gancourse.data.own import attributes
from gancourse.data.own.files import (
    ARCHIVES,
    ENDINGS,
    Record,
    among,
    composed,
    divide,
    find_folder,
    find_folders,
    is_litter,
    pictures_in,
    shown,
    some,
)
from gancourse.errors import DataError, choose

SPLITS = ("train", "test")
SPLIT_OF = {"train": "train", "training": "train", "test": "test", "testing": "test"}
SPLIT_OF |= {"val": "valid", "valid": "valid", "validation": "valid"}
# The parts of two sides that are taken for a split; the second where the first is missing.
INSTEAD = {"train": ("train",), "valid": ("valid", "test"), "test": ("test", "valid")}
SIDED = re.compile(rf"({'|'.join(SPLIT_OF)})?[ ._-]?([ab])", re.IGNORECASE)  # A, trainB, val_a
OWN_LETTER = [re.compile(rf"[ ._-]{side}$", re.IGNORECASE) for side in "ab"]  # 1_A.jpg
EXPECTED = {
    "pairs": "Expected one file for each pair, with A on the left and B on the right; or two "
    "folders, such as A and B or trainA and trainB, in which the same name makes a pair.",
    "unpaired": "Expected two folders, such as A and B or trainA and trainB.",
    "mapped": "Expected two folders, maps and pictures, in which the same name makes a pair.",
}


class Folder:
    """Pictures in a folder, or in a sub-folder for each class.

    Attributes
    ----------
    root : pathlib.Path
    records : list of Record
        Sorted by name.
    others : list of str
        The names of files that are no pictures.
    classes : tuple of str
        The sub-folders; empty if the pictures lie in the folder itself. One sub-folder beside a
        list of attributes is no class.
    attributes : bool torch.Tensor, (N, number of attributes), or None
        In the order of the records, if a list of them lies in the folder.
    attribute_names : tuple of str

    Raises
    ------
    DataError
        If the folder is missing, can't be opened, holds no picture, or has another layout; or if
        the list does not fit the pictures.
    """

    attributes = None
    attribute_names = ()

    def __init__(self, path):
        self.root = find_folder(path)
        self.pictures, self.others = pictures_in(self.root)
        self.records = [Record(picture.name, (picture,)) for picture in self.pictures]
        self.classes = tuple(sorted({*map(self.label, self.records)} - {""}))
        self._check_layout()
        self._read_list()

    @staticmethod
    def label(record):
        """Return the uppermost sub-folder that a record lies in; "" if there is none."""
        return record.name.partition("/")[0] if "/" in record.name else ""

    def split(self, split):
        """Return the indices of a split's records, in the order of their hashes; see `divide`."""
        return rows_of(self.records, split)

    def _check_layout(self):
        if not self.pictures:
            raise DataError(f"{self.root}: 0 pictures{self._why_none()}")
        loose = [record for record in self.records if not self.label(record)]
        if loose and self.classes:
            raise DataError(
                f"{self.root}: {len(loose):,} pictures ({some(loose)}) lie beside folders of "
                f"pictures ({some(self.classes)}). Move each into the folder of its class; or, "
                "to train without classes, move all into one folder."
            )
        if loose:
            return
        if all(picture.name.count("/") > 1 for picture in self.pictures):
            raise DataError(
                f"{self.root}: the pictures lie deeper than in sub-folders ({self.pictures[0]}). "
                f"Name the folder whose sub-folders are the classes: {self._above(2)}."
            )
        if all(name.lower() in SPLIT_OF for name in self.classes):
            raise DataError(
                f"{self.root}: {some(self.classes)} are splits, not classes. Name one of them: "
                f"{self._above(1)}. Or, if each file is a pair, twice as wide as high: "
                f"pairs:{self.root}."
            )
        real = Path(os.path.realpath(self.root))
        empty = sorted(
            entry.name
            for entry in self.root.iterdir()
            if os.path.isdir(entry)
            and not is_litter(entry)
            and entry.name not in self.classes
            and Path(os.path.realpath(entry)) not in (real, *real.parents)
        )
        if empty:
            raise DataError(
                f"{self.root}: every sub-folder is a class, but there is no picture in "
                f"{some(empty)}. Put some there, or move what is no class elsewhere."
            )

    def _why_none(self):
        archives = [name for name in self.others if name.lower().endswith(ARCHIVES)]
        if archives:
            return (
                f", but archives that are not unpacked: {some(archives)}. Unpack them, and name "
                "the folder that comes out."
            )
        found = among(self.others) or ": there is no file in it"
        return f"{found}. Expected files that end in {', '.join(ENDINGS)}."

    def _above(self, levels):
        """Name the folders so many levels above the pictures."""
        counts = Counter(picture.path.parents[levels - 1] for picture in self.pictures)
        return ", or ".join(
            f"folder:{folder} ({count:,} pictures)" for folder, count in counts.most_common(4)
        )

    def _read_list(self):
        lists = [name for name in self.others if attributes.is_list(name)]
        if not lists:
            return
        if len(lists) > 1:
            raise DataError(
                f"{self.root}: {some(lists)} are lists of attributes. Leave one of them."
            )
        self.others.remove(lists[0])
        path = self.root / lists[0]
        names, self.attribute_names, values = attributes.read(path)
        rows = {composed(name.replace("\\", "/")): row for row, name in enumerate(names)}
        found = [rows.get(composed(p.name), rows.get(composed(p.path.name))) for p in self.pictures]
        missing = [p for p, row in zip(self.pictures, found, strict=True) if row is None]
        if missing:
            used = set(found)
            unused = [name for name, row in rows.items() if row not in used] or [*rows]
            raise DataError(
                f"{path} has no line for {len(missing):,} of the {len(self.pictures):,} pictures "
                f"({some(missing)}), but lines for {some(unused)}. Write one for each, with "
                "the name below the folder; or move the pictures elsewhere."
            )
        first = {}
        for picture, row in zip(self.pictures, found, strict=True):
            other = first.setdefault(row, picture)
            if other is not picture:
                raise DataError(
                    f"{path} has one line {shown(names[row])} for both {other} and {picture}. "
                    "Write a line for each, with the path below the folder."
                )
        if len(self.classes) == 1:
            self.classes = ()
        self.attributes = torch.from_numpy(values[found].copy())


def rows_of(records, split):
    """Return the indices of a split's records, in the order of their hashes; see `divide`."""
    parts = dict(zip(SPLITS, divide(records), strict=True))
    rows = {record.name: row for row, record in enumerate(records)}
    return [rows[record.name] for record in parts[choose("split", split, SPLITS)]]


class Sides:
    """Folders with pictures of A and of B, sorted into splits.

    Parameters
    ----------
    option : str or pathlib.Path
        A folder, or two with a comma between.
    kind : {"pairs", "unpaired", "mapped"}
        Pairs of a map and a picture are always two files.

    Attributes
    ----------
    kind : str
    folders : list of pathlib.Path
        One, or that of A and that of B.
    written : str
        The folders as the user wrote them, for messages.
    real : str
        The same without links: one folder always has one name.
    parts : dict of str to tuple of lists of Record
        By split; "" where the folders name none. One list of pairs, or one of A and one of B.
    whole : bool
        Whether each file holds both sides.
    plain : bool
        Whether the folders' names say which is A and which is B.
    called : tuple of str
        The names of the folders of A and of B, if these do not say which is which; or "".
    others : list of str
        The names of files that are no pictures.

    Raises
    ------
    DataError
        If the layout is another one, a side is empty, or names have no partner.
    """

    def __init__(self, option, kind):
        self.kind = kind
        self.folders = folders = find_folders(option, kind)
        self.written = ",".join(map(str, folders))
        self.real = ",".join(map(os.path.realpath, folders))
        apart = len(folders) == 2
        self.called = tuple(folder.name for folder in folders) if apart else ("", "")
        found, self.others = [], []
        for side, folder in enumerate(folders):
            pictures, others = pictures_in(folder)
            self.others += others
            if not pictures:
                raise self._refusal(f"0 pictures in {folder}{among(others)}")
            for picture in pictures:
                name = f"{folder.name}/{picture.name}" if apart else picture.name
                place = _place(picture.name, side if apart else None)
                found.append((replace(picture, name=name), place))
        self.plain = any(place.side is not None for _, place in found)
        if not self.plain:
            found = self._by_two_folders(found)
        loose = [picture for picture, place in found if place.side is None]
        self.whole = len(loose) == len(found)
        if loose and not self.whole:
            raise self._refusal(
                f"{len(loose):,} pictures ({some(loose)}) lie beside the folders of A and B"
            )
        if self.whole and kind != "pairs":
            side = "maps" if kind == "mapped" else "of A"
            raise self._refusal(
                f"no folder says which of the {len(loose):,} pictures ({some(loose)}) are {side}"
            )
        self.parts = self._parts(found)

    def _refusal(self, found):
        return DataError(f"{self.written}: {found}. {EXPECTED[self.kind]}")

    def _by_two_folders(self, found):
        """Take the two folders that there are for A and B, in the order of their names."""
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
        pairs = self.kind != "unpaired"
        parts = {}
        for picture, place in found:
            part = parts.setdefault(place.split or ("train" if named else ""), ([], []))
            record = Record(place.name, (picture,), pair=pairs and self.whole)
            part[place.side or 0].append(record)
        for split in sorted(parts, key=["", *INSTEAD].index):
            a, b = parts[split]
            if self.whole:
                parts[split] = (a,)
            elif not (a and b):
                raise self._lopsided(split, a, b)
            elif pairs:
                parts[split] = (self._match(a, b),)
        return parts

    def _lopsided(self, split, a, b):
        """Return the error for a part in which one side has no pictures."""
        there, lacking = ("A", "B") if a else ("B", "A")
        where = f" for {split}" if split else ""
        folder = {"train": "train", "test": "test", "valid": "val"}.get(split, "")
        mend = f"Put some into a folder {folder}{lacking} beside the other"
        if split in ("test", "valid"):
            mend += f"; or move those of {there} elsewhere, and a tenth of the others is held out"
        return DataError(
            f"{self.written}: there are {len(a or b):,} pictures of {there}{where}, but none of "
            f"{lacking}. {mend}."
        )

    def _match(self, a, b):
        """Return the pairs of two lists of records.

        Equal names make a pair first; of the rest, those that differ only in capitals, or in the
        letter of their side at the end.
        """
        pairs, left = [], (a, b)
        for like in (_same, _alike):
            one, two = (self._by_name(side, rest, like) for side, rest in enumerate(left))
            for n in one.keys() & two.keys():
                name, files = OWN_LETTER[0].sub("", one[n].name), one[n].files + two[n].files
                pairs.append(Record(name, files, pair=True))
            left = [[one[n] for n in one if n not in two], [two[n] for n in two if n not in one]]
        lone = [str(record) for record in chain(*zip_longest(*left)) if record]
        if lone:
            other = "; or, if nothing belongs together, load them as unpaired:" + self.written
            raise DataError(
                f"{self.written}: {len(lone):,} of {len(a) + len(b):,} pictures have no partner of "
                f"the same name: {some(lone)}. Rename or remove them"
                f"{other if self.kind == 'pairs' else ''}."
            )
        return sorted(pairs, key=lambda pair: pair.files[0].name)

    def _by_name(self, side, records, like):
        names = {}
        for record in records:
            other = names.setdefault(like(record.name, side), record)
            if other is not record:
                raise self._refusal(f"{other} and {record} are of one side and one name")
        return names

    def take(self, split):
        """Return the records of a split as :meth:`split` does, but raise DataError if none are."""
        taken = self.split(split)
        if not all(taken):
            raise DataError(
                f"{self.written}: none of its few pictures is in the {split} split. Add pictures."
            )
        return taken

    def split(self, split):
        """Return the records of a split: a list of pairs, or one of A and one of B.

        They come in the order of their hashes, so that the first N are a fair sample. Where the
        folders name no splits, the hash also chooses a tenth for testing, see `divide`.
        """
        choose("split", split, INSTEAD)
        if len(self.parts) > 1 or not self.parts.keys() & {"", "train"}:
            for part in INSTEAD[split]:
                if part in self.parts:
                    return tuple(sorted(side, key=_hash) for side in self.parts[part])
            raise DataError(
                f"{self.written}: there is no part for training, only for {some([*self.parts])}. "
                "Put pictures into trainA and trainB; or rename the folders to A and B, of which a "
                "tenth is held out for testing."
            )
        sides = next(iter(self.parts.values()))
        return tuple(divide(side)[split != "train"] for side in sides)


@dataclass(frozen=True)
class _Place:
    """What a picture's path says: its split ("" if nothing), its side (0, 1 or None), the rest."""

    split: str
    side: int | None
    folders: tuple
    stem: str

    @property
    def name(self):
        return "/".join((*self.folders, self.stem))


def _place(name, side, tops=()):
    """Read the folders of a path from the top, as long as they name a split or a side."""
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


def _hash(record):
    return record.hash


def _same(name, side):
    return composed(name)


def _alike(name, side):
    return OWN_LETTER[side].sub("", composed(name)).casefold()
