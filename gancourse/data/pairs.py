"""Two sets of pictures, A and B, between which a generator learns to translate.

>>> from gancourse.data import load
>>> data = load("sketch2face:100")
>>> data
<sketch2face: 100 pairs (1, 64, 64) -> (3, 64, 64) on cpu>
>>> data.a.images(0).shape, data.b.images(0).shape
(torch.Size([1, 64, 64]), torch.Size([3, 64, 64]))

In a pair, both sides show the same: :class:`PairedImages`. Where nobody knows what belongs
together there are :class:`UnpairedImages`, which may still know it for measuring.
"""

import copy

import torch
from torch.nn import functional as F

from gancourse.data.source import BATCH_KEY, check_limit
from gancourse.errors import DataError

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
        self.a, self.b, self.name = a, b, name
        self._vary(jitter, mirror)

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
        other._vary(jitter, mirror)
        return other

    def _vary(self, jitter, mirror):
        if isinstance(jitter, bool) or not isinstance(jitter, int) or jitter < 0:
            raise DataError(f"jitter is a whole number of pixels of 256, not {jitter!r}")
        self.jitter, self.mirror = jitter, mirror

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

    def unpaired(self):
        """Return the same pictures as unpaired ones, with these pairs hidden."""
        return UnpairedImages(
            self.a, self.b, self.name, hidden=self, jitter=self.jitter, mirror=self.mirror
        )

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
