"""Pictures with maps: label pictures, the class of each pixel as a number or as a colour.

Two folders hold the pictures and their maps, and the same name makes a pair. The folder of the maps
is called ``maps``, ``labels`` or the like; of A and B it is A::

    PATH/maps/1.png   PATH/pictures/1.jpg

The value of a pixel is the number in a picture of greys or with a palette, whatever the palette's
colours, and the colour in one with colours. Classes are the values that occur, in ascending order;
or those of a list, ``legend.csv``, which gives them names::

    name,colour
    sky,#a9d8f5
    road,#d9b98a

or ``sky,0``. If the list has colours, those of a palette count.
"""

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from PIL import Image

from gancourse.data.own.attributes import cells_of, readable
from gancourse.data.own.decoding import Unfit, loaded, turn_of, upright
from gancourse.data.own.files import Record, shown, some
from gancourse.data.own.layout import Sides
from gancourse.data.own.reading import SIZE, Seen, apart, in_threads, look, refused
from gancourse.errors import DataError

LEGEND = "legend.csv"
MOST_CLASSES = 256  # a map is kept as bytes
MOST_BYTES = 1_000_000  # of a legend
NAMES = ("map", "label", "mask", "annotation", "segmentation", "semantic", "segmentationclass")
NAMES = (*NAMES, *(f"{name}s" for name in NAMES), "labelmaps", "gt")  # of a folder of maps
HEADERS = ("colour", "color", "value", "number", "index", "id")  # of the second column
STRIP = 2**20  # pixels that are looked at at once
COLOUR = re.compile("#([0-9a-f]{6})", re.IGNORECASE)
# Pillow scales the numbers of such a PNG to 8 bits.
SCALED = {"L;2": 85, "L;4": 17}
NUMBERS = ("1", "L", "P", "LA", "I", "I;16", "I;16B")


@dataclass(frozen=True)
class Legend:
    """The classes of maps.

    Attributes
    ----------
    names : tuple of str
    values : tuple of int
        The value of each class: a number, or a colour as 0xRRGGBB.
    coloured : bool
        Whether the values are colours.
    """

    names: tuple
    values: tuple
    coloured: bool

    @classmethod
    def of(cls, values, coloured):
        """Return the legend of values that have no other names, in ascending order."""
        values = tuple(sorted(values))
        return cls(tuple(told(value, coloured) for value in values), values, coloured)

    def classes(self, values):
        """Return the class of each value, uint8, and which values are unknown, bool."""
        order = np.argsort(self.values)
        known = np.asarray(self.values, np.int32)[order]
        place = np.searchsorted(known, values).clip(max=len(known) - 1)
        return order.astype(np.uint8)[place], known[place] != values


def told(value, coloured):
    """Return a value in words: "#a9d8f5", or "3"."""
    return f"#{value:06x}" if coloured else str(value)


def read_legend(path):
    """Read a legend: a line for each class, with its name and its number or colour.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    Legend

    Raises
    ------
    DataError
        With the number of the first line that is wrong.
    """
    with (
        readable(path, "the legend", MOST_BYTES, f"Leave at most {MOST_CLASSES} classes."),
        open(path, encoding="utf-8-sig", newline="") as file,
    ):
        rows = [(line, [*filter(None, cells)]) for line, cells in cells_of(file)]
    if rows and rows[0][1][-1].lower() in HEADERS:
        rows = rows[1:]
    names, values, forms = {}, {}, {}
    for line, cells in rows:
        found = _value(cells[1]) if len(cells) == 2 else None
        if found is None:
            raise DataError(
                f"{path}, line {line}: expected a class and its value, such as road,#d9b98a or "
                f"road,3, not {shown(','.join(cells))!r}"
            )
        value, coloured = found
        forms.setdefault(coloured, line)
        for what, known, key in (("class", names, cells[0]), ("value", values, value)):
            if key in known:
                raise DataError(
                    f"{path}, line {line}: the {what} {shown(cells[what == 'value'])!r} is that of "
                    f"line {known[key]} too. Leave one."
                )
            known[key] = line
    if len(forms) > 1:
        raise DataError(
            f"{path} has a number in line {forms[False]} and a colour in line {forms[True]}. Write "
            "all values alike; colours begin with #."
        )
    if not 0 < len(names) <= MOST_CLASSES:
        raise DataError(f"{path} has {len(names)} classes, expected 1 to {MOST_CLASSES}")
    return Legend(tuple(names), tuple(values), True in forms)


def _value(text):
    """Return a value of a legend and whether it is a colour; None for another text."""
    number = text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 2**16
    if number:
        return int(text), False
    match = COLOUR.fullmatch(text)
    return (int(match[1], 16), True) if match else None


class Maps:
    """Pictures and their maps, in two folders.

    Parameters
    ----------
    option : str or pathlib.Path
        A folder, or two with a comma between.

    Attributes
    ----------
    sides : gancourse.data.own.layout.Sides
    others : list of str
        The names of files that are neither pictures nor the legend.
    legend : Legend

    Raises
    ------
    DataError
        If the layout is another one, no folder says which are the maps, or a name has no partner;
        without a legend also if a map can't be read, or maps differ in form.
    """

    def __init__(self, option):
        self.sides = Sides(option, "mapped")
        called = [name.lower() in NAMES for name in self.sides.called]
        if any(self.sides.called) and sum(called) != 1:
            names = " and ".join(map(shown, self.sides.called))
            raise DataError(
                f"{self.sides.written}: which of {names} holds the maps? Call that folder maps."
            )
        self._maps_last = called[1]
        legends = [name for name in self.sides.others if name.lower().split("/")[-1] == LEGEND]
        if len(legends) > 1:
            raise DataError(f"{self.sides.written}: {some(legends)} are legends. Leave one.")
        self.others = [name for name in self.sides.others if name not in legends]
        if legends:
            paths = [folder / legends[0] for folder in self.sides.folders]
            self.legend = read_legend(next(path for path in paths if os.path.lexists(path)))
        else:
            files = tuple(record.files[0] for record in self.records)
            self.legend = _found(self.sides.written, files, tuple(map(_stamp, files)))

    @property
    def records(self):
        """All records, the map first, then the picture."""
        return [self._map_first(record) for (part,) in self.sides.parts.values() for record in part]

    def split(self, split):
        """Return the records of a split, as :attr:`records` has them."""
        return [self._map_first(record) for record in self.sides.split(split)[0]]

    def take(self, split):
        """Return the records of a split, or raise a DataError if there are none."""
        return [self._map_first(record) for record in self.sides.take(split)[0]]

    def _map_first(self, record):
        files = record.files[::-1] if self._maps_last else record.files
        return Record(record.name, files, pair=True)

    @property
    def look_at(self):
        """The function that reads the map of a record; see :func:`look_at`."""
        return partial(look_at, legend=self.legend)


def picture_of(record):
    """Return the record of the picture alone, without its map."""
    return Record(record.name, record.files[1:])


def _stamp(file):
    try:
        about = file.path.stat()
    except OSError:  # whoever reads it says so
        return None
    return about.st_size, about.st_mtime_ns


@lru_cache(maxsize=4)  # both splits have one legend
def _found(title, files, stamps):
    """Return the legend of the values that occur in some files."""
    values, forms, unreadable = set(), {}, []
    for file, seen in zip(files, in_threads(_values_in, files, title), strict=True):
        if seen.problem:
            unreadable.append(f"{file} ({seen.problem})")
            continue
        coloured, found = seen.pixels
        forms.setdefault(coloured, file)
        values |= found
    if unreadable:
        raise DataError("\n".join([f"{title}: maps", *refused(sorted(unreadable))]))
    if len(forms) > 1:
        raise DataError(
            f"{title}: {forms[False]} holds numbers, and {forms[True]} colours. Save all maps "
            f"alike, or write the classes with their colours into {LEGEND}."
        )
    (coloured,) = forms
    if len(values) > MOST_CLASSES:
        raise DataError(
            f"{title}: the maps have {len(values):,} values, and the limit is {MOST_CLASSES} "
            f"classes. Write those that are classes into {LEGEND}; what is unknown is then named."
        )
    return Legend.of(values, coloured)


def _values_in(file):
    """Return what was seen of a map; the pixels are whether it has colours, and its values."""

    def decoder(picture, size, pair):
        with _loaded(picture) as (picture, turn, scale):
            coloured, found = picture.mode not in NUMBERS, set()
            for _, values in _strips(picture, coloured, scale):
                found |= set(np.unique(values).tolist())
                if len(found) > MOST_CLASSES:
                    raise Unfit(
                        f"more than {MOST_CLASSES} values: no map; a photograph, or saved with loss"
                    )
            return (coloured, found), upright(picture.size, turn)

    return look(file, decoder=decoder)


def look_at(record, size=SIZE, *, legend):
    """Read the map of a record, and return what was :class:`~gancourse.data.own.reading.Seen`.

    Parameters
    ----------
    record : gancourse.data.own.files.Record
        A map and its picture.
    size : int
        Pixels a side.
    legend : Legend

    Returns
    -------
    Seen
        The pixels are uint8 (size, size): of the middle square, as the picture is cut, the class
        of the nearest pixel. The size is that of the map followed by that of the picture.
    """
    map_file, picture_file = record.files
    found = look(map_file, size, decoder=partial(decode, legend=legend))
    picture = look(picture_file, size, decoder=_measure)
    problem = apart(record, (found, picture))
    if problem:
        return Seen(problem=problem)
    return Seen(pixels=found.pixels, size=found.size + picture.size, mode=found.mode)


def _measure(picture, size, pair):
    return None, upright(picture.size, turn_of(picture))


def decode(picture, size, pair=False, *, legend):
    """Return the classes of the middle of a map, the largest square that fits, at another size.

    Parameters
    ----------
    picture : PIL.Image.Image
        Just opened; it is closed afterwards.
    size : int
        Pixels a side.
    pair : bool
        Is ignored.
    legend : Legend

    Returns
    -------
    classes : uint8 numpy.ndarray, (size, size)
    whole : tuple of int
        Width and height of the map, turned upright.

    Raises
    ------
    Unfit
        If a pixel has a value that the legend lacks; with its place in the file.
    Exception
        Whatever Pillow raises for damaged files.
    """
    with _loaded(picture) as (picture, turn, scale):
        width, height = picture.size
        classes = np.empty((height, width), np.uint8)
        for top, values in _strips(picture, legend.coloured, scale):
            found, unknown = legend.classes(values)
            if unknown.any():
                y, x = np.argwhere(unknown)[0].tolist()
                raise Unfit(
                    f"the pixel in column {x}, row {top + y} (from 0) is "
                    f"{told(int(values[y, x]), legend.coloured)}, which is no class: "
                    f"{_classes_in_words(legend)}"
                )
            classes[top : top + len(found)] = found
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        small = Image.fromarray(classes).resize(
            (size, size), Image.Resampling.NEAREST, box=(left, top, left + side, top + side)
        )
        small = small if turn is None else small.transpose(turn)
        return np.array(small), upright(picture.size, turn)


def _classes_in_words(legend):
    values = [told(value, legend.coloured) for value in legend.values]
    known = [
        f"{value} {shown(name)}" if name != value else value
        for name, value in zip(legend.names, values, strict=True)
    ]
    return "classes are " + ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")


@contextmanager
def _loaded(picture):
    """Decode a map as :func:`gancourse.data.own.decoding.loaded` does; yield also a scale.

    The numbers in the file are those of Pillow divided by the scale.
    """
    if picture.format == "JPEG":
        raise Unfit("a JPEG, which changes the values of pixels: save the map as PNG")
    codec, *_, form = picture.tile[0] if picture.tile else ("", "")
    if picture.format == "PPM" and codec != "raw":
        raise Unfit("a PPM whose largest value is not 255: save the map as PNG")
    scale = SCALED.get(form, 1) if picture.format == "PNG" else 1
    with loaded(picture, picture.size) as (decoded, turn):
        yield decoded, turn, scale


def _strips(picture, coloured, scale):
    """Yield the first row and the values, int32 (rows, W), of one strip after the other."""
    width, height = picture.size
    step = max(1, STRIP // width)
    for top in range(0, height, step):
        part = picture.crop((0, top, width, min(top + step, height)))
        if part.mode in NUMBERS and not coloured:
            values = np.asarray(part if part.mode[-1] != "A" else part.getchannel(0))
            yield top, values.astype(np.int32) // scale
        elif part.mode in (*NUMBERS, "RGB", "RGBA") and not part.mode.startswith("I"):
            yield top, _colours(part, coloured, top)
        else:
            raise Unfit(f"pixels of the kind {part.mode}: save the map as PNG with 8 bits")


def _colours(part, coloured, top):
    """Return the colours of a part as 0xRRGGBB, or its greys if the classes are numbers."""
    rgba = np.asarray(part.convert("RGBA")).astype(np.int32)
    odd = rgba[..., 3] < 255
    what = "transparent: fill it with a class"
    if not coloured and not odd.any():
        odd = rgba[..., 0] != rgba[..., 1:3].max(-1)
        odd |= rgba[..., 0] != rgba[..., 1:3].min(-1)
        what = f"a colour, but {LEGEND} has numbers: write colours there"
    if odd.any():
        y, x = np.argwhere(odd)[0].tolist()
        raise Unfit(f"the pixel in column {x}, row {top + y} (from 0) is {what}")
    if not coloured:
        return rgba[..., 0]
    return rgba[..., 0] << 16 | rgba[..., 1] << 8 | rgba[..., 2]
