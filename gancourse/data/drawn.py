"""Data that the course draws itself: faces, scenes, and pairs and domains made of them.

>>> data = load_toons("100")
>>> data.take("real", "captions").fields["captions"].decode_text(
...     data.columns["captions"].values[:1])[0].split()[0]
'a'
>>> load_sketch2face("100").b.drawing.captions[0].split()[0]
'A'
"""

import functools

import torch

from gancourse import toons
from gancourse.data.own.files import shown
from gancourse.data.pairs import PairedImages, UnpairedImages
from gancourse.data.source import Column, ImageData
from gancourse.errors import DataError, choose
from gancourse.fields import Boxes, Map, Masks, Pictures, Tokens, split_words
from gancourse.toons import scene_layout
from gancourse.toons.hints import hinted
from gancourse.toons.landscape import palette_image

SIZE = 64  # default side in pixels
# The default number of pictures in each split, and the seed of their factors.
SPLITS = {"train": (10_000, 0), "test": (2_000, 1)}
MOST = 100_000  # pictures of a split: 1.2 GB when they are drawn
OTHER_SEED = 2  # of the training scenes of domain B
LOOKS = len(toons.SCENE_LOOKS)


def how_many(option, name, split, each=1):
    """Return how many scenes or faces a split has, and their seed.

    The number is ``option``, what follows the colon in a name such as "toons:500", or the default.

    Parameters
    ----------
    option, name, split : str
    each : int
        How many pictures are drawn of one scene.

    Raises
    ------
    DataError
        If the option is no whole number from 1 to ``MOST``, or there would be more pictures.
    """
    n, seed = SPLITS[choose("split", split, SPLITS)]
    most = MOST // each
    if option:
        digits = option.isascii() and option.isdigit() and len(option) <= len(str(most))
        if not (digits and 0 < int(option) <= most):
            raise DataError(
                f"{name}: write a number above 0, up to {most:,}, after the colon, as in "
                f"{name}:500, not {shown(option)!r}"
            )
        return int(option), seed
    return n // each, seed


def drawn(factors, name, show=None, channels=3, *, slots=None, by_look=False):
    """Return pictures that are drawn from factors, with all other fields of the drawing.

    Parameters
    ----------
    factors : gancourse.toons.Factors or gancourse.toons.SceneFactors
    name : str
    show : callable, optional
        ``show(drawing)`` returns the pictures, uint8 (N, channels, H, W); if left out, those in
        colour.
    channels : int
    slots : gancourse.toons.Slots, optional
        For scenes: which things the boxes and masks are of, in place of all instances. Then there
        also are their "kinds".
    by_look : bool
        For scenes: the label is season and time of day.

    Returns
    -------
    ImageData
        The label of a face is its expression, that of a scene its season. Further fields are
        "attributes", "captions", "sketch", "map" and "boxes", for scenes also "masks". Nothing is
        drawn before it is needed.
    """
    faces = isinstance(factors, toons.Factors)
    kind, label = (toons.Faces, "expression") if faces else (toons.Scenes, "season")
    label, values = ("look", toons.SCENE_LOOKS) if by_look else (label, factors.columns[label])
    things = toons.PARTS if faces else toons.SCENE_INSTANCES
    classes = toons.CLASSES if faces else toons.SCENE_CLASSES

    # What several columns need is drawn once; fields without a size are drawn at another one.
    @functools.lru_cache(maxsize=2)
    def draw(count, size, device):
        return kind(factors[:count].to(device), size)

    def column(field, show):
        def make(count, field, device):
            return show(draw(count, field.side or SIZE, device))

        return Column(field, len(factors), make, drawn=True)

    text = vocabulary(type(factors))
    more = {
        "captions": column(text, lambda drawing: text.encode(drawing.captions)),
        "sketch": column(Pictures(shape=(1, SIZE, SIZE)), lines),
        "map": column(Map(classes=tuple(classes), size=SIZE), lambda d: d.semantic),
        "boxes": column(Boxes(things=tuple(things)), lambda d: shares_of_a_side(d.boxes, d.size)),
    }
    if slots:

        @functools.lru_cache(maxsize=1)
        def choose_of(count, device):  # at one size, so that slot k is one thing at every size
            return slots.choose(draw(count, SIZE, device))

        def chosen(drawing):
            return choose_of(len(drawing), drawing.factors.codes.device)

        things = slots.names
        more |= {
            "boxes": column(
                Boxes(things=things),
                lambda d: shares_of_a_side(scene_layout.boxes(d, chosen(d)), d.size),
            ),
            "kinds": column(
                Tokens(words=toons.SCENE_KINDS, length=len(things)),
                lambda d: scene_layout.kinds(d.factors, chosen(d)),
            ),
        }
    if not faces:
        more["masks"] = column(
            Masks(things=tuple(things), size=SIZE),
            lambda d: scene_layout.numbers(d, chosen(d)) if slots else d.instances,
        )
    return ImageData(
        column(Pictures(shape=(channels, SIZE, SIZE)), show or colours),
        getattr(factors, label),
        name,
        values,
        attributes=factors.attributes,
        attribute_names=factors.has,
        more=more,
        drawing=draw,
    )


@functools.cache
def vocabulary(factors):
    """Return the field of the captions: the words and the length of 5,000 sampled captions."""
    texts = [split_words(text) for text in factors.sample(5_000, seed=0).captions]
    words = sorted({word for text in texts for word in text})
    # A caption outside the sample may be longer: room for four more words.
    return Tokens(words=tuple(words), length=max(map(len, texts)) + 4)


def colours(drawing):
    """Return the pictures of a drawing in colour, uint8 (N, 3, H, W)."""
    return drawing.images


def lines(drawing):
    """Return a drawing's sketches, uint8 (N, 1, H, W): lines are 0, the background is 255."""
    return drawing.sketch


def quilts(drawing):
    """Return scenes as quilts, uint8 (N, 3, H, W): see :mod:`gancourse.toons.quilt`."""
    return drawing.quilts


def hints(drawing):
    """Return drawings of faces with strokes of colour: see :mod:`gancourse.toons.hints`."""
    return hinted(drawing)


def maps(drawing):
    """Return the semantic maps of scenes in colours, uint8 (N, 3, H, W): see SCENE_PALETTE."""
    return palette_image(drawing.semantic)


def shares_of_a_side(boxes, size):
    """Return boxes in pixels as float32 from 0 to 1; those of a missing thing stay -1."""
    return torch.where(boxes < 0, -1.0, boxes.float() / size)


def load_toons(option="", split="train"):
    """Return 10,000 faces for training or 2,000 for testing, or as many as ``option`` says."""
    return drawn(toons.sample(*how_many(option, "toons", split)), "toons")


def load_scenes(option="", split="train"):
    """Return 10,000 scenes for training or 2,000 for testing, or as many as ``option`` says."""
    return drawn(toons.SceneFactors.sample(*how_many(option, "scenes", split)), "scenes")


def load_sketch2face(option="", split="train"):
    """Return pairs of a line drawing and the toon face that it belongs to.

    10,000 pairs for training and 2,000 for testing, or as many as ``option`` says: the faces of
    the data set "toons".
    """
    faces = toons.sample(*how_many(option, "sketch2face", split))
    sketches = drawn(faces, "toons sketches", lines, 1)
    return PairedImages(sketches, drawn(faces, "toons"), "sketch2face")


def load_hints2face(option="", split="train"):
    """Return pairs of a line drawing with a few strokes of colour, and the toon face.

    The faces of "sketch2face"; the strokes say which colours they have.
    """
    faces = toons.sample(*how_many(option, "hints2face", split))
    return PairedImages(drawn(faces, "toons hints", hints), drawn(faces, "toons"), "hints2face")


def load_map2scene(option="", split="train"):
    """Return pairs of a semantic map, in the colours of SCENE_PALETTE, and the scene itself.

    10,000 pairs for training and 2,000 for testing, or as many as ``option`` says: the scenes of
    the data set "scenes". A map says neither the season nor the time of day.
    """
    scenes = toons.SceneFactors.sample(*how_many(option, "map2scene", split))
    return PairedImages(drawn(scenes, "maps of scenes", maps), drawn(scenes, "scenes"), "map2scene")


def load_map2looks(option="", split="train"):
    """Return pairs of a semantic map and its scene in one of SCENE_LOOKS, which is the label.

    Rows 12 i to 12 i + 11 have one map, and all looks in their order: 833 maps for training and
    166 for testing, or as many as ``option`` says.
    """
    scenes = toons.SceneFactors.sample(*how_many(option, "map2looks", split, each=LOOKS))
    scenes = scenes.in_every_look()
    shown = drawn(scenes, "scenes", by_look=True)
    return PairedImages(drawn(scenes, "maps of scenes", maps), shown, "map2looks")


def load_layouts(option="", split="train"):
    """Return scenes of eight things at most, with the box, the kind and the mask of each.

    10,000 scenes for training and 2,000 for testing, or as many as ``option`` says. None has a
    road. Things are the sun, clouds, houses, trees and the lake, as far as they are seen; empty
    slots come last, with boxes of -1, the kind 0 and empty masks.
    """
    n, seed = how_many(option, "layouts", split)
    # About half of all scenes have eight things or fewer.
    scenes = toons.SceneFactors.sample(3 * n + 100, seed).replace(road="none")
    few = scene_layout.count(scenes) <= len(toons.THINGS.names)
    return drawn(scenes[few][:n], "layouts", slots=toons.THINGS)


def load_map2quilt(option="", split="train"):
    """Return pairs of a semantic map, in the colours of SCENE_PALETTE, and the scene as a quilt.

    The maps are those of "map2scene", and all quilts are of a summer's day: a map leaves open
    where a pattern begins, and nothing else.
    """
    scenes = toons.SceneFactors.sample(*how_many(option, "map2quilt", split))
    scenes = scenes.replace(season="summer", time="day")
    sewn = drawn(scenes, "quilts", quilts)
    return PairedImages(drawn(scenes, "maps of scenes", maps), sewn, "map2quilt")


def load_seasons(option="", split="train"):
    """Return scenes in summer (A) and others in winter (B), unpaired; all other factors vary.

    10,000 of each for training and 2,000 for testing, or as many as ``option`` says. For training
    no scene is on both sides. For testing every scene is, and ``hidden`` holds the pairs.
    """
    return _two_states("seasons", "season", ("summer", "winter"), option, split)


def load_daynight(option="", split="train"):
    """Return scenes by day (A) and others by night (B), unpaired; see :func:`load_seasons`."""
    return _two_states("daynight", "time", ("day", "night"), option, split)


def load_trees(option="", split="train"):
    """Return scenes with round trees (A) and others with firs (B), unpaired: one to three each.

    Counts, and the pairs that are hidden in the test split, are as in :func:`load_seasons`: the
    same scenes, with the other kind of tree in every place. Row i of masks, boxes and kinds of A
    and of B is one tree, hidden behind something or not.
    """

    def side(scenes, is_b):
        trees = scenes.round_trees.clamp(min=1).tolist()
        scenes = scenes.replace(round_trees=trees, fir_trees="none")
        return scenes.with_other_trees() if is_b else scenes

    return _two_sides("trees", side, ("round trees", "firs"), option, split, toons.TREES)


def load_houses(option="", split="train"):
    """Return scenes with cottages (A) and others with chalets (B), unpaired: one to three each.

    Otherwise as :func:`load_trees`.
    """

    def side(scenes, is_b):
        style = "chalet" if is_b else "cottage"
        return scenes.replace(house_1=style, house_2=style, house_3=style)

    return _two_sides("houses", side, ("cottages", "chalets"), option, split, toons.HOUSES)


def _two_states(name, factor, values, option, split):
    def side(scenes, is_b):
        return scenes.replace(**{factor: values[is_b]})

    return _two_sides(name, side, values, option, split)


def _two_sides(name, side, names, option, split, slots=None):
    n, seed = how_many(option, name, split)
    seeds = (seed, OTHER_SEED) if split == "train" else (seed, seed)
    a, b = (
        drawn(side(toons.SceneFactors.sample(n, seeds[k]), k), names[k], slots=slots)
        for k in (0, 1)
    )
    return UnpairedImages(a, b, name, hidden=PairedImages(a, b, name) if split == "test" else None)
