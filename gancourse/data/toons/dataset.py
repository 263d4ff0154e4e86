"""Toons as a data set to train on."""

from functools import cached_property

from gancourse.data.source import ImageData
from gancourse.data.toons.factors import ATTRIBUTES, FACTORS, sample
from gancourse.data.toons.portrait import Faces
from gancourse.errors import DataError, choose

# How many faces a split has if nothing is said, and the seed that they are drawn from.
SPLITS = {"train": (10_000, 0), "test": (2_000, 1)}


class ToonData(ImageData):
    """Drawn faces, with the expression as label and attributes in the manner of CelebA.

    Nothing is drawn before it is needed, so that a smaller set or another size costs nothing.

    Parameters
    ----------
    faces : Faces

    Attributes
    ----------
    faces : Faces
        With the factors, maps, boxes and captions of the same faces in the same order.
    attributes : float32 torch.Tensor, (N, number of attributes)
        1 where a face has it, 0 where not.
    attribute_names : tuple of str
    """

    attribute_names = tuple(ATTRIBUTES)

    def __init__(self, faces):
        self.faces = faces
        self.name = "toons"
        self.classes = FACTORS["expression"]
        self.labels = faces.factors.expression
        self.attributes = faces.attributes.float()
        self._order = (None, None)

    @cached_property
    def pixels(self):
        """The pictures, uint8 (N, 3, H, W)."""
        return self.faces.images

    def __len__(self):
        return len(self.faces)

    @property
    def shape(self):
        """The shape of one picture, (3, H, W)."""
        return (3, self.faces.size, self.faces.size)

    @property
    def device(self):
        """Where the pictures lie, or will be drawn."""
        return self.labels.device

    def to(self, device):
        """Return the same data on another device."""
        return ToonData(self.faces.to(device))

    def resized(self, image_size):
        """Return the same faces drawn at another size, 32 to 256 pixels."""
        return ToonData(Faces(self.faces.factors, image_size))

    def first(self, limit):
        """Return the first ``limit`` faces; a larger limit is an error."""
        if isinstance(limit, bool) or not isinstance(limit, int) or not 0 < limit <= len(self):
            raise DataError(
                f"{self.name}: limit must be 1 to {len(self):,}, not {limit!r}; "
                "toons:20000 has 20,000 faces"
            )
        return ToonData(Faces(self.faces.factors[:limit], self.faces.size))


def load(option="", split="train"):
    """Return 10,000 faces for training or 2,000 for testing, or as many as ``option`` says."""
    n, seed = SPLITS[choose("split", split, SPLITS)]
    if option:
        if not (option.isascii() and option.isdigit() and int(option)):
            raise DataError(f"after the colon comes a number of faces: toons:20000, not {option!r}")
        n = int(option)
    return ToonData(Faces(sample(n, seed)))
