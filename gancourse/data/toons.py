"""Toons as a data set to train on."""

from functools import cached_property

from gancourse.data.source import ImageData
from gancourse.errors import DataError, choose
from gancourse.toons.factors import ATTRIBUTES, sample
from gancourse.toons.landscape import Scenes
from gancourse.toons.portrait import Faces
from gancourse.toons.scene_factors import SCENE_ATTRIBUTES, SceneFactors

# How many pictures a split has if nothing is said, and the seed that they are drawn from.
SPLITS = {"train": (10_000, 0), "test": (2_000, 1)}


class _Drawn(ImageData):
    """What drawn faces and drawn scenes share as data: nothing is drawn before it is needed."""

    kind = label = ""  # of what is drawn, and the factor that is its label

    def __init__(self, drawn):
        self._drawn = drawn
        self.classes = drawn.factors.columns[self.label]
        self.labels = getattr(drawn.factors, self.label)
        self.attributes = drawn.attributes.float()
        self._order = (None, None)

    @cached_property
    def pixels(self):
        """The pictures, uint8 (N, 3, H, W)."""
        return self._drawn.images

    def __len__(self):
        return len(self._drawn)

    @property
    def shape(self):
        """The shape of one picture, (3, H, W)."""
        return (3, self._drawn.size, self._drawn.size)

    @property
    def device(self):
        """Where the pictures lie, or will be drawn."""
        return self.labels.device

    def to(self, device):
        """Return the same data on another device."""
        return type(self)(self._drawn.to(device))

    def resized(self, image_size):
        """Return the same things drawn at another size, 32 to 256 pixels."""
        return type(self)(type(self._drawn)(self._drawn.factors, image_size))

    def first(self, limit):
        """Return the first ``limit`` pictures; a larger limit is an error."""
        if isinstance(limit, bool) or not isinstance(limit, int) or not 0 < limit <= len(self):
            raise DataError(
                f"{self.name}: limit must be 1 to {len(self):,}, not {limit!r}; "
                f"{self.name}:20000 has 20,000 {self.kind}"
            )
        return type(self)(type(self._drawn)(self._drawn.factors[:limit], self._drawn.size))


class ToonData(_Drawn):
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

    name, kind, label = "toons", "faces", "expression"
    attribute_names = tuple(ATTRIBUTES)

    @property
    def faces(self):
        """The faces that are drawn."""
        return self._drawn


class SceneData(_Drawn):
    """Drawn scenes, with the season as label.

    Parameters
    ----------
    scenes : Scenes

    Attributes
    ----------
    scenes : Scenes
        With the factors, maps, boxes and captions of the same scenes in the same order.
    attributes : float32 torch.Tensor, (N, number of attributes)
        1 where a scene has it, 0 where not.
    attribute_names : tuple of str
    """

    name, kind, label = "scenes", "scenes", "season"
    attribute_names = tuple(SCENE_ATTRIBUTES)

    @property
    def scenes(self):
        """The scenes that are drawn."""
        return self._drawn


def load(option="", split="train"):
    """Return 10,000 faces for training or 2,000 for testing, or as many as ``option`` says."""
    return ToonData(Faces(sample(*_how_many(ToonData, option, split))))


def load_scenes(option="", split="train"):
    """Return 10,000 scenes for training or 2,000 for testing, or as many as ``option`` says."""
    return SceneData(Scenes(SceneFactors.sample(*_how_many(SceneData, option, split))))


def _how_many(data, option, split):
    n, seed = SPLITS[choose("split", split, SPLITS)]
    if option:
        if not (option.isascii() and option.isdigit() and int(option)):
            raise DataError(
                f"after the colon comes a number of {data.kind}: {data.name}:20000, not {option!r}"
            )
        n = int(option)
    return n, seed
