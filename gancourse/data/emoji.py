"""The same 1,570 emoji, each drawn by Noto, by Twemoji and by Fluent 3D.

>>> emoji = Emoji("test")
>>> emoji.names[0], emoji.categories[0]
('squared free', 'Symbols')
>>> emoji.images("fluent").shape
torch.Size([157, 3, 64, 64])
"""

import functools
import hashlib
import json

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from gancourse.data.pairs import PairedImages, UnpairedImages
from gancourse.data.source import ImageData, changed, shipped
from gancourse.errors import DataError, choose

STYLES = ("noto", "twemoji", "fluent")
CATEGORIES = (
    "Smileys & Emotion",
    "People & Body",
    "Animals & Nature",
    "Food & Drink",
    "Travel & Places",
    "Activities",
    "Objects",
    "Symbols",
    "Flags",
)
SPLITS = ("train", "test", "all")
SIZE = 64  # side of a picture, in pixels
COLUMNS = 40  # pictures in a row of a sheet

# Code points that only say who it is (man, woman, person, and the two gender signs), and those
# that join others.
WHO = {"1F468", "1F469", "1F9D1", "2640", "2642", "200D", "FE0F"}


class Emoji:
    """The emoji of a split, with their pictures in every style, their names and categories.

    Index i means the same emoji in all attributes, and in all that the methods return.

    Parameters
    ----------
    split : {"train", "test", "all"}
        A tenth of the emoji is for testing, the same in all styles: no emoji for testing was
        trained on in another style. A man, a woman and a person who do the same are always in
        one split.
    category : str, optional
        One of ``CATEGORIES``; if left out, all.

    Attributes
    ----------
    codepoints : tuple of str
        In hexadecimal, joined by hyphens: ``"1F9D1-200D-1F33E"``.
    names : tuple of str
        Unicode's name in lower case: ``"farmer"``.
    categories, subcategories : tuple of str
        Unicode's, such as ``"People & Body"`` and ``"person-role"``.
    keywords : tuple of tuple of str
        The words of the emoji's short names: ``("face", "grinning")``.
    labels : int64 torch.Tensor, (N,)
        Indices into ``CATEGORIES``.
    """

    def __init__(self, split="train", category=None):
        choose("split", split, SPLITS)
        if category is not None:
            choose("category", category, CATEGORIES)
        entries = [
            (row, entry)
            for row, entry in enumerate(_index())
            if split in ("all", split_of(entry["codepoints"]))
            and category in (None, entry["category"])
        ]
        if not entries:
            raise DataError(f"no emoji of {category!r} is in the {split} split; take another split")
        self.split = split
        self._rows = [row for row, _ in entries]
        self.codepoints, self.names, self.categories, self.subcategories = (
            tuple(entry[key] for _, entry in entries)
            for key in ("codepoints", "name", "category", "subcategory")
        )
        self.keywords = tuple(tuple(entry["keywords"]) for _, entry in entries)
        self.labels = torch.tensor([CATEGORIES.index(name) for name in self.categories])

    def __len__(self):
        return len(self._rows)

    def __repr__(self):
        return f"<emoji: {len(self):,} of the {self.split} split in {len(STYLES)} styles>"

    def images(self, style, background=255):
        """Return the pictures of one style.

        Parameters
        ----------
        style : {"noto", "twemoji", "fluent"}
        background : int or three ints
            From 0 to 255; a single one is a grey. Pictures on white are exact; on another colour
            the soft edges are off by up to 8 of 255.

        Returns
        -------
        uint8 torch.Tensor, (N, 3, 64, 64)
        """
        on_white, alpha = (part[self._rows] for part in _sheet(choose("style", style, STYLES)))
        colour = torch.as_tensor(background)
        if colour.numel() not in (1, 3) or colour.is_floating_point():
            raise DataError(f"a background is one whole number or three, not {background!r}")
        if colour.min() < 0 or colour.max() > 255:
            raise DataError(f"a background lies in 0..255, not {background!r}")
        if (colour == 255).all():
            return on_white
        # A stored pixel holds (1 - alpha) of white, which is replaced by as much of the colour.
        through = (255 - alpha.float()) / 255 * (255 - colour.float().reshape(-1, 1, 1))
        return (on_white - through).round().clamp(0, 255).byte()

    def alpha(self, style):
        """Return the opacity of each pixel, uint8 (N, 1, 64, 64), in 16 steps from 0 to 255."""
        return _sheet(choose("style", style, STYLES))[1][self._rows]

    def style(self, style, background=255):
        """Return one style as a data set, labelled by category."""
        images = self.images(style, background)
        return ImageData(images, self.labels, f"emoji:{style}", CATEGORIES)

    def pairs(self, source, target, background=255):
        """Return two styles of the same emoji: row i of one and of the other are a pair.

        Returns
        -------
        tuple of two ImageData
            Batches of the same step, size and run hold the same emoji.
        """
        return self.style(source, background), self.style(target, background)

    def unpaired(self, source, target, background=255):
        """Return two styles of different emoji: one half in one style, the rest in the other.

        No emoji is in both, so that there are no pairs to learn from.

        Returns
        -------
        tuple of two ImageData
        """
        first = torch.tensor([_draw(codepoints, "half", 2) == 0 for codepoints in self.codepoints])
        return tuple(
            ImageData(
                self.images(style, background)[half],
                self.labels[half],
                f"emoji:{style}",
                CATEGORIES,
            )
            for style, half in ((source, first), (target, ~first))
        )

    def domains(self, styles=STYLES, background=255):
        """Return several styles as one data set, labelled by style.

        The pictures of an emoji are neighbours: with k styles, those of emoji i are the rows
        ``k * i`` to ``k * i + k - 1``.
        """
        images = torch.stack([self.images(style, background) for style in styles], dim=1)
        labels = torch.arange(len(styles)).repeat(len(self))
        return ImageData(images.flatten(0, 1), labels, "emoji", styles)


def load(style="", split="train"):
    """Return what :func:`gancourse.data.load` calls "emoji" or, with a style, "emoji:fluent".

    All three styles are labelled by style, a single one by category.
    """
    return Emoji(split).style(style) if style else Emoji(split).domains()


def load_noto2fluent(split="train"):
    """Return pairs of the same emoji by Noto and by Fluent: 1,413 for training, 157 for testing."""
    return PairedImages(*Emoji(split).pairs("noto", "fluent"), "noto2fluent")


def load_studios(split="train"):
    """Return emoji by Noto (A) and by Fluent (B), unpaired.

    For training, no emoji is in both. For testing, all 157 are, and ``hidden`` holds the pairs.
    """
    emoji = Emoji(choose("split", split, ("train", "test")))
    if split == "train":
        return UnpairedImages(*emoji.unpaired("noto", "fluent"), "studios")
    a, b = emoji.pairs("noto", "fluent")
    return UnpairedImages(a, b, "studios", hidden=PairedImages(a, b, "studios"))


def split_of(codepoints):
    """Return "train" or "test", which depends on the code points alone.

    Those that only say who does something don't count: a man, a woman and a person who do it
    differ in little but the hair, so that one of them in training would show the others.
    """
    return "test" if _draw(codepoints, "split", 10) == 0 else "train"


def _draw(codepoints, purpose, sides):
    """Return a number in 0..sides - 1 that depends only on the purpose and what is shown."""
    motive = "-".join(part for part in codepoints.split("-") if part not in WHO)
    digest = hashlib.sha256(f"{purpose} {motive}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % sides


@functools.cache
def _index():
    path = shipped("emoji/index.json")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise changed(path, problem) from problem


@functools.cache
def _sheet(style):
    """Return all pictures on white, (N, 3, 64, 64), and their alpha, (N, 1, 64, 64)."""
    path = shipped(f"emoji/{style}.webp")
    try:
        with Image.open(path, formats=("WEBP",)) as sheet:
            images, alpha = read_sheet(sheet, len(_index()))
    except (OSError, UnidentifiedImageError, ValueError) as problem:
        raise changed(path, problem) from problem
    return torch.from_numpy(images), torch.from_numpy(alpha)


def read_sheet(sheet, count):
    """Cut a sheet into its pictures.

    WebP halves the resolution of colour, which is visible at 64 pixels. Therefore a sheet holds
    brightness, blueness and redness (Y, Cb, Cr) below each other, as three grey pictures of full
    resolution on white. The first also holds the transparency.

    Parameters
    ----------
    sheet : PIL.Image.Image
    count : int
        How many pictures it holds.

    Returns
    -------
    images : uint8 numpy.ndarray, (count, 3, 64, 64)
        Exactly white where alpha is 0.
    alpha : uint8 numpy.ndarray, (count, 1, 64, 64)
    """
    pixels = np.asarray(sheet.convert("RGBA"))
    planes = np.split(pixels[..., 1], 3)
    colours = Image.merge("YCbCr", [Image.fromarray(plane) for plane in planes]).convert("RGB")
    alpha = tiles(pixels[: len(planes[0]), :, 3:], count)
    return np.where(alpha == 0, np.uint8(255), tiles(np.asarray(colours), count)), alpha


def tiles(sheet, count):
    """Return the first ``count`` pictures, (count, C, 64, 64), of (rows * 64, 40 * 64, C)."""
    grid = sheet.reshape(-1, SIZE, COLUMNS, SIZE, sheet.shape[-1])
    return grid.transpose(0, 2, 4, 1, 3).reshape(-1, sheet.shape[-1], SIZE, SIZE)[:count]
