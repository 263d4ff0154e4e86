"""Two sets of pictures, A and B, between which a generator learns to translate.

>>> data = load_sketch2face("100", "train")
>>> data
<sketch2face: 100 pairs (1, 64, 64) -> (3, 64, 64) on cpu>
>>> data.a.images(0).shape, data.b.images(0).shape
(torch.Size([1, 64, 64]), torch.Size([3, 64, 64]))

In a pair, both sides show the same: :class:`PairedImages`. Where nobody knows what belongs
together there are :class:`UnpairedImages`, which may still know it for measuring.
"""

import copy
from functools import cached_property

import torch
from torch.nn import functional as F

from gancourse.data.emoji import Emoji
from gancourse.data.source import BATCH_KEY, ImageData, check_limit
from gancourse.data.toons.dataset import SPLITS
from gancourse.data.toons.factors import sample
from gancourse.data.toons.portrait import Faces
from gancourse.errors import DataError, choose

# How pix2pix and CycleGAN vary their pictures of 256 pixels: scaled up by 30 pixels, cropped, and
# half of them mirrored (arXiv:1611.07004, section 6.2).
JITTER = 30
FULL = 256

# The last word of a key: what is drawn beside the order of A, which has none.
ORDER_B, VARY_A, VARY_B = 1, 2, 3


class _TwoSides:
    """What pairs and unpaired pictures share."""

    num_classes = 0
    classes = ()

    def __init__(self, a, b, name, *, jitter=0, mirror=False):
        if a.shape[1:] != b.shape[1:]:
            raise DataError(
                f"{name}: the pictures of A are {a.shape[2]}x{a.shape[1]} pixels (width x height) "
                f"and those of B {b.shape[2]}x{b.shape[1]}. Bring both to one size, as with "
                "resized(64)."
            )
        if isinstance(jitter, bool) or not isinstance(jitter, int) or jitter < 0:
            raise DataError(f"jitter is a whole number of pixels of 256, not {jitter!r}")
        self.a, self.b, self.name = a, b, name
        self.jitter, self.mirror = jitter, mirror

    def __repr__(self):
        varied = [f"jitter {self.jitter}"] * (self.jitter > 0) + ["mirrored"] * self.mirror
        return (
            f"<{self.name}: {self._counted()} {tuple(self.a.shape)} -> {self.shape}"
            f"{''.join(f', {how}' for how in varied)} on {self.device}>"
        )

    @property
    def shape(self):
        """The shape of one picture of B, (C, H, W): what a generator shall draw."""
        return tuple(self.b.shape)

    @property
    def device(self):
        """Where the pictures lie."""
        return self.b.device

    def to(self, device):
        """Return the same data on another device."""
        return self._each(lambda side: side.to(device))

    def resized(self, image_size):
        """Return the data with pictures of ``image_size`` by ``image_size`` pixels."""
        return self._each(lambda side: side.resized(image_size))

    def swapped(self):
        """Return the same data the other way round: A becomes B, and B becomes A."""
        other = copy.copy(self)
        other.a, other.b = self.b, self.a
        return other

    def augmented(self, *, jitter=JITTER, mirror=True):
        """Return the same data, varied in another way.

        Parameters
        ----------
        jitter : int
            By how many pixels a picture of 256 is scaled up before a random square of the old
            size is cut out of it; at other sizes the same share of the side. 0: not at all.
        mirror : bool
            Whether half of the pictures are mirrored left to right.
        """
        other = copy.copy(self)
        other.jitter, other.mirror = jitter, mirror
        return other

    def _each(self, change):
        other = copy.copy(self)
        other.a, other.b = change(self.a), change(self.b)
        return other

    def _variation(self, step, size, run, key):
        """Return a function that varies a batch of pictures, always in the same way."""
        height, width = self.shape[1:]
        grow = round(self.jitter * height / FULL), round(self.jitter * width / FULL)
        if not (any(grow) or self.mirror):
            return lambda images: images
        generator = run.generator(BATCH_KEY, step, key)
        top, left, side = (
            torch.randint(count, (size,), generator=generator, device=run.device)
            for count in (grow[0] + 1, grow[1] + 1, 2)
        )
        rows = torch.arange(size, device=run.device)

        def vary(images):
            if any(grow):
                larger = [height + grow[0], width + grow[1]]
                images = F.interpolate(images, larger, mode="bilinear", align_corners=False)
                crops = images.unfold(2, height, 1).unfold(3, width, 1)  # all of them, as a view
                images = crops[rows, :, top, left]  # (N, C, H, W)
            if self.mirror:
                images = torch.where(side.view(-1, 1, 1, 1) == 1, images.flip(3), images)
            return images

        return vary


class PairedImages(_TwoSides):
    """Pictures of A and B that belong together: row i of one to row i of the other.

    Parameters
    ----------
    a, b : ImageData
        As many pictures in both, of one height and width; the channels may differ.
    name : str
    jitter : int
        How far crops vary, in pixels of a picture of 256; see :meth:`augmented`. The papers take
        30. Both sides of a pair are cut alike.
    mirror : bool
        Whether half of the pairs are mirrored.

    Attributes
    ----------
    a, b : ImageData
    name : str
    paired : bool
        True.

    Raises
    ------
    DataError
        If the counts or the sizes of the sides differ.
    """

    paired = True

    def __init__(self, a, b, name, *, jitter=0, mirror=False):
        super().__init__(a, b, name, jitter=jitter, mirror=mirror)
        if len(a) != len(b):
            raise DataError(
                f"{name}: {len(a):,} pictures of A and {len(b):,} of B are not pairs. Remove what "
                "has no partner, or load them as unpaired."
            )

    def __len__(self):
        return len(self.a)

    def _counted(self):
        return f"{len(self):,} pairs"

    def first(self, limit):
        """Return the first ``limit`` pairs; a larger limit is an error."""
        check_limit(self, limit)
        return self._each(lambda side: side.first(limit))

    def batch(self, step, size, run):
        """Return the batch of a step; see :meth:`gancourse.data.source.Data.batch`.

        Returns
        -------
        dict of str to torch.Tensor
            ``"real_A"`` and ``"real_B"``, float32 (N, C, H, W) in [-1, 1]: row i of one belongs to
            row i of the other.
        """
        rows = self.a.rows(step, size, run)
        vary = self._variation(step, size, run, VARY_A)
        return {
            "real_A": vary(self.a.images(rows).to(run.device)),
            "real_B": vary(self.b.images(rows.to(self.b.device)).to(run.device)),
        }


class UnpairedImages(_TwoSides):
    """Pictures of A and of B, of which nobody says what belongs together.

    Each side has an order and epochs of its own.

    Parameters
    ----------
    a, b : ImageData
        Of one height and width; the counts and the channels may differ.
    name : str
    hidden : PairedImages, optional
        What belongs together after all: for measuring, never for training.
    jitter, mirror
        See :class:`PairedImages`; each side is varied for itself.

    Attributes
    ----------
    a, b : ImageData
    name : str
    hidden : PairedImages or None
    paired : bool
        False.

    Raises
    ------
    DataError
        If the sizes of the sides differ.
    """

    paired = False

    def __init__(self, a, b, name, *, hidden=None, jitter=0, mirror=False):
        super().__init__(a, b, name, jitter=jitter, mirror=mirror)
        self.hidden = hidden

    def __len__(self):
        return max(len(self.a), len(self.b))

    def _counted(self):
        return f"{len(self.a):,} and {len(self.b):,} unpaired pictures"

    def first(self, limit):
        """Return the first ``limit`` of each side, or all of the one that has fewer."""
        check_limit(self, limit)
        return self._each(lambda side: side.first(min(limit, len(side))))

    def swapped(self):
        """Return the same data the other way round, the hidden pairs too."""
        other = super().swapped()
        other.hidden = None if self.hidden is None else self.hidden.swapped()
        return other

    def _each(self, change):
        other = super()._each(change)
        other.hidden = None if self.hidden is None else change(self.hidden)
        return other

    def batch(self, step, size, run):
        """Return the batch of a step; see :meth:`gancourse.data.source.Data.batch`.

        Returns
        -------
        dict of str to torch.Tensor
            ``"real_A"`` and ``"real_B"``, float32 (N, C, H, W) in [-1, 1]; that two share a row
            means nothing.
        """
        return {
            name: self._variation(step, size, run, vary)(
                side.images(side.rows(step, size, run, *order)).to(run.device)
            )
            for name, side, order, vary in (
                ("real_A", self.a, (), VARY_A),
                ("real_B", self.b, (ORDER_B,), VARY_B),
            )
        }


class DrawnImages(ImageData):
    """What our own renderer draws, in one medium; nothing is drawn before it is needed.

    Parameters
    ----------
    drawing : gancourse.data.toons.Faces or Scenes
        Anything with ``factors``, ``size`` and ``to``, made from the first two.
    show : callable
        ``show(drawing)`` returns its pictures, uint8 (N, channels, H, W).
    channels : int
    name : str

    Attributes
    ----------
    drawing
        Also knows the factors, maps and captions of the same pictures, in the same order.
    """

    labels = None
    classes = ()

    def __init__(self, drawing, show, channels, name):
        self.drawing, self.show, self.channels, self.name = drawing, show, channels, name
        self._order = (None, None)

    @cached_property
    def pixels(self):
        """The pictures, uint8 (N, C, H, W)."""
        return self.show(self.drawing)

    def __len__(self):
        return len(self.drawing)

    @property
    def shape(self):
        """The shape of one picture, (C, H, W)."""
        return (self.channels, self.drawing.size, self.drawing.size)

    @property
    def device(self):
        """Where the pictures lie, or will be drawn."""
        return self.drawing.factors.codes.device

    def to(self, device):
        """Return the same pictures on another device."""
        other = self._of(self.drawing.to(device))
        if "pixels" in vars(self):
            other.pixels = self.pixels.to(device)
        return other

    def resized(self, image_size):
        """Return the same things drawn at another size, 32 to 256 pixels."""
        if image_size == self.drawing.size:
            return self
        return self._of(type(self.drawing)(self.drawing.factors, image_size))

    def first(self, limit):
        """Return the first ``limit`` pictures; a larger limit is an error."""
        check_limit(self, limit)
        return self._of(type(self.drawing)(self.drawing.factors[:limit], self.drawing.size))

    def _of(self, drawing):
        return DrawnImages(drawing, self.show, self.channels, self.name)


def colours(drawing):
    """Return the pictures of a drawing in colour, uint8 (N, 3, H, W)."""
    return drawing.images


def lines(drawing):
    """Return a drawing's sketches, uint8 (N, 1, H, W): 0 is a line and 255 is paper."""
    return drawing.sketch


def how_many(option, name, split, splits):
    """Return the count and the seed of a split, or the count that follows the colon.

    Raises
    ------
    DataError
        If what follows is no number above 0.
    """
    n, seed = splits[choose("split", split, splits)]
    if option:
        if not (option.isascii() and option.isdigit() and int(option)):
            raise DataError(f"after the colon comes a number, as in {name}:500, not {option!r}")
        n = int(option)
    return n, seed


def load_sketch2face(option="", split="train"):
    """Return pairs of a line drawing and the toon face that was drawn over it.

    10,000 pairs for training and 2,000 for testing, or as many as ``option`` says: the faces of
    the data set "toons".
    """
    n, seed = how_many(option, "sketch2face", split, SPLITS)
    faces = Faces(sample(n, seed))
    return PairedImages(
        DrawnImages(faces, lines, 1, "toons sketches"),
        DrawnImages(faces, colours, 3, "toons"),
        "sketch2face",
    )


def load_noto2fluent(split="train"):
    """Return pairs of the same emoji by Noto and by Fluent: 1,413 for training, 157 for testing."""
    return PairedImages(*Emoji(split).pairs("noto", "fluent"), "noto2fluent")


def load_studios(split="train"):
    """Return emoji by Noto (A) and by Fluent (B), unpaired.

    For training, no emoji is in both. For testing, all 157 are, and ``hidden`` has the pairs.
    """
    emoji = Emoji(choose("split", split, SPLITS))
    if split == "train":
        return UnpairedImages(*emoji.unpaired("noto", "fluent"), "studios")
    a, b = emoji.pairs("noto", "fluent")
    return UnpairedImages(a, b, "studios", hidden=PairedImages(a, b, "studios"))
