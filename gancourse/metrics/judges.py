"""Judges: small networks, trained on real data, that classify what a generated picture shows.

They ship with the course. ``tools/train_judges.py`` trains them, and each file carries a card
with its data, its training and its accuracy on held-out pictures.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from gancourse.data import shipped
from gancourse.data.emoji import STYLES
from gancourse.data.fruits import KINDS
from gancourse.errors import CheckpointError, CourseError, choose
from gancourse.files import schema, weights
from gancourse.files.statefile import load
from gancourse.toons import ATTRIBUTES, FACTORS, SCENE_CLASSES

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
    """A network that predicts the attributes and the factors of a drawn face of 64x64 pixels.

    700,000 weights. Strided convolutions and a linear layer, without pooling, keep the position
    of each feature, which identifies the part of the face that it belongs to.
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
    """A classifier of the style of a picture of 64x64 pixels, 106,000 weights.

    It tells the studios that drew emoji apart, and kinds of fruits in photographs. Its receptive
    field is 38 pixels wide, and its features are averaged over all places: a studio's shading,
    outlines and colours show everywhere in a picture.

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

    def encode(self, images):
        """Return four feature maps, from (N, 24, H / 2, W / 2) to (N, 64, H / 8, W / 8).

        A fifth, (N, 64, 1, 1), is the mean of the fourth over all places.
        """
        maps = []
        for layer in self.body[:-1]:
            images = layer(images)
            if isinstance(layer, nn.ReLU | nn.AdaptiveAvgPool2d):
                maps.append(images)
        return maps

    def forward(self, images):
        """Return the logits (N, classes) of float pictures (N, 3, 64, 64) in [-1, 1]."""
        return self.head(self.body(images))


class SceneNet(nn.Module):
    """A segmentation network for drawn scenes, 570,000 weights.

    It is fully convolutional and takes pictures of any side that is a multiple of 16. Coarse
    feature maps are enlarged and added to finer ones, as in the network that computes Pix2Pix's
    FCN-score (Long et al. 2015, arXiv 1411.4038, section 4.2).

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
        """Return feature maps of five scales, from (N, 24, H, W) to (N, 96, H / 16, W / 16)."""
        maps = [self.down[0](images)]
        for level in self.down[1:]:
            maps.append(level(maps[-1]))
        return maps

    def body(self, images):
        """Return the mean of the coarsest feature map over its places, (N, 96)."""
        return self.encode(images)[-1].mean((2, 3))

    def forward(self, images):
        """Return the logits (N, classes, H, W) of float pictures (N, 3, H, W) in [-1, 1]."""
        *maps, coarsest = self.encode(images)
        *across, last = self.across
        x = last(coarsest)
        for level, add, finer in zip(self.up, reversed(across), reversed(maps), strict=True):
            x = level(F.interpolate(x, scale_factor=2.0, mode="bilinear") + add(finer))
        return self.head(x)


# Functions that build the untrained networks; data/judge-NAME.safetensors has the weights.
JUDGES = {
    "digits": lambda: SmallConvNet(channels=1, classes=10),
    "fashion": lambda: SmallConvNet(channels=1, classes=10),
    "toons": FaceNet,
    "emoji": lambda: StyleNet(classes=len(STYLES)),
    "fruits": lambda: StyleNet(classes=len(KINDS)),
    "scenes": lambda: SceneNet(classes=len(SCENE_CLASSES)),
    "quilts": lambda: SceneNet(classes=len(SCENE_CLASSES)),
}


@dataclass(frozen=True, kw_only=True)
class Card:
    """What the course needs of a judge's card, which holds more for its reader."""

    data: str  # what it was trained on
    accuracy: schema.Share  # on held-out pictures
    attributes: dict[str, Any] = field(default_factory=dict)  # of faces, in the order of the logits
    classes: tuple[str, ...] = ()  # of others, in the order of the logits


class Judge:
    """A trained network and its card; made by :func:`load_judge`.

    Every method takes float pictures in [-1, 1], on any device: (N, 1, 28, 28) for digits and
    clothes, (N, 3, 64, 64) for emoji and fruits. Pictures of 32x32 pixels are brought to that
    size: digits and clothes lose the border of 2 pixels with which the data sets pad them, the
    others are enlarged.
    Results lie on the judge's device and carry no gradient.

    Attributes
    ----------
    name : str
    net : torch.nn.Module
        Has ``body`` (pictures to features) and ``head`` (features to logits).
    card : dict
        ``data``, ``accuracy`` (on held-out pictures), ``steps``, ``seed`` and more.
    exclusive : bool
        True if a picture has exactly one class, as :func:`inception_score` requires.
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
        """The device of the network's weights."""
        return self.net.head.weight.device

    @property
    def num_features(self):
        """The number of features of a picture."""
        return self.net.num_features

    def features(self, images):
        """Return the input of the last layer, float32 (N, num_features), at least 0."""
        with torch.no_grad():
            return torch.cat([self.net.body(part) for part in self._prepare(images)])

    def logits(self, images):
        """Return the logits of the classes, float32 (N, classes)."""
        return self.net.head(self.features(images))

    def predict(self, images):
        """Return the most likely class of each picture, int64 (N,)."""
        return self.logits(images).argmax(1)

    def confidence(self, images):
        """Return the probability of the most likely class, (N,) in [1 / classes, 1]."""
        return self.logits(images).softmax(1).amax(1)

    def _fit(self, images):
        """Crop or enlarge pictures of 32x32 pixels to the size that the network takes."""
        if images.shape[2:] != (32, 32) or 32 in self.net.sizes:
            return images
        if 28 in self.net.sizes:
            return images[:, :, 2:-2, 2:-2]
        return F.interpolate(images, (64, 64), mode="bilinear")

    def _prepare(self, images):
        """Check pictures, fit their size, move them to the judge's device, and split them."""
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
    """The judge of drawn faces: twenty binary attributes, the factors, and face or no face.

    Every method takes float pictures (N, 3, 64, 64) in [-1, 1], on any device; pictures of 32x32
    pixels are enlarged to 64x64. ``features`` are (N, 128), and ``logits`` (N, 20) are those of
    the attributes.
    """

    exclusive = False

    @property
    def attributes(self):
        """The names of the attributes, in the order of the logits."""
        return tuple(self.card["attributes"])

    def predict(self, images):
        """Return which attributes each face has, bool (N, 20)."""
        return self.logits(images) > 0

    def confidence(self, images):
        """Return the mean probability of the predicted attribute values, (N,) in [0.5, 1]."""
        return self.logits(images).abs().sigmoid().mean(1)

    def is_face(self, images):
        """Return the probability that each picture shows a face, (N,) in [0, 1].

        The negative examples of its training were noise and faces cut into shuffled pieces.
        """
        return self.net.face_head(self.features(images)).sigmoid()[:, 0]

    def factor(self, images, name):
        """Return the probability of each value of a factor.

        Parameters
        ----------
        images : float torch.Tensor, (N, 3, 64, 64) in [-1, 1]
        name : str
            One of ``toons.FACTORS``, such as "expression".

        Returns
        -------
        float32 torch.Tensor, (N, number of values)
            Each row adds to 1. Where a factor does not show, such as the hat's colour on a bare
            head, the probabilities are about the frequencies of the values. Those of ``side`` are
            meaningless, because the training mirrored faces at random; ``card["factors"]`` has
            the accuracy of every factor.

        Raises
        ------
        CourseError
            If there is no such factor, or the judge refuses the pictures.
        """
        choose("factor", name, FACTORS)
        return self.net.factor_heads[name](self.features(images)).softmax(1)


class SceneJudge(Judge):
    """The judge of drawn scenes: a semantic segmentation, for which the papers use FCN-8s.

    Every method takes float pictures (N, 3, 64, 64) or (N, 3, 32, 32) in [-1, 1], on any device.
    ``features``, (N, 96), describe the whole picture; logits and predictions are per pixel. Score
    predictions with :func:`~gancourse.metrics.segmentation.segmentation_scores`.
    """

    exclusive = False

    @property
    def classes(self):
        """The names of the classes, in the order of the logits."""
        return tuple(self.card["classes"])

    def logits(self, images):
        """Return the logits of each pixel's classes, float32 (N, classes, H, W)."""
        with torch.no_grad():
            return torch.cat([self.net(part) for part in self._prepare(images)])

    def predict(self, images):
        """Return the most likely class of each pixel, int64 (N, H, W)."""
        with torch.no_grad():
            return torch.cat([self.net(part).argmax(1) for part in self._prepare(images)])

    def confidence(self, images):
        """Return the probability of the most likely class, averaged over the pixels, (N,)."""
        return self.logits(images).softmax(1).amax(1).mean((1, 2))


def load_judge(name, device="cpu"):
    """Return a judge that ships with the course.

    Parameters
    ----------
    name : str
        "digits", "fashion", "toons", "emoji", "fruits", "scenes" or "quilts".
    device : str or torch.device

    Returns
    -------
    Judge
        For "toons" a :class:`FaceJudge`, for "scenes" and "quilts" a
        :class:`SceneJudge`.

    Raises
    ------
    CourseError
        If there is no such judge, or its file is missing or damaged.
    """
    choose("judge", name, JUDGES)
    path = shipped(f"judge-{name}.safetensors")
    state, header = load(path)
    schema.read(Card, header.get("card"), f"the card of {path}", CheckpointError)
    with weights.shapes_only():
        net = JUDGES[name]()
    weights.fill(net, state, path)
    kind = {FaceNet: FaceJudge, SceneNet: SceneJudge}.get(type(net), Judge)
    return kind(name, net.to(device), header["card"])
