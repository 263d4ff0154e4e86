"""The interface of all data sets, and the container of pictures.

>>> import torch
>>> data = ImageData(torch.zeros(5, 1, 28, 28).byte(), torch.tensor([0, 1, 1, 0, 2]), "x", "abc")
>>> list(data.fields)
['real', 'labels']
>>> data.resized(32).first(2)
<x: 2 pictures (1, 32, 32), 3 classes on cpu>
"""

import copy
import hashlib
from dataclasses import replace
from functools import cached_property, lru_cache
from math import prod
from pathlib import Path
from typing import Protocol

import torch

from gancourse.errors import DataError
from gancourse.fields import Classes, Flags, Pictures

# The first number of every key that chooses a batch. It makes the random numbers of the data differ
# from those that other code draws with the same seed and step, for instance as noise.
BATCH_KEY = 0xDA7A
# How a user's folder gets a field.
GIVEN = {
    "labels": "Put its pictures into a sub-folder for each class.",
    "attributes": "A folder gets them from a list beside its pictures, attributes.csv.",
    "map": "Put its maps into a folder of their own, and load both as mapped:PATH.",
    "boxes": "Write a list of boxes beside its pictures, and load them as boxes:PATH.",
}
GIVEN["kinds"] = GIVEN["boxes"]
# What a user can do about a file that came with the course.
MEND = "Install gancourse again, or restore the file with git."


class Data(Protocol):
    """A data set: any object with these members.

    Attributes
    ----------
    name : str
        As :func:`gancourse.data.load` takes it; the same data always have the same name.
    fields : dict of str to gancourse.fields.Field
        What a batch holds, by name. "real" are pictures or points to imitate; "labels",
        "attributes", "captions", ... describe the same row. Row i of "input" and of "target" are a
        pair. "real_A" and "real_B" are pictures of two domains, not pairs.
    """

    name: str
    fields: dict

    def take(self, *names, like=None):
        """Return the same data with batches of exactly these fields.

        Parameters
        ----------
        *names : str
        like : dict of str to Field, optional
            The form of a field that has several forms: which labels, in which sets.

        Raises
        ------
        DataError
            If the data have no such field; the message lists those that they have.
        """

    def fingerprint(self):
        """Return what tells these data from others: JSON values, the same on every device.

        A run is resumed only with data of the same name, fields and fingerprint. Data without this
        method are known by name and fields.
        """

    def preview(self, n, run):
        """Return the first rows, as inputs for the pictures of a run.

        Parameters
        ----------
        n : int
            How many, at most.
        run : Run

        Returns
        -------
        batch : dict of str to torch.Tensor
        together : bool
            Whether row i of one field belongs to row i of the others.
        """

    def batch(self, step, size, run):
        """Return the batch of a step: a pure function of ``(run.seed, step)``.

        So a resumed run sees the batches that an uninterrupted run would have seen, and no state
        of the data has to be saved.

        Parameters
        ----------
        step : int
            Counted from 0.
        size : int
            Samples in the batch, N; of several processes together.
        run : gancourse.training.runtime.Run
            Its seed chooses the batch; its device is that of the batch. Of several processes, each
            draws the same order and makes only the rows that ``run.share`` picks.

        Returns
        -------
        dict of str to torch.Tensor
            A tensor for each of ``fields``, of N rows; N / ``run.processes`` in each process.
        """


class Column:
    """The rows of one field, made when they are first needed.

    Until then, taking fewer rows or another size costs nothing, and no picture is scaled twice.

    Parameters
    ----------
    field : gancourse.fields.Field
    count : int
        How many rows.
    make : callable
        ``make(count, field, device)`` returns the first ``count`` rows, as they are stored, at the
        field's size.
    device : str or torch.device
    drawn : bool
        Whether the course draws the rows, each device in its own rounding.
    """

    def __init__(self, field, count, make, device="cpu", drawn=False):
        self.field, self.count, self.make, self.device = field, count, make, torch.device(device)
        self.drawn = drawn

    @classmethod
    def of(cls, field, values):
        """Return a column of existing values, (N, ...)."""

        def make(count, wanted, device):
            rows = values[:count]
            if wanted != field:
                rows = resize(rows, wanted.side, blended=isinstance(field, Pictures))
            return rows

        return cls(field, len(values), make, values.device)

    @classmethod
    def read(cls, read, count, size, channels=3, drawn=False):
        """Return a column of pictures that ``read(count, size)`` makes, uint8 (count, C, H, W).

        Columns that are derived of it share the array that was read last.
        """

        @lru_cache(maxsize=1)
        def make(count, field, device):
            return read(count, field.side)

        return cls(Pictures(shape=(channels, size, size)), count, make, drawn=drawn)

    def channels(self, first, last):
        """Return a column of the channels ``first`` to ``last - 1`` of pictures."""

        def make(count, field, device):
            whole = self.changed(field=self.field.sized(field.side), count=count, device=device)
            return whole.values[:, first:last]

        field = replace(self.field, shape=(last - first, *self.field.shape[1:]))
        return Column(field, self.count, make, self.device, self.drawn)

    @property
    def fingerprint(self):
        """A text that two columns share if their rows are equal; it does not depend on the device.

        Rows that are drawn are known by the name of the data.
        """
        if self.drawn:
            return "drawn"
        stored = self.values.cpu().contiguous().numpy()
        return hashlib.blake2b(stored, digest_size=8).hexdigest()

    @property
    def made(self):
        """Whether the rows have been made."""
        return "values" in vars(self)

    @cached_property
    def values(self):
        """All rows as they are stored."""
        return self.make(self.count, self.field, self.device).to(self.device)

    @property
    def nbytes(self):
        """How many bytes the rows take as they are stored: at most 8 for a number."""
        each = 1 if isinstance(self.field, Pictures) else 8
        return self.count * prod(self.field.shape) * each

    def rows(self, index=None, device=None):
        """Return rows in the form that a network takes.

        Parameters
        ----------
        index : int, slice, list or torch.Tensor, optional
            Which rows; all if left out.
        device : torch.device, optional
            Where they shall lie. Pictures move as bytes, a quarter of what floats take, and to
            CUDA from pinned memory, so that nothing waits for it.
        """
        stored = self.values if index is None else self.values[index]
        if device is not None and stored.device != device:
            if device.type == "cuda" and stored.device.type == "cpu":
                stored = stored.pin_memory()
            stored = stored.to(device, non_blocking=True)
        return self.field.decode(stored)

    def changed(self, *, field=None, count=None, device=None):
        """Return the column at another size, of fewer rows, or on another device."""
        field, count, device = field or self.field, count or self.count, device or self.device
        other = Column(field, count, self.make, device, self.drawn)
        if self.made and other.field == self.field:
            other.values = self.values[: other.count].to(other.device)
        return other


def resize(pixels, size, blended=True):
    """Bring stored pictures, (N, C, H, W), or maps, (N, H, W), to ``size`` by ``size`` pixels.

    Pictures of 28 pixels get a border of 2 pixels of value 0 to reach 32, as is common for MNIST:
    this does not blur. Every other size is reached by bilinear interpolation with antialiasing.
    Class numbers must not be ``blended``: each pixel takes the number of the nearest.
    """
    # It takes a second and 170 MB to import, and few data need it.
    from torchvision.transforms.v2 import functional as transforms

    if not blended:
        how = transforms.InterpolationMode.NEAREST_EXACT
        return transforms.resize(pixels[:, None], [size, size], how)[:, 0]
    if pixels.shape[2:] == (size, size):
        return pixels
    if pixels.shape[2:] == (28, 28) and size == 32:
        return transforms.pad(pixels, [2])
    return transforms.resize(pixels, [size, size], antialias=True)


class ImageData:
    """Pictures and what is known of each, kept as bytes; a batch of them is made of floats.

    Parameters
    ----------
    images : uint8 torch.Tensor, (N, C, H, W), or Column
        0 is the darkest value and 255 the brightest.
    labels : torch.Tensor of whole numbers, (N,), or None
        Indices into ``classes``.
    name : str
    classes : sequence of str
        A name for each value of a label.
    attributes : torch.Tensor of 0 and 1, (N, number of them), optional
        Which attributes each picture has.
    attribute_names : sequence of str
        The name of each attribute.
    more : dict of str to Column, optional
        Further fields, such as captions and maps.
    drawing : callable, optional
        ``drawing(count, size, device)`` returns the drawing of the pictures; see
        :class:`gancourse.data.drawn.Drawer`.

    Attributes
    ----------
    name : str
    columns : dict of str to Column
        All fields that can be taken, by name; "real" are the pictures.

    Raises
    ------
    DataError
        If the types, the shapes or the labels do not fit together.

    Notes
    -----
    Bytes take a quarter of the memory of floats. So a whole data set fits on the device, where a
    batch is made by one indexing, and no loader in other processes is needed.
    """

    def __init__(
        self,
        images,
        labels,
        name,
        classes=(),
        *,
        attributes=None,
        attribute_names=(),
        more=None,
        drawing=None,
    ):
        if not isinstance(images, Column):
            if images.dtype != torch.uint8 or images.ndim != 4 or not len(images):
                raise DataError(
                    f"{name}: expected uint8 pictures of shape (N, C, H, W) with N > 0, "
                    f"found {str(images.dtype).removeprefix('torch.')} {tuple(images.shape)}"
                )
            images = Column.of(Pictures(shape=tuple(images.shape[1:])), images)
        self.name, self._drawing = name, drawing
        self.columns = {"real": images}
        if labels is not None:
            if labels.shape != (images.count,):
                raise DataError(
                    f"{name}: {images.count:,} pictures need as many labels, "
                    f"found labels of shape {tuple(labels.shape)}"
                )
            low, high = labels.min().item(), labels.max().item()
            if low < 0 or high >= len(classes):
                raise DataError(
                    f"{name}: labels must lie in 0..{len(classes) - 1} for {len(classes)} classes, "
                    f"found {low}..{high}"
                )
            field = Classes(count=len(classes), names=tuple(classes))
            self.columns["labels"] = Column.of(field, labels.to(images.device, torch.int64))
        if attributes is not None:
            field = Flags(sets=(("attributes", tuple(attribute_names)),))
            self.columns["attributes"] = Column.of(field, attributes.to(images.device).float())
        self._taken = tuple(self.columns)
        self.columns |= more or {}
        self._orders = {}  # of the latest epoch of each key

    def __len__(self):
        return self.columns["real"].count

    def __repr__(self):
        kinds = f", {self.num_classes} classes" if self.num_classes else ""
        kinds += f", {len(self.attribute_names)} attributes" if self.attribute_names else ""
        return f"<{self.name}: {len(self):,} pictures {self.shape}{kinds} on {self.device}>"

    @property
    def fields(self):
        """What a batch holds, by name."""
        return {name: self.columns[name].field for name in self._taken}

    def take(self, *names, like=None):
        """Return the same pictures with batches of exactly these fields; see :class:`Data`.

        "labels" with "source", the number of the label set, are those of
        :class:`gancourse.data.joint.JointImages`.
        """
        if "source" in names:
            from gancourse.data.joint import JointImages

            sets = like["labels"].sets if "labels" in (like or {}) else [(None, None)]
            members = [(self, names if kind == "attributes" else kind) for kind, names in sets]
            return JointImages(members, self.name).take(*names)
        for name in names:
            if name not in self.columns:
                raise lacks(self.name, name, self.columns)
        other = copy.copy(self)
        other._taken = names
        return other

    def fingerprint(self):
        """Return the number of pictures and a text for each field; see :class:`Data`."""
        return {"rows": len(self)} | {n: self.columns[n].fingerprint for n in self._taken}

    # What is known of the pictures

    @property
    def shape(self):
        """The shape of one picture, (C, H, W)."""
        return self.columns["real"].field.shape

    @property
    def device(self):
        """The device of the pictures."""
        return self.columns["real"].device

    @property
    def pixels(self):
        """The pictures, uint8 (N, C, H, W)."""
        return self.columns["real"].values

    @property
    def labels(self):
        """Indices into ``classes``, int64 (N,); None if there are no labels."""
        return self.columns["labels"].values if "labels" in self.columns else None

    @property
    def classes(self):
        """The name of each class; empty if there are no labels."""
        return self.columns["labels"].field.names if "labels" in self.columns else ()

    @property
    def num_classes(self):
        """The number of classes; 0 if there are no labels."""
        return len(self.classes)

    @property
    def attributes(self):
        """Which attributes each picture has, float32 (N, number of them) of 0 and 1; or None."""
        return self.columns["attributes"].values if "attributes" in self.columns else None

    @property
    def attribute_names(self):
        """The name of each attribute; empty if there are none."""
        return self.columns["attributes"].field.names if "attributes" in self.columns else ()

    @property
    def drawing(self):
        """The drawing of these pictures, with its factors, maps, boxes and captions.

        Raises
        ------
        DataError
            If the course did not draw them.
        """
        if self._drawing is None:
            raise DataError(f"{self.name} has no drawing. toons and scenes have one.")
        return self._drawing(len(self), self.shape[1], self.device)

    def images(self, index=None):
        """Return pictures as a model takes them.

        Parameters
        ----------
        index : int, slice, list or torch.Tensor, optional
            Which pictures; all if left out.

        Returns
        -------
        float32 torch.Tensor in [-1, 1]
            (N, C, H, W), or (C, H, W) for a single number; byte 0 becomes -1, 255 becomes 1.
        """
        return self.columns["real"].rows(index)

    # The same data in another form

    def to(self, device):
        """Return the same data on another device."""
        return self._each(lambda column: column.changed(device=torch.device(device)))

    def resized(self, image_size):
        """Return the data with pictures of ``image_size`` by ``image_size`` pixels.

        Pictures that are drawn or read from files are made at that size; others are resized: see
        :func:`resize`.
        """
        check_size(image_size)
        return self._each(lambda column: column.changed(field=column.field.sized(image_size)))

    def shrunk(self, factor):
        """Return only the pictures; each pixel is the mean of ``factor`` by ``factor`` pixels.

        Raises
        ------
        DataError
            If their side is not a multiple of ``factor``.
        """
        large = self.columns["real"]
        channels, size = large.field.channels, large.field.side
        device = self.device
        if size % factor:
            raise DataError(
                f"{self.name}: {size} pixels a side are not a multiple of {factor}; take others."
            )

        def read(count, size):
            whole = large.field.sized(size * factor)
            column = large.changed(count=count, field=whole, device=device)
            means = torch.nn.functional.avg_pool2d(column.values.float(), factor)
            return means.round().byte()

        small = Column.read(read, len(self), size // factor, channels, large.drawn)
        return ImageData(small, None, f"{self.name} / {factor}").to(self.device)

    def first(self, limit):
        """Return the first ``limit`` pictures; a larger limit is an error."""
        check_limit(self, limit)
        return self._each(lambda column: column.changed(count=limit))

    def _each(self, change):
        other = copy.copy(self)
        other.columns = {name: change(column) for name, column in self.columns.items()}
        other._orders = {}
        return other

    # Batches

    def batch(self, step, size, run):
        """Return the batch of a step; see :meth:`Data.batch`.

        The pictures are those of :meth:`rows`.

        Raises
        ------
        DataError
            If a batch is larger than the data.
        """
        return self.at(run.share(self.rows(step, size, run)), run)

    def preview(self, n, run):
        """Return the first rows, which belong together; see :meth:`Data.preview`."""
        return self.at(slice(0, n), run), True

    def at(self, rows, run):
        """Return the batch that consists of these rows, on the run's device."""
        return {name: self.columns[name].rows(rows, run.device) for name in self._taken}

    @property
    def nbytes(self):
        """How many bytes the fields of a batch take for all rows, as they are stored."""
        return sum(self.columns[name].nbytes for name in self._taken)

    def rows(self, step, size, run, *key):
        """Return which pictures are in the batch of a step, of all processes together.

        The pictures of an epoch come in a random order, which depends on the seed and the number of
        the epoch. If fewer than ``size`` are left at its end, they are dropped.

        Parameters
        ----------
        step, size, run
            See :meth:`Data.batch`.
        *key : int
            Numbers, at least 1, that give another order: for a second set in the same batch.

        Returns
        -------
        int64 torch.Tensor, (size,)
            On the device of the pictures.

        Raises
        ------
        DataError
            If a batch is larger than the data.
        """
        epoch_steps = len(self) // size
        if not epoch_steps:
            smaller = f", or batch_size={len(self)} or less (--batch-size)" * (len(self) > 1)
            raise DataError(
                f"a batch of {size:,} was asked for, but {self.name} has {len(self):,} pictures. "
                f"Take more pictures{smaller}."
            )
        epoch, place = divmod(step, epoch_steps)
        return self._epoch_order(run, epoch, *key)[place * size : (place + 1) * size]

    def _epoch_order(self, run, epoch, *key):
        known = (run.seed, run.device, epoch)
        if self._orders.get(key, (None,))[0] != known:  # kept for the whole epoch
            generator = run.generator(BATCH_KEY, epoch, *key)
            order = torch.randperm(len(self), generator=generator, device=run.device)
            self._orders[key] = (known, order.to(self.device))
        return self._orders[key][1]


def near(data, device):
    """Return data on a device, or as they are if they take more than half of its free memory.

    Batches of data that stay on the CPU are moved one by one: see
    :class:`gancourse.training.ahead.Ahead`.

    Parameters
    ----------
    data : Data
    device : torch.device
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if getattr(data, "nbytes", 0) > free / 2:
            return data
    return data.to(device)


def lacks(name, field, known):
    """Return the error for data that have no such field."""
    mend = "`gancourse data list` shows what each data set has."
    if name.startswith("folder:") and field in GIVEN:
        mend = GIVEN[field]
    return DataError(f"{name} has no field {field!r}, only {', '.join(known)}. {mend}")


def check_size(image_size):
    """Raise a DataError unless ``image_size`` is a whole number of pixels."""
    if isinstance(image_size, bool) or not isinstance(image_size, int) or image_size < 1:
        raise DataError(f"image_size must be a whole number of pixels above 0, not {image_size!r}")


def check_limit(data, limit):
    """Raise a DataError unless ``limit`` is a number of pictures that ``data`` has."""
    if isinstance(limit, bool) or not isinstance(limit, int) or not 0 < limit <= len(data):
        raise DataError(f"{data.name}: limit must be 1 to {len(data):,}, not {limit!r}")


def shipped(name):
    """Return the path of a file that ships with the course.

    Parameters
    ----------
    name : str
        The path inside ``data/``, such as ``"digits.npz"``.

    Returns
    -------
    pathlib.Path
        In ``data/`` of a checkout, or inside the package if it was installed from a wheel.

    Raises
    ------
    DataError
        If it is not there.
    """
    package = Path(__file__).resolve().parents[1]
    installed = package / "_shipped" / "data"
    path = (installed if installed.is_dir() else package.parent / "data") / name
    if not path.exists():
        raise DataError(f"{name} should have come with the course, but is not at {path}. {MEND}")
    return path


def changed(path, problem):
    """Return the error for a file that came with the course and is not as it was."""
    return DataError(f"{path} has changed since it came with the course: {problem}. {MEND}")
