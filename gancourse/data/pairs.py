"""Two sets of pictures, A and B, between which a generator learns to translate.

>>> from gancourse.data import load
>>> data = load("sketch2face:100")
>>> data
<sketch2face: 100 pairs (1, 64, 64) -> (3, 64, 64) on cpu>
>>> data.a.images(0).shape, data.b.images(0).shape
(torch.Size([1, 64, 64]), torch.Size([3, 64, 64]))

In a pair, both sides show the same: :class:`PairedImages`, whose batches hold "input" and
"target". Where nobody knows what belongs together there are :class:`UnpairedImages`, with "real_A"
and "real_B", which may still know it for measuring.
"""

import copy

import torch
from torch.nn import functional as F

from gancourse.data.source import BATCH_KEY, check_limit, lacks
from gancourse.errors import DataError

# How pix2pix and CycleGAN vary their pictures of 256 pixels: scaled up by 30 pixels, cropped, and
# half of them mirrored (arXiv:1611.07004, section 6.2).
JITTER = 30
FULL = 256

# The last word of a key: what is drawn beside the order of A, which has none.
ORDER_B, VARY_A, VARY_B = 1, 2, 3


class _TwoSides:
    """What pairs and unpaired pictures share."""

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
        """The shape of one picture of B, (C, H, W): what a generator shall draw."""
        return tuple(self.b.shape)

    @property
    def device(self):
        """Where the pictures lie."""
        return self.b.device

    def to(self, device):
        """Return the same data on another device."""
        return self._each(lambda side: side.to(device))

    def _sizes_fit(self):
        return self.a.shape[1:] == self.b.shape[1:]

    def swapped(self):
        """Return the same data the other way round: A becomes B, and B becomes A."""
        other = copy.copy(self)
        other._set_sides(self.b, self.a)
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
        if jitter and self.a.shape[1:] != self.b.shape[1:]:
            raise DataError(
                f"{self.name}: jitter cuts two pictures alike only if both have one size"
            )
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
        As many pictures in both. The sides of B's are a whole multiple of those of A's, mostly
        one; the channels may differ.
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

    Raises
    ------
    DataError
        If the counts or the sizes of the sides differ.
    """

    def __init__(self, a, b, name, *, jitter=0, mirror=False):
        super().__init__(a, b, name, jitter=jitter, mirror=mirror)
        if len(a) != len(b):
            raise DataError(
                f"{name}: {len(a):,} pictures of A and {len(b):,} of B are not pairs. Remove what "
                "has no partner, or load them as unpaired."
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

        Besides "input" and "target" there is what is known of the targets. "real_A" and "real_B"
        are the same pictures :meth:`unpaired`.
        """
        if set(names) == {"real_A", "real_B"}:
            return self.unpaired()
        for name in names:
            if name not in self._columns:
                raise lacks(self.name, name, self._columns)
        other = copy.copy(self)
        other._taken = names
        return other

    def resized(self, image_size):
        """Return the data with targets of ``image_size`` by ``image_size`` pixels.

        Inputs that are a fraction of their size stay that fraction.
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
        """Return the same pictures as unpaired ones, with these pairs hidden."""
        return UnpairedImages(
            self.a, self.b, self.name, hidden=self, jitter=self.jitter, mirror=self.mirror
        )

    def batch(self, step, size, run):
        """Return the batch of a step; see :meth:`gancourse.data.source.Data.batch`.

        Returns
        -------
        dict of str to torch.Tensor
            ``"input"`` and ``"target"``, float32 (N, C, H, W) in [-1, 1]: row i of one belongs to
            row i of the other; and what else was taken.
        """
        return self.at(self.a.rows(step, size, run), run, self._variation(step, size, run, VARY_A))

    def preview(self, n, run):
        """Return the first pairs as they are; see :meth:`gancourse.data.source.Data.preview`."""
        return self.at(slice(0, n), run), True

    def at(self, rows, run, vary=lambda images: images):
        """Return the batch that consists of these rows, on the run's device."""
        batch = {name: self._columns[name].rows(rows).to(run.device) for name in self._taken}
        sides = {"input", "target"}
        return {name: vary(value) if name in sides else value for name, value in batch.items()}


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

    Raises
    ------
    DataError
        If the sizes of the sides differ.
    """

    def __init__(self, a, b, name, *, hidden=None, jitter=0, mirror=False):
        super().__init__(a, b, name, jitter=jitter, mirror=mirror)
        self.hidden = hidden

    @property
    def fields(self):
        """What a batch holds, by name."""
        return {"real_A": self.a.fields["real"], "real_B": self.b.fields["real"]}

    def take(self, *names, like=None):
        """Return the same data: a batch holds "real_A" and "real_B", and nothing else."""
        for name in names:
            if name not in self.fields:
                raise lacks(self.name, name, self.fields)
        return self

    def resized(self, image_size):
        """Return the data with pictures of ``image_size`` by ``image_size`` pixels."""
        return self._each(lambda side: side.resized(image_size))

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

    def preview(self, n, run):
        """Return the first pictures; of hidden pairs, if there are any, so that they match."""
        both = self if self.hidden is None else self.hidden
        sides = {"real_A": both.a, "real_B": both.b}
        n = min(n, len(both.a), len(both.b))
        batch = {name: side.images(slice(0, n)).to(run.device) for name, side in sides.items()}
        return batch, self.hidden is not None

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
