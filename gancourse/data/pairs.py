"""Two sets of pictures, A and B, for generators that translate between them.

>>> from gancourse.data import load
>>> data = load("sketch2face:100")
>>> data
<sketch2face: 100 pairs (1, 64, 64) -> (3, 64, 64) on cpu>
>>> data.a.images(0).shape, data.b.images(0).shape
(torch.Size([1, 64, 64]), torch.Size([3, 64, 64]))

Batches of :class:`PairedImages` hold "input" and "target", of which row i belongs to row i. Those
of :class:`UnpairedImages` hold "real_A" and "real_B", which do not belong together; pairs may be
hidden in such data, for measuring.
"""

import copy

import torch
from torch.nn import functional as F

from gancourse.data.source import BATCH_KEY, check_limit, lacks
from gancourse.errors import DataError
from gancourse.fields import Boxes, Map, Masks, Pictures

# The data augmentation of pix2pix and CycleGAN: pictures of 256 pixels are scaled up by 30 pixels
# and cropped, and half of them are mirrored (arXiv:1611.07004, section 6.2).
JITTER = 30
FULL = 256

# The last number of the keys that random numbers are drawn with; the order of A has none.
ORDER_B, VARY_A, VARY_B = 1, 2, 3


class _TwoSides:
    """What paired and unpaired pictures have in common."""

    def __init__(self, a, b, name, *, jitter=0, mirror=False):
        self.name = name
        self._set_sides(a, b)
        self._vary(jitter, mirror)

    def _set_sides(self, a, b):
        self.a, self.b = a, b
        if not self._sizes_fit():
            raise DataError(
                f"{self.name}: A has pictures of {a.shape[2]}x{a.shape[1]} pixels (width x height) "
                f"and B of {b.shape[2]}x{b.shape[1]}. Bring both to one size, as with resized(64)."
            )

    def __repr__(self):
        varied = [f"jitter {self.jitter}"] * (self.jitter > 0) + ["mirrored"] * self.mirror
        return (
            f"<{self.name}: {self._counted()} {tuple(self.a.shape)} -> {self.shape}"
            f"{''.join(f', {how}' for how in varied)} on {self.device}>"
        )

    @property
    def shape(self):
        """The shape of one picture of B, (C, H, W)."""
        return tuple(self.b.shape)

    @property
    def device(self):
        """The device of the pictures."""
        return self.b.device

    def to(self, device):
        """Return the same data on another device."""
        return self._each(lambda side: side.to(device))

    @property
    def nbytes(self):
        """How many bytes both sides take, as they are stored."""
        return self.a.nbytes + self.b.nbytes

    def fingerprint(self):
        """Return how many rows A and B have, how they vary, and a text for each field."""
        found = {"A": len(self.a), "B": len(self.b), "jitter": self.jitter, "mirror": self.mirror}
        return found | {name: self._columns[name].fingerprint for name in self._taken}

    def _sizes_fit(self):
        return self.a.shape[1:] == self.b.shape[1:]

    def take(self, *names, like=None):
        """Return the same data with batches of exactly these fields; see :class:`Data`."""
        for name in names:
            if name not in self._columns:
                raise lacks(self.name, name, self._columns)
        other = copy.copy(self)
        other._taken = names
        other._refuse_misaligned()
        return other

    def _refuse_misaligned(self):
        """Refuse to vary pictures beside maps, boxes or masks, which would not follow."""
        varied = ("input", "target", "real_A", "real_B")
        bound = (Boxes, Map, Masks, Pictures)
        left = [n for n, f in self.fields.items() if n not in varied and isinstance(f, bound)]
        if left and (self.jitter or self.mirror):
            raise DataError(
                f"{self.name}: {', '.join(left)} cannot follow pictures that are cropped or "
                "mirrored. Take augmented(jitter=0, mirror=False)."
            )

    def swapped(self):
        """Return the same data with A and B exchanged."""
        other = copy.copy(self)
        other._set_sides(self.b, self.a)
        return other

    def augmented(self, *, jitter=JITTER, mirror=True):
        """Return the same data with another augmentation.

        Parameters
        ----------
        jitter : int
            A picture of 256 pixels is scaled up by this many pixels and cropped at random to its
            former size; other sizes are scaled in proportion. 0 means no crops.
        mirror : bool
            Whether half of the pictures are mirrored left to right.
        """
        other = copy.copy(self)
        other._vary(jitter, mirror)
        other._refuse_misaligned()
        return other

    def _vary(self, jitter, mirror):
        if isinstance(jitter, bool) or not isinstance(jitter, int) or jitter < 0:
            raise DataError(f"jitter must be a whole number of pixels, 0 or more, not {jitter!r}")
        if jitter and self.a.shape[1:] != self.b.shape[1:]:
            raise DataError(
                f"{self.name}: jitter needs A and B of one size. Leave it at 0, or bring both to "
                "one size."
            )
        self.jitter, self.mirror = jitter, mirror

    def _each(self, change):
        other = copy.copy(self)
        other.a, other.b = change(self.a), change(self.b)
        return other

    def _variation(self, step, size, run, key):
        """Return a function that augments a batch of pictures, in the same way at each call."""
        height, width = self.shape[1:]
        grow = round(self.jitter * height / FULL), round(self.jitter * width / FULL)
        if not (any(grow) or self.mirror):
            return lambda images: images
        generator = run.generator(BATCH_KEY, step, key)
        top, left, side = (
            run.share(torch.randint(count, (size,), generator=generator, device=run.device))
            for count in (grow[0] + 1, grow[1] + 1, 2)
        )
        rows = torch.arange(len(side), device=run.device)

        def vary(images):
            if any(grow):
                larger = [height + grow[0], width + grow[1]]
                images = F.interpolate(images, larger, mode="bilinear", align_corners=False)
                crops = images.unfold(2, height, 1).unfold(3, width, 1)  # every crop, as a view
                images = crops[rows, :, top, left]  # (N, C, H, W)
            if self.mirror:
                images = torch.where(side.view(-1, 1, 1, 1) == 1, images.flip(3), images)
            return images

        return vary


class PairedImages(_TwoSides):
    """Pairs of pictures: row i of A and row i of B belong together.

    Parameters
    ----------
    a, b : ImageData
        As many pictures in both. Those of B are k times as high and as wide as those of A, for a
        whole k, usually 1. The channels may differ.
    name : str
    jitter : int
        How far crops vary; see :meth:`augmented`. The papers use 30. Both pictures of a pair are
        cropped alike.
    mirror : bool
        Whether half of the pairs are mirrored.

    Attributes
    ----------
    a, b : ImageData
    name : str

    Raises
    ------
    DataError
        If the counts or the sizes of the sides differ.
    """

    def __init__(self, a, b, name, *, jitter=0, mirror=False):
        super().__init__(a, b, name, jitter=jitter, mirror=mirror)
        if len(a) != len(b):
            raise DataError(
                f"{name}: {len(a):,} pictures of A and {len(b):,} of B are not pairs. Remove those "
                "without a partner, or load them as unpaired."
            )
        self._taken = ("input", "target")

    def _sizes_fit(self):
        small, large = self.a.shape[1:], self.b.shape[1:]
        return any([n * k for n in small] == [*large] for k in range(1, large[0] + 1))

    @property
    def _columns(self):
        both = {"input": self.a.columns["real"], "target": self.b.columns["real"]}
        return {n: c for n, c in self.b.columns.items() if n != "real"} | both

    @property
    def fields(self):
        """What a batch holds, by name."""
        return {name: self._columns[name].field for name in self._taken}

    def take(self, *names, like=None):
        """Return the same pairs with batches of exactly these fields.

        Besides "input" and "target", every field of the targets can be taken. "real_A" and
        "real_B" are the same pictures :meth:`unpaired`.
        """
        if set(names) == {"real_A", "real_B"}:
            return self.unpaired()
        return super().take(*names)

    def resized(self, image_size):
        """Return the data with targets of ``image_size`` by ``image_size`` pixels.

        The ratio of the sizes of inputs and targets does not change.
        """
        ratio = self.b.shape[1] // self.a.shape[1]
        other = copy.copy(self)
        other.a, other.b = self.a.resized(image_size // ratio), self.b.resized(image_size)
        return other

    def __len__(self):
        return len(self.a)

    def _counted(self):
        return f"{len(self):,} pairs"

    def first(self, limit):
        """Return the first ``limit`` pairs; a larger limit is an error."""
        check_limit(self, limit)
        return self._each(lambda side: side.first(limit))

    def unpaired(self):
        """Return the same pictures as unpaired ones; the pairs become ``hidden``."""
        return UnpairedImages(
            self.a, self.b, self.name, hidden=self, jitter=self.jitter, mirror=self.mirror
        )

    def batch(self, step, size, run):
        """Return the batch of a step; see :meth:`gancourse.data.source.Data.batch`.

        Returns
        -------
        dict of str to torch.Tensor
            ``"input"`` and ``"target"``, float32 (N, C, H, W) in [-1, 1]: row i of one belongs to
            row i of the other. Other fields that were taken are not augmented.
        """
        rows = run.share(self.a.rows(step, size, run))
        return self.at(rows, run, self._variation(step, size, run, VARY_A))

    def preview(self, n, run):
        """Return the first pairs, not augmented; see :meth:`gancourse.data.source.Data.preview`."""
        return self.at(slice(0, n), run), True

    def at(self, rows, run, vary=lambda images: images):
        """Return the batch that consists of these rows, on the run's device."""
        batch = {name: self._columns[name].rows(rows, run.device) for name in self._taken}
        sides = {"input", "target"}
        return {name: vary(value) if name in sides else value for name, value in batch.items()}


class UnpairedImages(_TwoSides):
    """Pictures of A and of B that do not belong together.

    Each side has an order and epochs of its own.

    Parameters
    ----------
    a, b : ImageData
        Of the same height and width; the counts and the channels may differ.
    name : str
    hidden : PairedImages, optional
        Pairs for measuring; batches never hold them.
    jitter, mirror
        See :class:`PairedImages`; each side is augmented independently.

    Attributes
    ----------
    a, b : ImageData
    name : str
    hidden : PairedImages or None

    Raises
    ------
    DataError
        If the sizes of the sides differ.
    """

    def __init__(self, a, b, name, *, hidden=None, jitter=0, mirror=False):
        super().__init__(a, b, name, jitter=jitter, mirror=mirror)
        self.hidden, self._taken = hidden, ("real_A", "real_B")

    @property
    def fields(self):
        """What a batch holds, by name."""
        return {name: self._columns[name].field for name in self._taken}

    @property
    def _columns(self):
        """Every column of A and of B; that of "real" is "real_A" or "real_B"."""
        sides = {"A": self.a, "B": self.b}
        return {
            f"{name}_{letter}": column
            for letter, side in sides.items()
            for name, column in side.columns.items()
        }

    def resized(self, image_size):
        """Return the data with pictures of ``image_size`` by ``image_size`` pixels."""
        return self._each(lambda side: side.resized(image_size))

    def __len__(self):
        return max(len(self.a), len(self.b))

    def _counted(self):
        return f"{len(self.a):,} and {len(self.b):,} unpaired pictures"

    def first(self, limit):
        """Return the first ``limit`` pictures of each side, or all of a side that has fewer."""
        check_limit(self, limit)
        return self._each(lambda side: side.first(min(limit, len(side))))

    def swapped(self):
        """Return the same data, and the hidden pairs, with A and B exchanged."""
        other = super().swapped()
        other.hidden = None if self.hidden is None else self.hidden.swapped()
        return other

    def _each(self, change):
        other = super()._each(change)
        other.hidden = None if self.hidden is None else change(self.hidden)
        return other

    def preview(self, n, run):
        """Return the first hidden pairs, or the first pictures of A and B if there are none."""
        both = self if self.hidden is None else self.hidden
        n, columns = min(n, len(both.a), len(both.b)), self._over(both)._columns
        batch = {name: columns[name].rows(slice(0, n), run.device) for name in self._taken}
        return batch, self.hidden is not None

    def _over(self, both):
        other = copy.copy(self)
        other.a, other.b = both.a, both.b
        return other

    def batch(self, step, size, run):
        """Return the batch of a step; see :meth:`gancourse.data.source.Data.batch`.

        Returns
        -------
        dict of str to torch.Tensor
            ``"real_A"`` and ``"real_B"``, float32 (N, C, H, W) in [-1, 1], whose rows do not belong
            together; and what else was taken: "masks_A" belongs to "real_A".
        """
        rows = {
            "A": run.share(self.a.rows(step, size, run)),
            "B": run.share(self.b.rows(step, size, run, ORDER_B)),
        }
        vary = {
            "real_A": self._variation(step, size, run, VARY_A),
            "real_B": self._variation(step, size, run, VARY_B),
        }
        batch = {n: self._columns[n].rows(rows[n[-1]], run.device) for n in self._taken}
        return {n: vary[n](value) if n in vary else value for n, value in batch.items()}
