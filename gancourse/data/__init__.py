"""The data sets of the course, and one function to load any of them.

>>> load("digits")
<digits: 4,000 pictures (1, 28, 28), 10 classes on cpu>
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass

import pooch

from gancourse.data import (
    archives,
    canonical,
    celeba,
    cifar10,
    digits,
    drawn,
    emoji,
    fruits,
    mixtures,
    own,
)
from gancourse.data.own.files import shown
from gancourse.data.pairs import PairedImages
from gancourse.data.source import Data, ImageData, changed, shipped
from gancourse.errors import DataError, choose, printable

__all__ = ["DATASETS", "Data", "DataSet", "ImageData", "check", "fetch", "load", "shipped"]


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """What is known of a data set before it is loaded; its str() is its entry in a list.

    Attributes
    ----------
    about : str
        What it shows, and how much of it there is.
    licence : str
        Its name; data/README.md has the details.
    gives : tuple of str
        The fields that its batches can hold; see :mod:`gancourse.data.source`.
    load : callable
        ``load(option, split)`` returns the :class:`Data`.
    option : str
        What can be written after the name and a colon; "" if nothing can.
    files : tuple of str
        Its files that ship, as paths inside ``data/``.
    record : str
        The JSON file in ``data/`` with their hashes.
    downloads : tuple of gancourse.data.archives.Download
        The files that must be downloaded before it can be loaded.
    otherwise : str
        Where it is from, if it neither ships nor is downloaded.
    """

    about: str
    licence: str
    gives: tuple
    load: Callable
    option: str = ""
    files: tuple = ()
    record: str = ""
    downloads: tuple = ()
    otherwise: str = "drawn when needed"

    def __str__(self):
        if self.downloads:
            sizes = [download.size for download in self.downloads]
            size = f" of {sum(sizes) / 1e6:.0f} MB" if all(sizes) else ""
            here = all(download.is_here for download in self.downloads)
            how = f"a download{size}{', which is here' if here else ''}"
        else:
            how = "ships with the course" if self.files else self.otherwise
        option = f"; after a colon: {self.option}" if self.option else ""
        gives = f"{'':15}fields: {', '.join(self.gives)}"
        return f"{self.about}\n{'':15}{how}; {self.licence}{option}\n{gives}"


def _modes(option):
    if not option:
        return {}
    if not (option.isascii() and option.isdigit() and len(option) <= 4):
        raise DataError(
            "write the number of modes, up to 9,999, after the colon, as in ring:8, not "
            f"{shown(option)!r}"
        )
    return {"modes": int(option)}


LABELLED = ("real", "labels")
PAIRS = ("input", "target")
DOMAINS = ("real_A", "real_B")
MASKED = (*DOMAINS, "masks_A", "masks_B")
OWN = (*LABELLED, "attributes")
DRAWN = (*OWN, "captions", "sketch", "map", "boxes")


def _small2large(option, split):
    if option and option.partition(":")[0] == "small2large":  # each would load the next
        raise DataError(
            "small2large takes one data set of pictures after the colon, not itself: write "
            f"small2large:toons in place of small2large:{printable(option, 60)}."
        )
    found = load(option or "toons", split=split)
    large = (found.b if isinstance(found, PairedImages) else found).take("real")
    if not isinstance(large, ImageData):
        raise DataError(f"small2large takes a data set of pictures after the colon, not {option!r}")
    return PairedImages(large.shrunk(4), large, f"small2large:{found.name}")


def _canonical(name, **facts):
    return DataSet(
        gives=PAIRS if canonical.CANONICAL[name].kind == "pairs" else DOMAINS,
        load=lambda option, split: canonical.load(name, split),
        downloads=(canonical.CANONICAL[name].download,),
        **facts,
    )


DATASETS = {
    "ring": DataSet(
        about="points in the plane from 8 Gaussians on a circle",
        licence="no licence needed",
        gives=("real",),
        load=lambda option, split: mixtures.ring(**_modes(option)),
        option="number of modes",
    ),
    "grid": DataSet(
        about="points in the plane from 25 Gaussians on a square grid",
        licence="no licence needed",
        gives=("real",),
        load=lambda option, split: mixtures.grid(**_modes(option)),
        option="number of modes",
    ),
    "digits": DataSet(
        about="5,000 handwritten digits of MNIST, 28x28 grey, 10 classes",
        licence="CC BY-SA 3.0 as commonly stated, see data/README.md",
        gives=LABELLED,
        load=lambda option, split: digits.digits(split),
        files=("digits.npz",),
        record="digits.json",
    ),
    "fashion": DataSet(
        about="10,000 pictures of clothes from Fashion-MNIST, 28x28 grey, 10 classes",
        licence="MIT",
        gives=LABELLED,
        load=lambda option, split: digits.fashion(split),
        files=("fashion.npz",),
        record="digits.json",
    ),
    "mnist": DataSet(
        about="all 70,000 handwritten digits of MNIST, 28x28 grey, 10 classes",
        licence="CC BY-SA 3.0 as commonly stated, see data/README.md",
        gives=LABELLED,
        load=lambda option, split: digits.mnist(split),
        downloads=tuple(digits.MNIST_FILES.values()),
    ),
    "fashion_mnist": DataSet(
        about="all 70,000 pictures of clothes of Fashion-MNIST, 28x28 grey, 10 classes",
        licence="MIT",
        gives=LABELLED,
        load=lambda option, split: digits.fashion_mnist(split),
        downloads=tuple(digits.FASHION_MNIST_FILES.values()),
    ),
    "cifar10": DataSet(
        about="60,000 small photographs of CIFAR-10, 32x32 in colour, 10 classes",
        licence="no licence is stated, see data/README.md",
        gives=LABELLED,
        load=lambda option, split: cifar10.load(split),
        downloads=(cifar10.ARCHIVE,),
    ),
    "celeba": DataSet(
        about="202,599 faces of CelebA with 40 attributes each, in colour, 64x64 if not resized",
        licence="for non-commercial research only",
        gives=("real", "attributes"),
        load=lambda option, split: celeba.load(split),
        downloads=(celeba.IMAGES, celeba.ATTRIBUTES, celeba.PARTITION),
    ),
    "emoji": DataSet(
        about="1,570 emoji, each by three studios, 64x64 in colour, 3 styles or 9 categories",
        licence="Apache 2.0 (Noto), CC BY 4.0 (Twemoji), MIT (Fluent)",
        gives=LABELLED,
        load=lambda option, split: emoji.load(option, split),
        option="style (noto, twemoji or fluent)",
        files=("emoji/noto.webp", "emoji/twemoji.webp", "emoji/fluent.webp", "emoji/index.json"),
        record="emoji.json",
    ),
    "fruits": DataSet(
        about="3,000 photographs of apples, cherries and tomatoes on white, 64x64 in colour",
        licence="CC BY-SA 4.0",
        gives=LABELLED,
        load=lambda option, split: fruits.fruits(split),
        files=("fruits/fruits64.zip",),
        record="fruits.json",
    ),
    "toons": DataSet(
        about="10,000 faces drawn by the course itself, 64x64 in colour, 6 expressions",
        licence="MIT, as the course",
        gives=DRAWN,
        load=lambda option, split: drawn.load_toons(option, split),
        option="number of faces",
    ),
    "scenes": DataSet(
        about="10,000 scenes drawn by the course itself, 64x64 in colour, 4 seasons",
        licence="MIT, as the course",
        gives=(*DRAWN, "masks"),
        load=lambda option, split: drawn.load_scenes(option, split),
        option="number of scenes",
    ),
    "sketch2face": DataSet(
        about="10,000 pairs: a line drawing and its toon face, 64x64, grey to colour",
        licence="MIT, as the course",
        gives=(*PAIRS, *DRAWN[1:]),
        load=lambda option, split: drawn.load_sketch2face(option, split),
        option="number of pairs",
    ),
    "hints2face": DataSet(
        about="10,000 pairs: a line drawing with strokes of colour, and its toon face, 64x64",
        licence="MIT, as the course",
        gives=(*PAIRS, *DRAWN[1:]),
        load=lambda option, split: drawn.load_hints2face(option, split),
        option="number of pairs",
    ),
    "map2scene": DataSet(
        about="10,000 pairs: a semantic map and its scene, 64x64 in colour",
        licence="MIT, as the course",
        gives=(*PAIRS, *DRAWN[1:], "masks"),
        load=lambda option, split: drawn.load_map2scene(option, split),
        option="number of pairs",
    ),
    "map2looks": DataSet(
        about="9,996 pairs: 833 semantic maps, each with its scene in 12 looks, 64x64 in colour",
        licence="MIT, as the course",
        gives=(*PAIRS, *DRAWN[1:], "masks"),
        load=lambda option, split: drawn.load_map2looks(option, split),
        option="number of maps",
    ),
    "layouts": DataSet(
        about="10,000 scenes of 8 things at most with their boxes and kinds, 64x64 in colour",
        licence="MIT, as the course",
        gives=(*DRAWN, "kinds", "masks"),
        load=lambda option, split: drawn.load_layouts(option, split),
        option="number of scenes",
    ),
    "map2quilt": DataSet(
        about="10,000 pairs: a semantic map and its scene in patterned fabrics, 64x64 in colour",
        licence="MIT, as the course",
        gives=(*PAIRS, *DRAWN[1:], "masks"),
        load=lambda option, split: drawn.load_map2quilt(option, split),
        option="number of pairs",
    ),
    "edges2fruits": DataSet(
        about="3,000 pairs: the edges of a photograph of a fruit and the photograph, 64x64",
        licence="CC BY-SA 4.0",
        gives=(*PAIRS, "labels"),
        load=lambda option, split: fruits.load_edges2fruits(split),
        files=("fruits/fruits64.zip",),
        record="fruits.json",
    ),
    "apples2tomatoes": DataSet(
        about="1,000 photographs of apples and 1,000 of tomatoes, unpaired, 64x64 in colour",
        licence="CC BY-SA 4.0",
        gives=DOMAINS,
        load=lambda option, split: fruits.load_apples2tomatoes(split),
        files=("fruits/fruits64.zip",),
        record="fruits.json",
    ),
    "small2large": DataSet(
        about="pairs: a picture of another data set at a quarter of its side, and the picture",
        licence="that of the other data set",
        gives=(*PAIRS, *DRAWN[1:]),
        load=_small2large,
        option="name of the other data set [toons]",
        otherwise="made of the other data set",
    ),
    "noto2fluent": DataSet(
        about="1,413 pairs: the same emoji by Noto and by Fluent, 64x64 in colour",
        licence="Apache 2.0 (Noto), MIT (Fluent)",
        gives=(*PAIRS, "labels"),
        load=lambda option, split: emoji.load_noto2fluent(split),
        files=("emoji/noto.webp", "emoji/fluent.webp", "emoji/index.json"),
        record="emoji.json",
    ),
    "studios": DataSet(
        about="emoji by Noto and other emoji by Fluent, unpaired, 64x64 in colour",
        licence="Apache 2.0 (Noto), MIT (Fluent)",
        gives=DOMAINS,
        load=lambda option, split: emoji.load_studios(split),
        files=("emoji/noto.webp", "emoji/fluent.webp", "emoji/index.json"),
        record="emoji.json",
    ),
    "seasons": DataSet(
        about="10,000 scenes in summer and 10,000 others in winter, unpaired, 64x64 in colour",
        licence="MIT, as the course",
        gives=MASKED,
        load=lambda option, split: drawn.load_seasons(option, split),
        option="number of scenes of each season",
    ),
    "daynight": DataSet(
        about="10,000 scenes by day and 10,000 others by night, unpaired, 64x64 in colour",
        licence="MIT, as the course",
        gives=MASKED,
        load=lambda option, split: drawn.load_daynight(option, split),
        option="number of scenes of each kind",
    ),
    "trees": DataSet(
        about="10,000 scenes with round trees and 10,000 others with firs, unpaired, 64x64",
        licence="MIT, as the course",
        gives=MASKED,
        load=lambda option, split: drawn.load_trees(option, split),
        option="number of scenes of each kind",
    ),
    "houses": DataSet(
        about="10,000 scenes with cottages and 10,000 others with chalets, unpaired, 64x64",
        licence="MIT, as the course",
        gives=MASKED,
        load=lambda option, split: drawn.load_houses(option, split),
        option="number of scenes of each kind",
    ),
    "facades": _canonical(
        "facades",
        about="400 facades for training: drawn labels to photograph, pairs in colour",
        licence="no licence is stated; pictures of the CMP Facade Database",
    ),
    "maps": _canonical(
        "maps",
        about="1,096 aerial photographs for training, with their maps, pairs in colour",
        licence="no licence is stated; pictures of Google Maps",
    ),
    "edges2shoes": _canonical(
        "edges2shoes",
        about="some 50,000 shoes: edges to photograph, pairs in colour",
        licence="no licence is stated; pictures of UT Zappos50K",
    ),
    "horse2zebra": _canonical(
        "horse2zebra",
        about="horses and zebras, unpaired photographs in colour",
        licence="no licence is stated; pictures of ImageNet",
    ),
    "apple2orange": _canonical(
        "apple2orange",
        about="apples and oranges, unpaired photographs in colour",
        licence="no licence is stated; pictures of ImageNet",
    ),
    "summer2winter": _canonical(
        "summer2winter",
        about="Yosemite in summer and in winter, unpaired photographs in colour",
        licence="no licence is stated; pictures of Flickr",
    ),
    "monet2photo": _canonical(
        "monet2photo",
        about="Monet's paintings and landscape photographs, unpaired in colour",
        licence="no licence is stated; pictures of WikiArt and Flickr",
    ),
    "folder": DataSet(
        about="your own pictures, with sub-folders as classes, in colour, 64x64 if not resized",
        licence="yours",
        gives=OWN,
        load=lambda option, split: own.load_folder(option, split),
        option="path of a folder of pictures",
        otherwise="read from your disk",
    ),
    "pairs": DataSet(
        about="your own pairs of pictures, in one file each or in two folders, in colour, 64x64",
        licence="yours",
        gives=PAIRS,
        load=lambda option, split: own.load_pairs(option, split),
        option="path of a folder, or two with a comma between",
        otherwise="read from your disk",
    ),
    "mapped": DataSet(
        about="your own pictures, each with a map of classes in another folder, in colour, 64x64",
        licence="yours",
        gives=("real", "map"),
        load=lambda option, split: own.load_mapped(option, split),
        option="path of a folder, or those of the maps and of the pictures with a comma between",
        otherwise="read from your disk",
    ),
    "boxes": DataSet(
        about="your own pictures with a list of boxes and kinds, as COCO has it, in colour, 64x64",
        licence="yours",
        gives=("real", "boxes", "kinds"),
        load=lambda option, split: own.load_boxes(option, split),
        option="path of a folder, or those of a folder and of the list with a comma between",
        otherwise="read from your disk",
    ),
    "unpaired": DataSet(
        about="your own pictures in two folders, in colour, 64x64 if not resized",
        licence="yours",
        gives=DOMAINS,
        load=lambda option, split: own.load_unpaired(option, split),
        option="path of a folder, or two with a comma between",
        otherwise="read from your disk",
    ),
}


def load(name, *, split="train", image_size=None, device="cpu", limit=None):
    """Load a data set by its name.

    Parameters
    ----------
    name : str
        One of ``DATASETS``; "ring:12" is a ring of 12 modes, "grid:16" a grid of 4 by 4,
        "folder:PATH" the pictures of a folder, "pairs:PATH" and "unpaired:PATH" two sets of them,
        "mapped:PATH" and "boxes:PATH" pictures with maps or boxes.
    split : {"train", "test"}
        Some data sets also have "valid". A mixture has no splits: each batch is drawn anew.
    image_size : int, optional
        Side of the pictures in pixels, if other than the data's own: see
        :meth:`~gancourse.data.source.ImageData.resized`. Pictures that are drawn or read from
        files are made at this size when the first is needed; their own size is 64 pixels.
    device : str or torch.device
        Where the data lie.
    limit : int, optional
        Take only the first ``limit`` pictures.

    Returns
    -------
    Data
        An :class:`ImageData`, whose batches have values in [-1, 1]; two of them, as
        :class:`~gancourse.data.pairs.PairedImages` or
        :class:`~gancourse.data.pairs.UnpairedImages`; or a
        :class:`~gancourse.data.mixtures.Mixture`.

    Raises
    ------
    CourseError
        If the name or the split is unknown, an option does not apply to this data set, or the
        data set is not downloaded yet: ``load`` downloads nothing.
    """
    dataset, option = _find(name)
    data = dataset.load(option, split)
    if limit is not None:
        data = data.first(limit)
    if image_size is not None:
        data = data.resized(image_size)
    return data if str(device) == "cpu" else data.to(device)


def _find(name):
    """Return the data set of a name, and what follows the colon; raise a CourseError for others."""
    kind, colon, option = str(name).partition(":")
    dataset = DATASETS[choose("data set", kind, DATASETS)]
    if colon and not (option and dataset.option):
        form = f", or {kind}: and the {dataset.option}" if dataset.option else ""
        if option and not dataset.option:
            form += f". Your own pictures are {', '.join(f'{known}:' for known in own.KINDS)}"
        raise DataError(f"there is no data set {name!r}: write {kind}{form}.")
    return dataset, option


def fetch(name, *, progress=True):
    """Download a data set; files that are here already are checked and not loaded again.

    Parameters
    ----------
    name : str
        One of ``DATASETS``.
    progress : bool
        Show a progress bar for each file on standard error.

    Returns
    -------
    str
        The report of :func:`check`.

    Raises
    ------
    CourseError
        See :func:`gancourse.data.archives.fetch`.
    """
    for download in DATASETS[choose("data set", name, DATASETS)].downloads:
        archives.fetch(download, progress=progress)
    return check(name)


def check(what):
    """Check a data set, or a folder of pictures, and return a report.

    Parameters
    ----------
    what : str or pathlib.Path
        A name that :func:`load` takes, or the path of a folder.

    Returns
    -------
    str
        A report of a few lines.

    Raises
    ------
    CourseError
        If a file is missing or has another hash than expected, a picture cannot be read, or there
        is no such data set or folder.
    """
    name = str(what)
    kind, _, option = name.partition(":")
    if kind not in DATASETS:
        # A path, which may be misspelt; unlike Path.exists, os.path.exists never raises.
        if os.path.exists(name) or {"/", os.sep, "~"} & {*name}:
            return own.check(what)
        choose("data set or folder", name, DATASETS)
    if kind in own.KINDS:
        return own.check(option, kind)
    if kind == "small2large" and option.partition(":")[0] in own.KINDS:
        return f"{check(option)}\nreduced to a quarter:\n  {load(name)!r}"
    dataset, _ = _find(name)
    lines = [f"{name}: {dataset.about}"]
    for file in dataset.files:
        path = shipped(file)
        known = json.loads(shipped(dataset.record).read_text(encoding="utf-8"))["files"]
        if pooch.file_hash(path) != known[path.name]["sha256"]:
            raise changed(path, f"its SHA-256 is not that of data/{dataset.record}")
        lines.append(f"  {path}: as it was shipped")
    for download in dataset.downloads:
        archives.verify(download)
        came = "published" if download.sha256 else "at the first download"
        lines.append(f"  {download.path}: as it was {came}")
    return "\n".join([*lines, *_contents(name, dataset)])


def _contents(name, dataset):
    """Load the data, and yield lines that describe what a model gets."""
    if not dataset.files and not dataset.downloads:
        yield f"  {load(name)!r}"
        return
    for split in ("train", "test"):
        data = load(name, split=split)
        if not isinstance(data, ImageData) or data.labels is None:
            yield f"  {split:<5} {data!r}"
            continue
        low, high = (round(float(end), 2) for end in data.images().aminmax())
        counts = data.labels.bincount(minlength=data.num_classes)
        few, many = counts.min().item(), counts.max().item()
        each = f"{few:,}" if few == many else f"{few:,} to {many:,}"
        size = f"{len(data):>7,} pictures of {tuple(data.shape)}"
        yield f"  {split:<5} {size} in [{low:g}, {high:g}], {each} of each class"
