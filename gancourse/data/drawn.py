"""What our own renderer draws, as data to translate: sketches, maps, seasons, day and night.

>>> data = load_sketch2face("100")
>>> data.b.drawing.captions[0].split()[0]
'A'
"""

from functools import cached_property

from gancourse.data.pairs import PairedImages, UnpairedImages
from gancourse.data.source import ImageData, check_limit
from gancourse.data.toons import SPLITS
from gancourse.errors import DataError, choose
from gancourse.toons.factors import sample
from gancourse.toons.landscape import Scenes, palette_image
from gancourse.toons.portrait import Faces
from gancourse.toons.scene_factors import SceneFactors

OTHER_SEED = 2  # of the scenes of B, in training: SPLITS has 0 and 1


class DrawnImages(ImageData):
    """What our own renderer draws, in one medium; nothing is drawn before it is needed.

    Parameters
    ----------
    drawing : gancourse.toons.Faces or Scenes
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


def maps(drawing):
    """Return the semantic maps of scenes in colours, uint8 (N, 3, H, W): see SCENE_PALETTE."""
    return palette_image(drawing.semantic)


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


def load_map2scene(option="", split="train"):
    """Return pairs of a semantic map, in the colours of SCENE_PALETTE, and the scene itself.

    10,000 pairs for training and 2,000 for testing, or as many as ``option`` says: the scenes of
    the data set "scenes". A map says neither the season nor the time of day.
    """
    n, seed = how_many(option, "map2scene", split, SPLITS)
    scenes = Scenes(SceneFactors.sample(n, seed))
    return PairedImages(
        DrawnImages(scenes, maps, 3, "maps of scenes"),
        DrawnImages(scenes, colours, 3, "scenes"),
        "map2scene",
    )


def load_seasons(option="", split="train"):
    """Return scenes in summer (A) and others in winter (B), unpaired; all else is free.

    10,000 of each for training and 2,000 for testing, or as many as ``option`` says. For training
    no scene is on both sides. For testing every scene is, and ``hidden`` has the pairs.
    """
    return _two_states("seasons", "season", ("summer", "winter"), option, split)


def load_daynight(option="", split="train"):
    """Return scenes by day (A) and others by night (B), unpaired; see :func:`load_seasons`."""
    return _two_states("daynight", "time", ("day", "night"), option, split)


def _two_states(name, factor, values, option, split):
    n, seed = how_many(option, name, split, SPLITS)
    seeds = (seed, OTHER_SEED) if split == "train" else (seed, seed)
    a, b = (
        DrawnImages(
            Scenes(SceneFactors.sample(n, seed).replace(**{factor: value})), colours, 3, value
        )
        for seed, value in zip(seeds, values, strict=True)
    )
    return UnpairedImages(a, b, name, hidden=PairedImages(a, b, name) if split == "test" else None)
