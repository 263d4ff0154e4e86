"""What every data set offers to the trainer, and the form in which pictures are kept."""

import copy
from functools import cached_property
from pathlib import Path
from typing import Protocol

import torch
from torchvision.transforms.v2 import functional as transforms

from gancourse.errors import DataError

# The first word of every key that a batch is drawn with, so that the data never share their
# random numbers with the noise that a generator is fed at the same step.
BATCH_KEY = 0xDA7A


class Data(Protocol):
    """What a data set is: anything with these five members.

    Attributes
    ----------
    name : str
        As :func:`gancourse.data.load` knows it.
    shape : tuple of int
        The shape of one sample: (1, 28, 28), or (2,) for points.
    num_classes : int
        0 where there are no labels.
    classes : tuple of str
        A name for each label; empty where there are none.
    """

    name: str
    shape: tuple
    num_classes: int
    classes: tuple

    def batch(self, step, size, run):
        """Return the batch of a step: a pure function of ``(run.seed, step)``.

        Whoever resumes at step 700 sees the batches that they would have seen, with nothing to
        save or restore.

        Parameters
        ----------
        step : int
            Counted from 0.
        size : int
            Samples in the batch, N.
        run : gancourse.training.runtime.Run
            Gives the seed, and the device that the batch lies on.

        Returns
        -------
        dict of str to torch.Tensor
            ``"real"``: float32, (N, C, H, W) in [-1, 1] or (N, 2) in the data's own units;
            ``"labels"``: int64 (N,), where there are labels; ``"attributes"``: float32
            (N, number of them), where there are attributes. Two sets that a picture is taken
            from one to the other have ``"real_A"`` and ``"real_B"`` in place of ``"real"``, see
            :mod:`gancourse.data.pairs`; several label sets have ``"source"`` besides, see
            :mod:`gancourse.data.joint`.
        """


class ImageData:
    """Pictures with or without labels, kept as bytes and turned into floats by the batch.

    Parameters
    ----------
    images : uint8 torch.Tensor, (N, C, H, W)
        0 is the darkest value and 255 the brightest.
    labels : torch.Tensor of whole numbers, (N,), or None
        Indices into ``classes``.
    name : str
    classes : sequence of str
        As many as there are kinds of label.

    Attributes
    ----------
    attributes : float32 torch.Tensor of 0 and 1, (N, number of them), or None
        What is true of a picture, where more than one thing can be.
    attribute_names : tuple of str

    Raises
    ------
    DataError
        If the types, the shapes or the labels do not fit together.

    Notes
    -----
    Bytes take a quarter of the room of floats, so that a whole data set fits on the device and a
    batch is one indexing there, with no loader in other processes.
    """

    attributes = None
    attribute_names = ()

    def __init__(self, images, labels, name, classes=()):
        if images.dtype != torch.uint8 or images.ndim != 4 or not len(images):
            raise DataError(
                f"{name}: expected uint8 pictures of shape (N, C, H, W) with N > 0, "
                f"found {str(images.dtype).removeprefix('torch.')} {tuple(images.shape)}"
            )
        if labels is not None:
            if labels.shape != images.shape[:1]:
                raise DataError(
                    f"{name}: {len(images):,} pictures need as many labels, "
                    f"found labels of shape {tuple(labels.shape)}"
                )
            labels = labels.to(images.device, torch.int64)
            low, high = labels.min().item(), labels.max().item()
            if low < 0 or high >= len(classes):
                raise DataError(
                    f"{name}: labels must lie in 0..{len(classes) - 1} for {len(classes)} classes, "
                    f"found {low}..{high}"
                )
        self.name = name
        self.pixels = images
        self.labels = labels
        self.classes = tuple(classes) if labels is not None else ()
        self._order = (None, None)

    def __len__(self):
        return len(self.pixels)

    def __repr__(self):
        kinds = f", {self.num_classes} classes" if self.num_classes else ""
        return f"<{self.name}: {len(self):,} pictures {self.shape}{kinds} on {self.device}>"

    @property
    def shape(self):
        """The shape of one picture, (C, H, W)."""
        return tuple(self.pixels.shape[1:])

    @property
    def num_classes(self):
        """How many classes there are; 0 without labels."""
        return len(self.classes)

    @property
    def device(self):
        """Where the pictures lie."""
        return self.pixels.device

    def to(self, device):
        """Return the same data on another device."""
        return self._like(self.pixels.to(device))

    def _like(self, pixels):
        """Return other pixels with the labels and attributes of the first of these pictures."""
        labels = None if self.labels is None else self.labels[: len(pixels)]
        other = ImageData(pixels, labels, self.name, self.classes)
        if self.attributes is not None:
            other.attributes = self.attributes[: len(pixels)].to(pixels.device)
            other.attribute_names = self.attribute_names
        return other

    def images(self, index=None):
        """Return pictures as a model sees them.

        Parameters
        ----------
        index : int, slice, list or torch.Tensor, optional
            Which ones; all of them if left out.

        Returns
        -------
        float32 torch.Tensor in [-1, 1]
            (N, C, H, W), or (C, H, W) for a single number; byte 0 becomes -1, 255 becomes 1.
        """
        pixels = self.pixels if index is None else self.pixels[index]
        return pixels.float().div(127.5).sub(1)

    def resized(self, image_size):
        """Return the data with pictures of ``image_size`` by ``image_size`` pixels.

        Pictures of 28 pixels get a border of 2 pixels to reach 32, the way MNIST is commonly
        brought to a power of two: nothing is blurred. Every other size is reached by bilinear
        interpolation with antialiasing.
        """
        check_size(image_size)
        if self.shape[1:] == (image_size, image_size):
            return self
        if self.shape[1:] == (28, 28) and image_size == 32:
            pixels = transforms.pad(self.pixels, [2])
        else:
            pixels = transforms.resize(self.pixels, [image_size, image_size], antialias=True)
        return self._like(pixels)

    def first(self, limit):
        """Return the first ``limit`` pictures; a larger limit is an error."""
        check_limit(self, limit)
        return self._like(self.pixels[:limit])

    def batch(self, step, size, run):
        """Return the batch of a step; see :meth:`Data.batch`.

        The pictures are those of :meth:`rows`.

        Raises
        ------
        DataError
            If a batch is larger than the data.
        """
        index = self.rows(step, size, run)
        batch = {"real": self.images(index).to(run.device)}
        if self.labels is not None:
            batch["labels"] = self.labels[index].to(run.device)
        if self.attributes is not None:
            batch["attributes"] = self.attributes[index].to(run.device)
        return batch

    def rows(self, step, size, run, *key):
        """Return which pictures are in the batch of a step.

        The pictures of an epoch come in an order drawn from the seed and the epoch's number. What
        is left at its end, fewer than ``size``, is dropped, so that every batch is full.

        Parameters
        ----------
        step, size, run
            See :meth:`Data.batch`.
        *key : int
            Gives an order of its own, for data that are drawn beside others; at least 1.

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
            raise DataError(
                f"a batch of {size:,} was asked for, but {self.name} has {len(self):,} pictures. "
                f"Take more pictures; or, in Python, a Config with batch_size={len(self)} or less."
            )
        epoch, place = divmod(step, epoch_steps)
        return self._epoch_order(run, epoch, *key)[place * size : (place + 1) * size]

    def _epoch_order(self, run, *key):
        known = (run.seed, run.device, *key)
        if self._order[0] != known:  # kept for the epoch: drawing it anew at every step is waste
            generator = run.generator(BATCH_KEY, *key)
            order = torch.randperm(len(self), generator=generator, device=run.device)
            self._order = (known, order.to(self.device))
        return self._order[1]


class StoredImages(ImageData):
    """Pictures on a disk, read when they are first needed, at the size that is asked for by then.

    So a smaller set or another size costs nothing, and no picture is scaled twice.

    Parameters
    ----------
    read : callable
        ``read(count, image_size)`` returns the first ``count`` pictures, uint8
        (count, 3, image_size, image_size), or raises a DataError.
    count : int
        How many there are.
    image_size : int
        Their side in pixels.
    name : str
    labels, classes
        As for :class:`ImageData`.
    attributes, attribute_names
        See :class:`ImageData`.
    """

    def __init__(
        self,
        read,
        count,
        image_size,
        name,
        *,
        labels=None,
        classes=(),
        attributes=None,
        attribute_names=(),
    ):
        self._read, self._count, self._size = read, count, image_size
        self._device = torch.device("cpu")
        self.name = name
        self.labels, self.classes = labels, tuple(classes)
        self.attributes, self.attribute_names = attributes, tuple(attribute_names)
        self._order = (None, None)

    @cached_property
    def pixels(self):
        """The pictures, uint8 (N, 3, H, W)."""
        return self._read(self._count, self._size).to(self._device)

    def __len__(self):
        return self._count

    @property
    def shape(self):
        """The shape of one picture, (3, H, W)."""
        return (3, self._size, self._size)

    @property
    def device(self):
        """Where the pictures lie, or will lie."""
        return self._device

    def to(self, device):
        """Return the same data on a device, read: what is wrong comes out now."""
        other = self._with(_device=torch.device(device), pixels=self.pixels.to(device))
        for what in ("labels", "attributes"):
            if getattr(self, what) is not None:
                setattr(other, what, getattr(self, what).to(device))
        return other

    def resized(self, image_size):
        """Return the same pictures at another size, read here: what is wrong comes out now."""
        check_size(image_size)
        other = self if image_size == self._size else self._with(_size=image_size)
        _ = other.pixels
        return other

    def first(self, limit):
        """Return the first ``limit`` pictures; a larger limit is an error."""
        check_limit(self, limit)
        other = self._with(
            _count=limit,
            labels=None if self.labels is None else self.labels[:limit],
            attributes=None if self.attributes is None else self.attributes[:limit],
        )
        if "pixels" in self.__dict__:  # read already
            other.pixels = self.pixels[:limit]
        return other

    def _with(self, **changes):
        other = copy.copy(self)
        other.__dict__.pop("pixels", None)
        other.__dict__.update(changes, _order=(None, None))
        return other


def check_size(image_size):
    """Raise a DataError unless ``image_size`` is a whole number of pixels."""
    if isinstance(image_size, bool) or not isinstance(image_size, int) or image_size < 1:
        raise DataError(f"image_size is a whole number of pixels, not {image_size!r}")


def check_limit(data, limit):
    """Raise a DataError unless ``limit`` is a number of pictures that ``data`` has."""
    if isinstance(limit, bool) or not isinstance(limit, int) or not 0 < limit <= len(data):
        raise DataError(f"{data.name}: limit must be 1 to {len(data):,}, not {limit!r}")


def shipped(name):
    """Return where a file that comes with the course lies.

    Parameters
    ----------
    name : str
        Its path inside ``data/``, such as ``"digits.npz"``.

    Returns
    -------
    pathlib.Path
        In ``data/`` of a checkout, or inside the package where it was installed as a wheel.

    Raises
    ------
    DataError
        If it is not there.
    """
    package = Path(__file__).resolve().parents[1]
    installed = package / "_shipped" / "data"
    path = (installed if installed.is_dir() else package.parent / "data") / name
    if not path.exists():
        raise DataError(
            f"{name} should have come with the course, but is not at {path}. "
            "The installation is incomplete: install gancourse again, or restore the file with git."
        )
    return path
