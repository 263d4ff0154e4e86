"""Judges: small networks, trained on the real data, that say what a generated picture shows.

They ship with the course. ``tools/train_judges.py`` trains them, and each file carries a card
with its data, its training and its accuracy on pictures that it has never seen.
"""

import torch
from torch import nn

from gancourse.data import shipped
from gancourse.errors import CourseError, choose
from gancourse.training import checkpoint

CHUNK = 1_000  # pictures that go through a network at once


class SmallConvNet(nn.Module):
    """A classifier for 28x28 pictures, 130,000 weights.

    Parameters
    ----------
    channels : int
        1 for grey pictures.
    classes : int
    """

    num_features = 64

    def __init__(self, channels, classes):
        super().__init__()

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


# Each judge's untrained network; the weights are in data/judge-NAME.safetensors.
JUDGES = {"digits": lambda: SmallConvNet(channels=1, classes=10)}


class Judge:
    """A trained network and its card; made by :func:`load_judge`.

    Every method takes float pictures (N, C, 28, 28) in [-1, 1], on any device. Pictures of 32x32
    pixels are taken for 28x28 ones with a border of 2, as the data sets make them, and the border
    is cut off. The answers lie on the judge's device and carry no gradient.

    Attributes
    ----------
    name : str
    net : torch.nn.Module
        Has ``body`` (pictures to features) and ``head`` (features to logits).
    card : dict
        What is known of it: ``data``, ``accuracy`` (held out), ``steps``, ``seed``, ...
    """

    image_size = 28

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
        return self.net.head.in_features

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

    def _prepare(self, images):
        """Check pictures, cut off a border, and split them into chunks on the judge's device."""
        channels, size = self.net.body[0].in_channels, self.image_size
        expected = f"float pictures (N, {channels}, {size}, {size}) in [-1, 1]"
        if images.ndim != 4 or images.shape[1] != channels or not len(images):
            raise self._refusal(expected, f"shape {tuple(images.shape)}")
        if not images.is_floating_point():
            raise self._refusal(expected, f"{images.dtype}; bytes become floats by / 127.5 - 1")
        if images.shape[2:] == (size + 4, size + 4):
            images = images[:, :, 2:-2, 2:-2]
        elif images.shape[2:] != (size, size):
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


def load_judge(name, device="cpu"):
    """Return a judge that ships with the course.

    Parameters
    ----------
    name : str
        "digits".
    device : str or torch.device

    Returns
    -------
    Judge

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
    return Judge(name, net.to(device), header["card"])
