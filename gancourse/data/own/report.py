"""What `gancourse data check` says of a user's folders, before anything is trained on them."""

import os
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
import pooch

from gancourse.data.own.boxes import LEAST, THINGS, Listed
from gancourse.data.own.files import counted, find_folder, shown, some
from gancourse.data.own.layout import SIDED, SPLITS, Folder, Sides
from gancourse.data.own.maps import Maps, picture_of
from gancourse.data.own.reading import SIZE, in_threads, look_at, refused
from gancourse.errors import DataError


def check(path, kind=None):
    """Read every picture of a folder, and say what is there.

    Parameters
    ----------
    path : str or pathlib.Path
        A folder; of A and B also two with a comma between.
    kind : {"folder", "pairs", "unpaired", "mapped", "boxes"}, optional
        How it is to be loaded; if left out, as the names of the folders say.

    Returns
    -------
    str
        Counts, classes, splits, sizes, modes, copies and other files, a line each.

    Raises
    ------
    DataError
        If loading would raise one, or a picture can't be read; the report says which.
    """
    kind = kind or kind_of(path)
    reports = {"folder": _of_folder, "mapped": _of_maps, "boxes": _of_boxes}
    lines, unreadable = reports[kind](path) if kind in reports else _of_sides(path, kind)
    if unreadable:
        raise DataError("\n".join([*lines, *refused(unreadable)]))
    return "\n".join(lines)


def kind_of(path):
    """Return how a folder is to be loaded: "folder", "pairs" or "unpaired".

    A and B it has if its sub-folders are called so, or trainA and trainB. They are pairs if all
    names have a partner.
    """
    try:
        if not Sides(path, "unpaired").plain:
            return "folder"
    except DataError:
        return "unpaired" if _has_parts(path) else "folder"
    try:
        Sides(path, "pairs")
    except DataError:
        return "unpaired"
    return "pairs"


def _has_parts(path):
    """Return whether all sub-folders are called trainA, testB and so on."""
    try:
        names = [entry.name for entry in find_folder(path).iterdir() if os.path.isdir(entry)]
    except (DataError, OSError):
        return False
    matches = [SIDED.fullmatch(name) for name in names if not name.startswith(".")]
    return bool(matches) and all(match and match[1] for match in matches)


def _of_folder(path):
    folder = Folder(path)
    seen, unreadable = _read(folder.records, folder.root)
    lines = [f"{folder.root}: {len(seen):,} pictures"]
    if folder.classes:
        classes = Counter(map(folder.label, folder.records))
        lines.append(f"  classes     {len(classes)}: {counted(classes)}")
    if folder.attributes is not None:
        true = dict(zip(folder.attribute_names, folder.attributes.sum(0).tolist(), strict=True))
        lines.append(f"  attributes  {len(true)}: {counted(true)}")
    lines += [_splits(*(folder.split(split) for split in SPLITS)), *_of_pictures(seen)]
    lines += _copies(folder.records)
    wide = sum(1.9 < file.size[0] / file.size[1] < 2.1 for file in seen.values())
    if not folder.classes and wide > 0.9 * len(seen):
        lines.append(
            f"  wide        {wide:,} about twice as wide as high: if each is a pair, A on the left "
            f"and B on the right, load them as pairs:{folder.root}"
        )
    return [*lines, *_others(folder.others)], unreadable


def _of_sides(path, kind):
    sides = Sides(path, kind)
    training, testing = (sides.split(split) for split in SPLITS)
    lines, unreadable = [], []
    for number, (many, few) in enumerate(zip(training, testing, strict=True)):
        records = [record for part in sides.parts.values() for record in part[number]]
        called = [f"{side}: {shown(name)}" for side, name in zip("AB", sides.called, strict=True)]
        seen, bad = _read(records, sides.written)
        unreadable += bad
        if kind == "pairs":
            what = f" ({', '.join(called)})" if any(sides.called) else ""
            lines += [
                f"{sides.written}: {len(records):,} pairs{what}",
                f"  kept as     {'one file' if sides.whole else 'two files'} each",
                _splits(many, few),
                *_of_pairs(seen),
            ]
        else:
            what = called[number] if any(sides.called) else "AB"[number]
            lines += [
                f"{sides.written}: {len(records):,} pictures of {what}",
                _splits(many, few),
                *_of_pictures(seen),
                *_copies(records),
            ]
    return [*lines, *_others(sides.others)], unreadable


def _of_maps(path):
    maps = Maps(path)
    records = maps.records
    title, names = maps.sides.written, maps.legend.names

    def look(record):
        picture, found = look_at(picture_of(record)), maps.look_at(record)
        if picture.problem or found.problem:
            return picture.problem or found.problem
        counts = np.bincount(found.pixels.ravel(), minlength=len(names))
        return _facts(picture, counts=counts, map_size=found.size[:2])

    seen, unreadable = _read(records, title, look)
    pixels = sum((facts.counts for facts in seen.values()), np.zeros(len(names), int))
    shares = pixels / max(pixels.sum(), 1)
    told = [f"{shown(name)} {share:.1%}" for name, share in zip(names, shares, strict=True)]
    more = f" and {len(told) - 20} more" if len(told) > 20 else ""
    lines = [
        f"{title}: {len(records):,} pictures with maps",
        f"  classes     {len(told)}: {', '.join(told[:20])}{more}",
    ]
    unseen = [name for name, count in zip(names, pixels, strict=True) if not count]
    if unseen:
        lines.append(f"  not seen    {len(unseen)} at {SIZE} pixels: {some(unseen)}")
    scaled = [record for record, facts in seen.items() if facts.map_size != facts.size]
    if scaled:
        lines.append(
            f"  sizes       {len(scaled):,} differ between map and picture: {some(scaled)}"
        )
    lines += [_splits(*(maps.split(split) for split in SPLITS)), *_of_pictures(seen)]
    return [*lines, *_others(maps.others)], unreadable


def _of_boxes(path):
    listed = Listed(path)
    seen, unreadable = _read(
        listed.records, listed.written, lambda record: _facts(listed.look_at(record))
    )
    kinds = Counter(listed.words[kind - 1] for kind in listed.kinds.ravel().tolist() if kind)
    each = (listed.kinds > 0).sum(1)
    lines = [
        f"{listed.written}: {len(listed.records):,} pictures with boxes",
        f"  kinds       {len(listed.words)}: {counted(kinds)}",
        f"  boxes       {each.sum():,}, {each.min()} to {each.max()} a picture",
    ]
    small, more, empty = (listed.counts[what] for what in ("small", "more", "empty"))
    if small:
        lines.append(f"  small       {small:,} boxes below {LEAST:.0%} of a picture: left out")
    if more:
        lines.append(f"  more        {more:,} boxes beside the {THINGS} largest: left out")
    if empty:
        lines.append(f"  no boxes    {empty:,} pictures of the list: left out")
    if listed.unlisted:
        lines.append(f"  not listed  {len(listed.unlisted):,}: {some(listed.unlisted)}; left out")
    lines += [_splits(*(listed.split(split) for split in SPLITS)), *_of_pictures(seen)]
    return [*lines, *_others(listed.others)], unreadable


@dataclass(frozen=True)
class _Facts:
    """What is told of a record: width and height, of a pair of two files twice; and the mode.

    Of a map its size, and how many pixels each class has.
    """

    size: tuple
    mode: str
    is_dark: bool
    map_size: tuple = ()
    counts: np.ndarray | None = None


def _facts(seen, **more):
    return seen.problem or _Facts(seen.size, seen.mode, seen.is_dark, **more)


def _read(records, title, look=lambda record: _facts(look_at(record))):
    """Return the facts of each record that can be read, and a line for each problem."""
    found = zip(records, in_threads(look, records, str(title)), strict=True)
    facts, unreadable = {}, []
    for record, what in found:
        if isinstance(what, _Facts):
            facts[record] = what
        else:
            unreadable.append(f"{record} ({what})")
    return facts, unreadable


def _of_pictures(seen):
    sizes = Counter(file.size for file in seen.values())
    if not sizes:
        return
    (width, height), (wide, high) = (
        [pick(size[axis] for size in sizes) for axis in (0, 1)] for pick in (min, max)
    )
    span = f"{width} to {wide} wide, {height} to {high} high"
    yield f"  pixels      {f'all {wide}x{high}' if len(sizes) == 1 else span}"
    yield _modes(seen)
    oblong = sum(count for (width, height), count in sizes.items() if width != height)
    if oblong:
        yield f"  not square  {oblong:,}: the middle is taken"
    small = [record for record, file in seen.items() if min(file.size) < SIZE]
    if small:
        yield f"  small       {len(small):,} below {SIZE} pixels: {some(small)}; enlarged"
    yield from _dark(seen)


def _of_pairs(seen):
    if not seen:
        return
    yield f"  pixels      {counted(Counter('{}x{}'.format(*pair.size) for pair in seen.values()))}"
    yield _modes(seen)
    scaled = [record for record, pair in seen.items() if pair.size[:2] != pair.size[-2:]]
    if scaled:
        yield f"  sizes       {len(scaled):,} differ between A and B: {some(scaled)}"
    yield from _dark(seen)


def _dark(seen):
    dark = [record for record, file in seen.items() if file.is_dark]
    if dark:
        yield (
            f"  dark        {len(dark):,} nearly black: {some(dark)}; if they hold fewer bits than "
            "they have room for, such as 12 in 16, stretch them and save them with 8 bits"
        )


def _modes(seen):
    return f"  modes       {counted(Counter(file.mode for file in seen.values()))}"


def _splits(training, testing):
    few = "" if training and testing else "; add pictures, so that some can be held out"
    return f"  split       {len(training):,} for training, {len(testing):,} for testing{few}"


def _others(names):
    return [f"  no pictures {len(names):,}: {some(names)}"] if names else []


def _copies(records):
    """Yield a line that counts the files with the same bytes as another."""
    by_size, first, copies = defaultdict(list), {}, []
    for record in records:
        path = record.files[0].path
        if os.path.isfile(path):
            by_size[path.stat().st_size].append(record)
    for same in by_size.values():
        for record in same if len(same) > 1 else ():
            try:
                content = pooch.file_hash(record.files[0].path)
            except OSError:  # named among the unreadable ones
                continue
            other = first.setdefault(content, record)
            if other is not record:
                copies.append(f"{record} = {other}")
    if copies:
        yield f"  copies      {len(copies):,} with the content of another: {some(copies)}"
