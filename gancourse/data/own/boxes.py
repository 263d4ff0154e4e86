"""Pictures with boxes: a list in the form of COCO, in JSON, beside the pictures.

The list has three parts; what else it holds is ignored::

    {"images":      [{"id": 1, "file_name": "a.jpg", "width": 640, "height": 480}],
     "annotations": [{"image_id": 1, "category_id": 18, "bbox": [10, 20, 200, 100]}],
     "categories":  [{"id": 18, "name": "dog"}]}

A bbox is left, top, width and height in pixels. Of each picture the middle square is taken, and the
boxes are cut to it. What then covers less than ``LEAST`` of it is left out, a share that LostGANs
(arXiv:1908.07500) take, and so are pictures without a box. The ids of categories may have gaps:
their order gives the numbers of the kinds.
"""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from gancourse.data.own.attributes import readable
from gancourse.data.own.files import (
    Record,
    among,
    composed,
    find_folder,
    pictures_in,
    shown,
    some,
)
from gancourse.data.own.layout import rows_of
from gancourse.data.own.reading import SIZE, Seen, look_at, refused
from gancourse.errors import DataError
from gancourse.fields import split_words
from gancourse.files import schema

THINGS = 8  # of one picture, at most: the largest
LEAST = 0.02  # of the middle square
MOST_BYTES = 600_000_000  # of a list; that of COCO's training pictures has 449 MB
OVER = 1.0  # pixels by which a box may reach out of its picture, for rounding


_Id = Annotated[int, Field(ge=-(2**63), lt=2**63)]
_Pixels = Annotated[int, Field(ge=1, lt=2**31)]


@dataclass(frozen=True)
class _Image:
    id: _Id
    file_name: str
    width: _Pixels
    height: _Pixels


@dataclass(frozen=True)
class _Annotation:
    image_id: _Id
    category_id: _Id
    bbox: tuple[schema.Finite, schema.Finite, schema.Finite, schema.Finite]


@dataclass(frozen=True)
class _Category:
    id: _Id
    name: str


@dataclass(frozen=True)
class _Layouts:
    images: Annotated[tuple[_Image, ...], Field(min_length=1, fail_fast=True)]
    annotations: Annotated[tuple[_Annotation, ...], Field(min_length=1, fail_fast=True)]
    categories: Annotated[tuple[_Category, ...], Field(min_length=1, fail_fast=True)]


class Listed:
    """Pictures below a folder, and the boxes that a list has for them.

    Parameters
    ----------
    option : str or pathlib.Path
        A folder with one file that ends in .json; or a folder and such a file, with a comma
        between.

    Attributes
    ----------
    written : str
        The folder as the user wrote it, for messages.
    real : str
        What was read, without links: the same data always have the same name.
    path : pathlib.Path
        The list.
    records : list of Record
        The pictures that have a box, N of them.
    boxes : float32 numpy.ndarray, (N, THINGS, 4)
        Left, top, right, bottom in shares of the middle square; -1 in empty slots, which are last.
    kinds : int64 numpy.ndarray, (N, THINGS)
        1 more than an index into ``words``; 0 in empty slots.
    words : tuple of str
        The categories in the order of their ids, a word each: "traffic-light".
    counts : dict of str to int
        What was left out: "small" boxes, "more" than THINGS, "empty" pictures.
    unlisted, others : list of str
        The names of pictures that the list lacks, and of files that are no pictures.

    Raises
    ------
    DataError
        If a folder or the list is missing, or the list has another form, contradicts itself or
        does not fit the pictures.
    """

    def __init__(self, option):
        self.folder, self.path, found, self.others = _find(option)
        self.written = str(self.folder)
        self.real = ",".join(map(os.path.realpath, (self.folder, self.path)))
        with readable(self.path, "the boxes", MOST_BYTES, "Leave out pictures or segmentations."):
            content = self.path.read_bytes()
        layouts = schema.read(_Layouts, content, str(self.path), DataError)
        self.words = self._words(layouts.categories)
        ids = sorted(category.id for category in layouts.categories)
        self._kinds = {number: kind for kind, number in enumerate(ids, 1)}
        self._refuse_twice("image", [image.id for image in layouts.images])
        self._images = {image.id: image for image in layouts.images}
        self._check(layouts.annotations)
        self._fill(layouts.annotations, self._match(layouts.images, found))

    def _words(self, categories):
        self._refuse_twice("category", [category.id for category in categories])
        ordered = sorted(categories, key=lambda category: category.id)
        words = ["-".join(split_words(category.name)) for category in ordered]
        for word, category in zip(words, ordered, strict=True):
            if not word:
                raise DataError(
                    f"{self.path}: the category {category.id} is called {shown(category.name)!r}, "
                    "without a letter. Give it a name."
                )
        self._refuse_twice("category of the name", words)
        return tuple(words)

    def _refuse_twice(self, what, keys):
        (key, count), *_ = Counter(keys).most_common(1)
        if count > 1:
            raise DataError(f"{self.path} has the {what} {shown(key)} {count} times: leave one")

    def _check(self, annotations):
        """Refuse boxes of unknown pictures and categories, and those that cannot be."""
        problems = []
        for place, annotation in enumerate(annotations):
            image = self._images.get(annotation.image_id)
            problem = (
                f"there is no image {annotation.image_id}"
                if image is None
                else f"there is no category {annotation.category_id}"
                if annotation.category_id not in self._kinds
                else _fault(annotation.bbox, image)
            )
            if problem:
                problems.append(f"annotation {place}, counted from 0: {problem}")
        if problems:
            first = f"{self.path}: a bbox is left, top, width and height in pixels"
            raise DataError(
                "\n".join([first, *refused(problems, "wrong boxes", "Correct or remove them.")])
            )

    def _match(self, images, found):
        """Return the picture of each image, by its id."""
        whole = {composed(picture.name): picture for picture in found}
        names = Counter(composed(picture.path.name) for picture in found)
        alone = {composed(p.path.name): p for p in found if names[composed(p.path.name)] == 1}
        pictures, missing = {}, []
        for image in images:
            name = composed(image.file_name.replace("\\", "/"))
            picture = whole.get(name) or alone.get(name.rpartition("/")[2])
            if picture is None:
                missing.append(image.file_name)
            pictures[image.id] = picture
        if missing:
            raise DataError(
                f"{self.path} names {len(missing):,} of {len(images):,} pictures that are not "
                f"below {shown(self.folder)}: {some(missing)}. Put them there, or take them from "
                "the list."
            )
        first = {}
        for number, picture in pictures.items():
            other = first.setdefault(picture.name, number)
            if other != number:
                raise DataError(
                    f"{self.path}: the images {other} and {number} are one picture, {picture}. "
                    "Leave one, or write the path below the folder."
                )
        self.unlisted = [picture.name for picture in found if picture.name not in first]
        return pictures

    def _fill(self, annotations, pictures):
        things = {number: [] for number in pictures}
        small = more = 0
        for annotation in annotations:
            box = _middle(annotation.bbox, self._images[annotation.image_id])
            area = (box[2] - box[0]) * (box[3] - box[1])
            if area < LEAST:
                small += 1
            else:
                things[annotation.image_id].append((area, box, annotation.category_id))
        shown_in = {number: found for number, found in things.items() if found}
        if not shown_in:
            raise DataError(
                f"{self.path}: no box covers {LEAST:.0%} of the middle of its picture. A bbox is "
                "left, top, width and height in pixels, not in shares."
            )
        self.records, self._sizes = [], {}
        self.boxes = np.full((len(shown_in), THINGS, 4), -1, np.float32)
        self.kinds = np.zeros((len(shown_in), THINGS), np.int64)
        for row, (number, found) in enumerate(shown_in.items()):
            found.sort(key=lambda thing: -thing[0])
            more += len(found[THINGS:])
            for slot, (_, box, category) in enumerate(found[:THINGS]):
                self.boxes[row, slot], self.kinds[row, slot] = box, self._kinds[category]
            image, picture = self._images[number], pictures[number]
            self.records.append(Record(picture.name, (picture,)))
            self._sizes[picture.name] = (image.width, image.height)
        self.counts = {"small": small, "more": more, "empty": len(things) - len(shown_in)}

    def split(self, split):
        """Return the rows of a split, in the order of their hashes."""
        return rows_of(self.records, split)

    def take(self, split):
        """Return the rows of a split; raise DataError if there are none."""
        rows = self.split(split)
        if not rows:
            raise DataError(
                f"{self.written}: its only picture with boxes is for training, and none is in the "
                f"{split} split. Add pictures."
            )
        return rows

    def look_at(self, record, size=SIZE):
        """Read a picture, which must have the size that the list says."""
        seen = look_at(record, size)
        wanted = self._sizes[record.name]
        if seen.problem or seen.size == wanted:
            return seen
        sizes = "{}x{} pixels, but {}x{} in the list".format(*seen.size, *wanted)
        return Seen(problem=f"{sizes}: its boxes are those of another size")


def find_list(option):
    """Return the folder and the list that a user means; None for a list that is still to be found.

    Raises
    ------
    DataError
        If there is no such folder or list.
    """
    try:
        return find_folder(option, "boxes"), None
    except DataError:
        parts = str(option).split(",")
        if len(parts) < 2 or not parts[-1].strip().lower().endswith(".json"):
            raise
    for end in range(1, len(parts)):  # a comma may be part of either name
        folder = ",".join(parts[:end])
        path = Path(os.path.expanduser(",".join(parts[end:]).strip()))
        if os.path.exists(path):
            return find_folder(folder, "boxes"), path
    raise DataError(f"there is no list {shown(path.absolute())}. Check the spelling.")


def _find(option):
    """Return the folder, the list, the pictures and the names of other files."""
    folder, path = find_list(option)
    found, others = pictures_in(folder)
    lists = [name for name in others if name.lower().endswith(".json")]
    if path is None:
        if not lists:
            raise DataError(
                f"{folder}: no list of boxes{among(others)}. Expected a file that ends in .json, "
                "in the form of COCO."
            )
        if len(lists) > 1:
            raise DataError(
                f"{folder}: {some(lists)} may be lists of boxes. Write the one to read after a "
                f"comma: boxes:{folder},{folder / lists[0]}"
            )
        path = folder / lists[0]
    return folder, path, found, [name for name in others if folder / name != path]


def _fault(bbox, image):
    """Return what is wrong with a box, or ""."""
    left, top, width, height = bbox
    found = f"[{', '.join(f'{number:g}' for number in bbox)}]"
    if width < 0 or height < 0:
        return f"{found} has a width or a height below 0"
    right, bottom = left + width, top + height
    if min(left, top) < -OVER or right > image.width + OVER or bottom > image.height + OVER:
        size = f"{image.width}x{image.height}"
        return f"{found} reaches out of {shown(image.file_name)}, which has {size} pixels"
    return ""


def _middle(bbox, image):
    """Return left, top, right, bottom in shares of the middle square, cut to it."""
    left, top, width, height = bbox
    side = min(image.width, image.height)
    x, y = (image.width - side) / 2, (image.height - side) / 2
    ends = (left - x, top - y, left + width - x, top + height - y)
    return tuple(min(max(end / side, 0.0), 1.0) for end in ends)
