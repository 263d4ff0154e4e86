"""Judges: small networks, trained on the real data, that say what a generated picture shows.

They ship with the course. ``tools/train_judges.py`` trains them, and each file carries a card
with its data, its training and its accuracy on pictures that it has never seen.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from gancourse.data import shipped
from gancourse.data.emoji import STYLES
from gancourse.errors import CourseError, choose
from gancourse.toons import ATTRIBUTES, FACTORS, SCENE_CLASSES
from gancourse.training import checkpoint

CHUNK = 250  # pictures that go through a network at once


class SmallConvNet(nn.Module):
    """A classifier for 28x28 pictures, 130,000 weights.

    Parameters
    ----------
    channels : int
        1 for grey pictures.
    classes : int
    """

    sizes = (28,)
    num_features = 64

    def __init__(self, channels, classes):
        super().__init__()
        self.channels = channels

        def block(inputs, outputs, kernel):
            return (
                nn.Conv2d(inputs, outputs, kernel, padding="same", bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
                nn.MaxPool2d(2),
            )

        self.body = nn.Sequential(
            *block(channels, 32, 5),  # (N, 32, 14, 14)
            *block(32, 64, 3),  # (N, 64, 7, 7)
            *block(64, 96, 3),  # (N, 96, 3, 3)
            nn.Flatten(),
            nn.Linear(96 * 9, self.num_features, bias=False),
            nn.BatchNorm1d(self.num_features),
            nn.ReLU(),
        )
        self.head = nn.Linear(self.num_features, classes)

    def forward(self, images):
        """Return the logits (N, classes) of float pictures (N, channels, 28, 28) in [-1, 1]."""
        return self.head(self.body(images))


class FaceNet(nn.Module):
    """Reads a drawn face of 64x64 pixels: its attributes, and all that it was drawn from.

    700,000 weights. Strides in the place of pooling keep track of where things are, for every
    part of a face has its place.
    """

    channels, sizes = 3, (64,)
    num_features = 128

    def __init__(self):
        super().__init__()

        def block(inputs, outputs, kernel, stride):
            return (
                nn.Conv2d(inputs, outputs, kernel, stride, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            )

        self.body = nn.Sequential(
            *block(3, 32, 4, 2),  # (N, 32, 32, 32)
            *block(32, 64, 4, 2),  # (N, 64, 16, 16)
            *block(64, 96, 3, 1),
            *block(96, 96, 4, 2),  # (N, 96, 8, 8)
            *block(96, 128, 4, 2),  # (N, 128, 4, 4)
            nn.Flatten(),
            nn.Linear(128 * 16, self.num_features, bias=False),
            nn.BatchNorm1d(self.num_features),
            nn.ReLU(),
        )
        self.head = nn.Linear(self.num_features, len(ATTRIBUTES))
        self.factor_heads = nn.ModuleDict(
            {name: nn.Linear(self.num_features, len(values)) for name, values in FACTORS.items()}
        )
        self.face_head = nn.Linear(self.num_features, 1)


class StyleNet(nn.Module):
    """Tells by whose hand an emoji of 64x64 pixels is drawn, 106,000 weights.

    It looks for shading, outlines and colours in pieces of 38 pixels and averages over all of
    them, for a hand shows everywhere.

    Parameters
    ----------
    classes : int
    """

    channels, sizes = 3, (64,)
    num_features = 64

    def __init__(self, classes):
        super().__init__()

        def block(inputs, outputs, kernel, stride):
            return (
                nn.Conv2d(inputs, outputs, kernel, stride, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            )

        self.body = nn.Sequential(
            *block(3, 24, 4, 2),  # (N, 24, 32, 32)
            *block(24, 48, 4, 2),  # (N, 48, 16, 16)
            *block(48, 64, 4, 2),  # (N, 64, 8, 8)
            *block(64, self.num_features, 3, 1),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.head = nn.Linear(self.num_features, classes)

    def forward(self, images):
        """Return the logits (N, classes) of float pictures (N, 3, 64, 64) in [-1, 1]."""
        return self.head(self.body(images))


class SceneNet(nn.Module):
    """Reads what each pixel of a drawn scene shows; 570,000 weights.

    Convolutional throughout, so that it takes any side that 16 divides. Coarse maps are enlarged
    and added to finer ones, as in the networks that Pix2Pix is scored by (Long et al. 2015, arXiv
    1411.4038, section 4.2).

    Parameters
    ----------
    classes : int
    """

    channels, sizes = 3, (64, 32)
    num_features = 96

    def __init__(self, classes):
        super().__init__()
        widths, width = (24, 48, 64, 96, self.num_features), 24

        def block(inputs, outputs, kernel, stride):
            return (
                nn.Conv2d(inputs, outputs, kernel, stride, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            )

        self.down = nn.ModuleList([nn.Sequential(*block(self.channels, widths[0], 3, 1))])
        for inputs, outputs in pairwise(widths):
            self.down.append(
                nn.Sequential(*block(inputs, outputs, 4, 2), *block(outputs, outputs, 3, 1))
            )
        self.across = nn.ModuleList([nn.Conv2d(w, width, 1) for w in widths])
        self.up = nn.ModuleList([nn.Sequential(*block(width, width, 3, 1)) for _ in widths[1:]])
        self.head = nn.Conv2d(width, classes, 1)

    def encode(self, images):
        """Return the maps of all five scales, from (N, 24, H, W) to (N, 96, H / 16, W / 16)."""
        maps = [self.down[0](images)]
        for level in self.down[1:]:
            maps.append(level(maps[-1]))
        return maps

    def body(self, images):
        """Return the coarsest map's mean, (N, 96): what kind of scene it is, wherever it is."""
        return self.encode(images)[-1].mean((2, 3))

    def forward(self, images):
        """Return the logits (N, classes, H, W) of float pictures (N, 3, H, W) in [-1, 1]."""
        *maps, coarsest = self.encode(images)
        *across, last = self.across
        x = last(coarsest)
        for level, add, finer in zip(self.up, reversed(across), reversed(maps), strict=True):
            x = level(F.interpolate(x, scale_factor=2.0, mode="bilinear") + add(finer))
        return self.head(x)


# Each judge's untrained network; the weights are in data/judge-NAME.safetensors.
JUDGES = {
    "digits": lambda: SmallConvNet(channels=1, classes=10),
    "fashion": lambda: SmallConvNet(channels=1, classes=10),
    "toons": FaceNet,
    "emoji": lambda: StyleNet(classes=len(STYLES)),
    "scenes": lambda: SceneNet(classes=len(SCENE_CLASSES)),
}


class Judge:
    """A trained network and its card; made by :func:`load_judge`.

    Every method takes float pictures in [-1, 1], on any device: (N, 1, 28, 28) of digits and
    clothes, (N, 3, 64, 64) of emoji. Pictures of 32x32 pixels are enlarged to 64x64; but those of
    digits and clothes are taken for 28x28 ones with a border of 2, as the data sets make them, and
    the border is cut off. The answers lie on the judge's device and carry no gradient.

    Attributes
    ----------
    name : str
    net : torch.nn.Module
        Has ``body`` (pictures to features) and ``head`` (features to logits).
    card : dict
        What is known of it: ``data``, ``accuracy`` (held out), ``steps``, ``seed``, ...
    exclusive : bool
        True where a picture has exactly one of the classes, False where each is a yes or no.
    """

    exclusive = True

    def __init__(self, name, net, card):
        self.name = name
        self.net = net.eval().requires_grad_(False)
        self.card = card

    def __repr__(self):
        return f"<judge of {self.name}: {self.card['accuracy']:.1%} right on held-out pictures>"

    @property
    def device(self):
        """Where the network lies."""
        return self.net.head.weight.device

    @property
    def num_features(self):
        """How many numbers :meth:`features` gives for a picture."""
        return self.net.num_features

    def features(self, images):
        """Return what the last layer sees, float32 (N, num_features), at least 0."""
        with torch.no_grad():
            return torch.cat([self.net.body(part) for part in self._prepare(images)])

    def logits(self, images):
        """Return the classes' logits, float32 (N, classes)."""
        return self.net.head(self.features(images))

    def predict(self, images):
        """Return the most likely class of each picture, int64 (N,)."""
        return self.logits(images).argmax(1)

    def confidence(self, images):
        """Return the probability that the judge gives to its answer, (N,) in [1 / classes, 1]."""
        return self.logits(images).softmax(1).amax(1)

    def _fit(self, images):
        """Bring pictures of another size that is understood to the network's own."""
        if images.shape[2:] != (32, 32) or 32 in self.net.sizes:
            return images
        if 28 in self.net.sizes:
            return images[:, :, 2:-2, 2:-2]
        return F.interpolate(images, (64, 64), mode="bilinear")

    def _prepare(self, images):
        """Check pictures, fit their size, and split them into chunks on the judge's device."""
        channels, sizes = self.net.channels, self.net.sizes
        size = sizes[0]
        expected = f"float pictures (N, {channels}, {size}, {size}) in [-1, 1]"
        if images.ndim != 4 or images.shape[1] != channels or not len(images):
            raise self._refusal(expected, f"shape {tuple(images.shape)}")
        if not images.is_floating_point():
            raise self._refusal(expected, f"{images.dtype}; bytes become floats by / 127.5 - 1")
        images = self._fit(images)
        if images.shape[2:] not in {(side, side) for side in sizes}:
            height, width = images.shape[2:]
            raise self._refusal(
                expected, f"{height}x{width} pixels; resize them to {size}x{size} first"
            )
        low, high = images.min().item(), images.max().item()
        if not -1.01 <= low <= high <= 1.01:  # NaN fails too
            raise self._refusal(expected, f"values from {low:.3g} to {high:.3g}")
        return images.to(self.device, torch.float32).split(CHUNK)

    def _refusal(self, expected, found):
        return CourseError(f"the judge of {self.name} takes {expected}, found {found}.")


class FaceJudge(Judge):
    """The judge of drawn faces: twenty attributes, each a yes or no, and what else it sees.

    Every method takes float pictures (N, 3, 64, 64) in [-1, 1], on any device; pictures of 32x32
    pixels are enlarged to 64x64. As for every :class:`Judge`, ``features`` are what its last layer
    sees, (N, 128), and ``logits`` (N, 20) stand for the attributes.
    """

    exclusive = False

    @property
    def attributes(self):
        """The names of the attributes, in the order of the answers."""
        return tuple(self.card["attributes"])

    def probabilities(self, images):
        """Return how likely each attribute is, (N, 20) in [0, 1]."""
        return self.logits(images).sigmoid()

    def predict(self, images):
        """Return whether each face has each attribute, bool (N, 20)."""
        return self.logits(images) > 0

    def confidence(self, images):
        """Return the probability that the judge gives to its answers, on average, (N,)."""
        return self.logits(images).abs().sigmoid().mean(1)

    def is_face(self, images):
        """Return how likely each picture shows a face at all, (N,) in [0, 1].

        It has learnt this from faces against noise and shuffled pieces of faces.
        """
        return self.net.face_head(self.features(images)).sigmoid()[:, 0]

    def factor(self, images, name):
        """Return how likely each value of a factor is.

        Parameters
        ----------
        images : float torch.Tensor, (N, 3, 64, 64) in [-1, 1]
        name : str
            Of ``toons.FACTORS``, such as "expression", whose values are the data set's labels.

        Returns
        -------
        torch.Tensor
            (N, number of values), each row adding to 1. Where nothing is seen of a factor, as of
            the colour of a hat that is not worn, it says about how frequent the values are. It
            cannot tell ``side``, for it has learnt from mirrored faces too; how well it reads the
            others stands in ``card["factors"]``.

        Raises
        ------
        CourseError
            If there is no such factor, or the pictures are refused.
        """
        choose("factor", name, FACTORS)
        return self.net.factor_heads[name](self.features(images)).softmax(1)


class SceneJudge(Judge):
    """The judge of drawn scenes: what each pixel shows, the part that FCN plays in the papers.

    Every method takes float pictures (N, 3, 64, 64) or (N, 3, 32, 32) in [-1, 1], on any device.
    ``features``, (N, 96), are of the whole picture; the answers have one for each pixel. Score
    them with :func:`~gancourse.metrics.segmentation.segmentation_scores`.
    """

    exclusive = False

    @property
    def classes(self):
        """The names of the classes, in the order of the answers."""
        return tuple(self.card["classes"])

    def logits(self, images):
        """Return the logits of every pixel's classes, float32 (N, classes, H, W)."""
        with torch.no_grad():
            return torch.cat([self.net(part) for part in self._prepare(images)])

    def predict(self, images):
        """Return the most likely class of every pixel, int64 (N, H, W)."""
        with torch.no_grad():
            return torch.cat([self.net(part).argmax(1) for part in self._prepare(images)])

    def confidence(self, images):
        """Return the probability that it gives to its answers, on average over pixels, (N,)."""
        return self.logits(images).softmax(1).amax(1).mean((1, 2))


def load_judge(name, device="cpu"):
    """Return a judge that ships with the course.

    Parameters
    ----------
    name : str
        "digits", "fashion", "toons", "emoji" or "scenes".
    device : str or torch.device

    Returns
    -------
    Judge
        Of "toons" a :class:`FaceJudge`, of "scenes" a :class:`SceneJudge`.

    Raises
    ------
    CourseError
        If there is no such judge, or its file is missing or damaged.
    """
    choose("judge", name, JUDGES)
    state, header = checkpoint.load(shipped(f"judge-{name}.safetensors"))
    # Half precision on disk, full in memory. On "meta" no initial weights are drawn, so that
    # loading a judge leaves the random state alone.
    state = {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    with torch.device("meta"):
        net = JUDGES[name]()
    net.load_state_dict(state, assign=True)
    kind = {FaceNet: FaceJudge, SceneNet: SceneJudge}.get(type(net), Judge)
    return kind(name, net.to(device), header["card"])
