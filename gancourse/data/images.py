"""A folder of one's own pictures, looked at before anything is trained on it.

>>> load("~/pictures/shells").first(3)
<folder:/home/me/pictures/shells: 3 pictures (3, 64, 64), 2 classes on cpu>

Pictures lie in the folder, or one sub-folder deep: then the sub-folders are classes, the layout
that torchvision's ImageFolder and most other tools have.
"""

import difflib
import hashlib
import math
import os
import stat
import unicodedata
import warnings
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pooch
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from tqdm import tqdm

from gancourse.data import attributes
from gancourse.data.source import Column, ImageData
from gancourse.errors import DataError, choose

SIZE = 64  # pixels a side, unless another size is asked for
TEST_SHARE = 10  # one picture in so many is for testing
MOST_PIXELS = 100_000_000  # of one decoded picture: 0.4 GB in each thread
THREADS = 8  # at most

ENDINGS = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff")
ENDINGS += (".ppm", ".pgm")
# Named, because Pillow looks into the file, and some of its formats start other programs.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
# Pictures too, so that leaving them out in silence would surprise.
FOREIGN = (".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".psd", ".xcf", ".tga", ".dng")
FOREIGN += (".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2")
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
LITTER = ("thumbs.db", "desktop.ini", "icon\r", "__macosx")  # left behind by file managers
PARTS = ("train", "training", "test", "testing", "val", "valid", "validation")


def load(option, split="train"):
    """Return the pictures of a folder, in colour and square.

    Parameters
    ----------
    option : str or pathlib.Path
        The folder's path; quotes around it and ``~`` are understood.
    split : {"train", "test"}
        A tenth of the pictures is for testing, chosen by a hash of the name below the folder: a
        picture stays on its side when others are added, or the folder is moved.

    Returns
    -------
    ImageData
        uint8 (N, 3, 64, 64) unless resized; with the sub-folders as labels, if there are any, and
        ``attributes`` where a list of them lies in the folder, see
        :mod:`gancourse.data.attributes`. The order is that of the hash, so that the first N are a
        fair sample. See :func:`square` for what is done to a picture.

    Raises
    ------
    DataError
        If the folder is missing, or laid out in another way. Whether each picture can be read is
        seen when they are read, which ``resized`` and ``to`` do.
    """
    testing = choose("split", split, ("train", "test")) == "test"
    folder = Folder(option)
    rows = [row for row, p in enumerate(folder.pictures) if p.for_testing == testing]
    rows.sort(key=lambda row: folder.pictures[row].hash)
    chosen = [folder.pictures[row] for row in rows]
    if not chosen:
        raise DataError(
            f"{folder.root}: none of its {len(folder.pictures):,} pictures is in the {split} "
            "split, which a hash of the names decides. Add pictures."
        )
    labels = [folder.classes.index(picture.label) for picture in chosen if folder.classes]
    return ImageData(
        Column.read(
            lambda count, size: read_pictures(folder.root, chosen[:count], size), len(chosen), SIZE
        ),
        torch.tensor(labels) if labels else None,
        f"folder:{os.path.realpath(folder.root)}",
        folder.classes,
        attributes=None if folder.attributes is None else folder.attributes[rows],
        attribute_names=folder.attribute_names,
    )


def check_folder(path):
    """Read every picture of a folder, and say what is there.

    Parameters
    ----------
    path : str or pathlib.Path

    Returns
    -------
    str
        Pictures, classes, split, sizes, modes, copies and other files, a line each.

    Raises
    ------
    DataError
        If :func:`load` would raise one, or a picture cannot be read; the report says which.
    """
    folder = Folder(path)
    found, unreadable, sizes = survey(folder.pictures, str(folder.root))
    classes = Counter(picture.label for picture in folder.pictures if folder.classes)
    testing = sum(picture.for_testing for picture in folder.pictures)
    lines = [f"{folder.root}: {len(folder.pictures) - len(unreadable):,} pictures"]
    if classes:
        lines.append(f"  classes     {len(classes)}: {counted(classes)}")
    if folder.attributes is not None:
        true = dict(zip(folder.attribute_names, folder.attributes.sum(0).tolist(), strict=True))
        lines.append(f"  attributes  {len(true)}: {counted(true)}")
    training = len(folder.pictures) - testing
    lines.append(f"  split       {training:,} for training, {testing:,} for testing")
    lines += found
    wide = sum(count for (width, height), count in sizes.items() if 1.9 < width / height < 2.1)
    if not classes and wide > 0.9 * sizes.total():
        lines.append(
            f"  wide        {wide:,} about twice as wide as high: if each is a pair, A on the left "
            f"and B on the right, load them as pairs:{folder.root}"
        )
    if folder.others:
        lines.append(f"  no pictures {len(folder.others):,}: {some(folder.others)}")
    if unreadable:
        lines += refused(unreadable)
        raise DataError("\n".join(lines))
    return "\n".join(lines)


def survey(pictures, title):
    """Read pictures, and say what they are like.

    Returns
    -------
    lines : list of str
        Their sizes, modes, odd shapes and copies.
    unreadable : list of str
        Which cannot be read, and why.
    sizes : Counter of tuple of int
        How many are so wide and so high.
    """
    sizes, modes, unreadable, small, oblong = Counter(), Counter(), [], [], 0
    for picture, seen in zip(pictures, in_threads(look, pictures, title), strict=True):
        if seen.problem:
            unreadable.append(f"{picture} ({seen.problem})")
            continue
        sizes[seen.size] += 1
        modes[seen.mode] += 1
        oblong += len(set(seen.size)) > 1
        if min(seen.size) < SIZE:
            small.append(picture)
    lines = []
    if sizes:
        (width, height), (wide, high) = (
            [pick(size[axis] for size in sizes) for axis in (0, 1)] for pick in (min, max)
        )
        span = f"{width} to {wide} wide, {height} to {high} high"
        lines.append(f"  pixels      {f'all {wide}x{high}' if len(sizes) == 1 else span}")
        lines.append(f"  modes       {counted(modes)}")
    if oblong:
        lines.append(f"  not square  {oblong:,}: the middle is taken")
    if small:
        lines.append(f"  small       {len(small):,} below {SIZE} pixels: {some(small)}; enlarged")
    copies = _copies(pictures)
    if copies:
        pairs = [f"{copy} = {first}" for copy, first in copies]
        lines.append(f"  copies      {len(copies):,} with the content of another: {some(pairs)}")
    return lines, unreadable, sizes


# What lies in the folder


@dataclass(frozen=True)
class Picture:
    """A file that should be a picture.

    Attributes
    ----------
    path : pathlib.Path
    name : str
        Its path below the folder, with slashes.
    """

    path: Path
    name: str

    @property
    def label(self):
        """The uppermost sub-folder that it lies in; "" if there is none."""
        return self.name.partition("/")[0] if "/" in self.name else ""

    @cached_property
    def hash(self):
        """A number that depends on the name alone, on every system."""
        name = composed(self.name).encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big")

    @property
    def for_testing(self):
        """Whether it is in the test split."""
        return self.hash % TEST_SHARE == 0

    def __str__(self):
        return shown(self.name)


class Folder:
    """What lies below a folder, once its layout has been found to be right.

    Hidden files and what file managers leave are passed over; links are followed, but not back
    into a folder that they lie in.

    Attributes
    ----------
    root : pathlib.Path
    pictures : list of Picture
        Sorted by name.
    others : list of str
        The names of files that are no pictures.
    classes : tuple of str
        The sub-folders; empty where the pictures lie in the folder itself, and where a list of
        attributes speaks of the one sub-folder that there is.
    attributes : bool torch.Tensor, (N, number of attributes), or None
        In the order of the pictures, where a list of them lies in the folder.
    attribute_names : tuple of str

    Raises
    ------
    DataError
        If the folder is missing, may not be read, holds no picture, or is laid out in another
        way than a folder of pictures or of classes; or if the list doesn't fit the pictures.
    """

    attributes = None
    attribute_names = ()

    def __init__(self, path):
        self.root = find_folder(path)
        real = Path(os.path.realpath(self.root))
        self._around = (str(real), *map(str, real.parents))
        self.pictures, self.others = pictures_in(self.root)
        self.classes = tuple(sorted({picture.label for picture in self.pictures} - {""}))
        self._check_layout()
        self._read_list()

    def _check_layout(self):
        if not self.pictures:
            raise DataError(f"{self.root}: 0 pictures{self._why_none()}")
        loose = [picture for picture in self.pictures if not picture.label]
        if loose and self.classes:
            raise DataError(
                f"{self.root}: {len(loose):,} pictures ({some(loose)}) lie beside the folders of "
                f"others ({some(self.classes)}). Move each into the sub-folder of its class; or, "
                "to train without classes, move all into one folder, and the rest elsewhere."
            )
        if loose:
            return
        if all(picture.name.count("/") > 1 for picture in self.pictures):
            raise DataError(
                f"{self.root}: the pictures lie deeper than in sub-folders ({self.pictures[0]}). "
                f"Name the folder whose sub-folders are the classes: {self._above(2)}."
            )
        if all(name.lower() in PARTS for name in self.classes):
            raise DataError(
                f"{self.root}: {some(self.classes)} are no classes, but parts of a data set. "
                f"Name one of them: {self._above(1)}. Or, if its files are pairs, twice as wide as "
                f"high: pairs:{self.root}."
            )
        empty = sorted(
            entry.name
            for entry in self.root.iterdir()
            if os.path.isdir(entry)
            and not is_litter(entry)
            and entry.name not in self.classes
            and os.path.realpath(entry) not in self._around
        )
        if empty:
            raise DataError(
                f"{self.root}: every sub-folder is a class, but there is no picture in "
                f"{some(empty)}. Put some there, or move what is no class elsewhere."
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
        rows = {composed(name.replace("\\", "/")): row for row, name in enumerate(names.tolist())}
        found = [rows.get(composed(p.name), rows.get(composed(p.path.name))) for p in self.pictures]
        missing = [p for p, row in zip(self.pictures, found, strict=True) if row is None]
        if missing:
            used = set(found)
            held = [name for name, row in rows.items() if row not in used] or [*rows]
            raise DataError(
                f"{path} has no line for {len(missing):,} of the {len(self.pictures):,} pictures "
                f"({some(missing)}), but it has lines for {some(held)}. Write one for each, with "
                "the name below the folder; or move the pictures elsewhere."
            )
        first = {}
        for picture, row in zip(self.pictures, found, strict=True):
            other = first.setdefault(row, picture)
            if other is not picture:
                raise DataError(
                    f"{path} has one line {shown(names[row])} for both {other} and {picture}. "
                    "Write the path below the folder in the list, in a line for each."
                )
        if len(self.classes) == 1:  # which holds for every picture, and says nothing
            self.classes = ()
        self.attributes = torch.from_numpy(values[found])

    def _why_none(self):
        archives = [name for name in self.others if name.lower().endswith(ARCHIVES)]
        if archives:
            return (
                f", but archives that are not unpacked: {some(archives)}. Unpack them, and name "
                "the folder that comes out."
            )
        found = f" among {len(self.others):,} files ({some(self.others)})" if self.others else ""
        return (
            f"{found or ': there is no file in it'}. "
            f"Expected files that end in {', '.join(ENDINGS)}."
        )

    def _above(self, levels):
        """Name the folders so many levels above the pictures."""
        counts = Counter(picture.path.parents[levels - 1] for picture in self.pictures)
        return ", or ".join(
            f"folder:{folder} ({count:,} pictures)" for folder, count in counts.most_common(4)
        )


def pictures_in(folder):
    """Return what lies below a folder: its pictures, and the names of other files, both sorted.

    Hidden files and what file managers leave are passed over.
    """
    around = map(str, Path(os.path.realpath(folder)).parents)
    files = [(file, file.relative_to(folder).as_posix()) for file in walk(folder, (*around,))]
    wanted = ENDINGS + FOREIGN
    pictures = [Picture(*file) for file in files if file[0].suffix.lower() in wanted]
    others = [name for file, name in files if file.suffix.lower() not in wanted]
    return sorted(pictures, key=lambda picture: picture.name), sorted(others)


def absolute(name):
    """Return a data set's name with its folder as seen from here.

    For a name that is read elsewhere: a lesson runs in a folder of its own.

    Parameters
    ----------
    name : str
        "folder:pics", "pairs:a,b", or any other name, which stays as it is.
    """
    kind, folders = _folders(name)
    return f"{kind}:{','.join(str(folder.absolute()) for folder in folders)}" if folders else name


def _folders(name):
    """Return a data set's kind and its folders; none where the name is not that of a folder."""
    kind, _, path = name.partition(":")
    if kind not in ("folder", "pairs", "unpaired") or not path:
        return kind, []
    try:
        return kind, [find_folder(path, kind)]
    except DataError:
        return kind, [find_folder(part, kind) for part in path.split(",")]


def find_folder(path, kind="folder"):
    """Return the folder that the user means, or say what is there in its place."""
    text = str(path).strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":  # as a file manager copies it
        text = text[1:-1].strip()
    if not text:
        raise DataError(f"after the colon comes the path of a folder of pictures: {kind}:PATH")
    try:
        folder = Path(text).expanduser()
    except RuntimeError:  # ~ of somebody who is unknown
        folder = Path(text)
    if os.path.isdir(folder):  # unlike Path.is_dir, never raises
        return folder
    if os.path.isfile(folder):
        if folder.name.lower().endswith(ARCHIVES):
            raise DataError(f"{folder} is an archive. Unpack it, and name the folder.")
        raise DataError(
            f"{folder} is a file. Name the folder that it lies in: {kind}:{folder.parent}"
        )
    hint = ""
    parents = [parent for parent in folder.absolute().parents if os.path.isdir(parent)]
    if parents and os.access(parents[0], os.R_OK):
        missing = folder.absolute().relative_to(parents[0]).parts[0]
        near = difflib.get_close_matches(missing, os.listdir(parents[0]), n=1)
        hint = f" Did you mean {parents[0] / near[0]}?" if near else f" {parents[0]} exists."
    if "\\" in text and os.sep == "/":
        hint += " On this system, folders of a path are separated by /."
    raise DataError(f"there is no folder {shown(folder.absolute())}.{hint}")


def walk(folder, inside=()):
    """Yield the files below a folder, but for hidden ones."""
    here = os.path.realpath(folder)
    if here in inside:  # a link to a folder that it lies in
        return
    try:
        entries = sorted(folder.iterdir())
    except OSError as problem:
        raise DataError(
            f"{folder} cannot be opened: {problem.strerror or problem}. Allow yourself to read it, "
            "or move it elsewhere."
        ) from problem
    for entry in entries:
        if is_litter(entry):
            continue
        if os.path.isdir(entry):
            yield from walk(entry, (*inside, here))
        else:
            yield entry


def is_litter(path):
    """Return whether a file or folder is hidden, or left behind by a file manager."""
    return path.name.startswith(".") or path.name.lower() in LITTER


# Reading


def square(picture, size):
    """Return the middle of a picture, the largest square that fits, at another size.

    It is turned as its EXIF tag says, and what is transparent becomes white. Of 16 bits the upper
    8 are kept, of an animation the first frame. Scaled by bilinear interpolation with
    antialiasing: the shorter side becomes ``size`` pixels, and the longer one is cut evenly.

    Parameters
    ----------
    picture : PIL.Image.Image
        Just opened.
    size : int
        Pixels a side.

    Returns
    -------
    uint8 numpy.ndarray, (3, size, size)

    Raises
    ------
    Exception
        Whatever Pillow raises for damaged files, and ValueError for pixels of unknown range.
    """
    picture = decoded(picture, (2 * size, 2 * size))
    side = min(picture.size)
    left, top = ((length - side) / 2 for length in picture.size)
    picture = picture.resize(
        (size, size),
        Image.Resampling.BILINEAR,
        box=(left, top, left + side, top + side),
        reducing_gap=3.0,
    )
    if picture.mode == "RGBA":
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture).convert("RGB")
    return np.asarray(picture).transpose(2, 0, 1)  # (H, W, 3) -> (3, H, W)


def decoded(picture, draft):
    """Return a picture turned upright, in RGB or RGBA with 8 bits; see :func:`square`.

    Parameters
    ----------
    picture : PIL.Image.Image
        Just opened.
    draft : tuple of int
        A width and height that are enough: a JPEG can be decoded at 1/2, 1/4 or 1/8.
    """
    picture.draft(None, draft)
    if math.prod(picture.size) > MOST_PIXELS:
        raise Image.DecompressionBombError
    ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PNG"):
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    elif picture.mode in ("I", "F"):
        raise ValueError("its numbers have 32 bits and no known range: save it with 8 bits")
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")


def in_threads(function, items, title):
    """Yield ``function(item)`` for one item after the other, computed by several threads."""
    pool = ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")  # large pictures, odd EXIF tags
        try:
            results = pool.map(function, items)
            yield from tqdm(results, title, len(items), unit=" pictures", leave=False, disable=None)
        finally:
            pool.shutdown(cancel_futures=True)  # Ctrl-C shall not wait for the rest


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What became of a file: its pixels, upright size and mode; or the problem."""

    pixels: np.ndarray | None = None
    size: tuple = ()
    mode: str = ""
    problem: str = ""


def look(picture, size=SIZE, read=square):
    """Read one picture with ``read(image, size)``, and return what was :class:`Seen`.

    Never raises; ``read`` may raise what it likes.
    """
    path = picture.path
    try:
        if path.suffix.lower() in FOREIGN:
            return Seen(problem="of a kind that is not read: save it as JPEG or PNG")
        if not stat.S_ISREG(path.stat().st_mode):  # to open a pipe would wait for ever
            return Seen(problem="not a file")
        with Image.open(path, formats=FORMATS) as image:
            (width, height), mode = image.size, image.mode
            pixels = read(image, size)
            if (width - height) * (image.width - image.height) < 0:  # it has been turned
                width, height = height, width
            return Seen(pixels=pixels, size=(width, height), mode=mode)
    except Image.DecompressionBombError:
        return Seen(problem="more pixels than are read: scale it down")
    except Exception as problem:  # Pillow's readers raise nearly everything on damaged files
        return Seen(problem=_why(path, problem))


def _why(path, problem):
    """Say what is wrong with a file that Pillow could not read."""
    if isinstance(problem, PermissionError):
        return "no permission to read it"
    if isinstance(problem, FileNotFoundError):
        return "a link that leads nowhere" if path.is_symlink() else "it has gone"
    if isinstance(problem, UnidentifiedImageError):
        with open(path, "rb") as file:
            head = file.read(256)
        if not head:
            return "empty: 0 bytes"
        if head[4:8] == b"ftyp":
            return "HEIC, AVIF or a film, whatever its name says: save it as JPEG or PNG"
        if head.startswith(b"version https://git-lfs"):
            return "a placeholder of Git LFS: run `git lfs pull`"
        if head.lstrip()[:1] == b"<":
            return "a web page or a drawing in XML, whatever its name says"
        return "not a picture of a known kind"
    return str(problem) or type(problem).__name__


def read_pictures(root, pictures, size, *, channels=3, see=look):
    """Return the pixels of pictures, uint8 (N, channels, size, size); see :func:`rows`."""
    pixels = np.empty((len(pictures), channels, size, size), np.uint8)
    for row, seen in enumerate(rows(root, pictures, size, see)):
        pixels[row] = seen
    return torch.from_numpy(pixels)


def rows(root, pictures, size, see=look):
    """Yield the pixels of one picture after the other; one error for all problems, at the end.

    Parameters
    ----------
    root : pathlib.Path
        For messages.
    pictures : list
    size : int
        Pixels a side.
    see : callable
        ``see(picture, size=size)`` returns what was :class:`Seen` of one of them.
    """
    unreadable = []
    for picture, seen in zip(
        pictures, in_threads(partial(see, size=size), pictures, str(root)), strict=True
    ):
        if seen.problem:
            unreadable.append(f"{picture} ({seen.problem})")
        else:
            yield seen.pixels
    if unreadable:
        lines = [f"{root}: {len(pictures) - len(unreadable):,} pictures can be read."]
        raise DataError("\n".join([*lines, *refused(sorted(unreadable))]))


# Words


def composed(name):
    """Return a name with one way to write é: macOS stores two characters where others store one."""
    return unicodedata.normalize("NFC", name)


def refused(unreadable):
    """Yield the lines of a report that name what cannot be used, and why."""
    yield f"  unreadable  {len(unreadable):,}:"
    yield from (f"    {line}" for line in unreadable[:10])
    if len(unreadable) > 10:
        yield f"    and {len(unreadable) - 10:,} more"
    yield "Remove or replace the unreadable ones before training."


def _copies(pictures):
    """Return pairs (copy, first one) of pictures with the same bytes."""
    by_size, first, copies = defaultdict(list), {}, []
    for picture in pictures:
        if os.path.isfile(picture.path):
            by_size[picture.path.stat().st_size].append(picture)
    for same in by_size.values():
        for picture in same if len(same) > 1 else ():
            try:
                content = pooch.file_hash(picture.path)
            except OSError:  # told already, as unreadable
                continue
            if first.setdefault(content, picture) is not picture:
                copies.append((picture, first[content]))
    return copies


def counted(counter):
    """Return counts as words: "cats 3, dogs 1"."""
    parts = [f"{shown(name)} {count:,}" for name, count in sorted(counter.items())]
    return ", ".join(parts[:20]) + (f" and {len(parts) - 20} more" if len(parts) > 20 else "")


def some(names):
    """Return the first three names."""
    return ", ".join(shown(name) for name in names[:3]) + (", ..." if len(names) > 3 else "")


def shown(name):
    """Return a name so that it can be printed, however long and odd it is."""
    name = str(name)
    name = name if name.isprintable() else ascii(name)
    return name if len(name) <= 120 else f"{name[:50]}...{name[-60:]}"
