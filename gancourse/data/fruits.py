"""3,000 photographs of apples, cherries and tomatoes on white, from Fruits-360.

>>> fruits("test")
<fruits: 600 pictures (3, 64, 64), 3 classes on cpu>
>>> load_edges2fruits("test")
<edges2fruits: 600 pairs (1, 64, 64) -> (3, 64, 64) on cpu>
"""

import functools
import hashlib
import zipfile

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from gancourse.data.pairs import PairedImages, UnpairedImages
from gancourse.data.source import ImageData, changed, shipped
from gancourse.errors import choose

ARCHIVE = "fruits/fruits64.zip"
KINDS = ("apple", "cherry", "tomato")
SPLITS = {"train": "training", "test": "test"}  # and the folders in the archive
SHAPE = (64, 64, 3)


def fruits(split="train"):
    """Return the photographs of a split, labelled by kind.

    Parameters
    ----------
    split : {"train", "test"}
        2,400 or 600 photographs, as many of each kind. Each fruit was photographed from all sides;
        those for testing are other fruits, some of another variety.

    Returns
    -------
    ImageData
    """
    pixels, labels = _read(choose("split", split, SPLITS))
    return ImageData(pixels, labels, "fruits", KINDS)


def load_apples2tomatoes(split="train"):
    """Return the apples (A) and the tomatoes (B), unpaired: 800 each, or 200 for testing."""
    data = fruits(split)
    apples, tomatoes = (data.pixels[data.labels == KINDS.index(k)] for k in ("apple", "tomato"))
    return UnpairedImages(
        ImageData(apples, None, "apples"), ImageData(tomatoes, None, "tomatoes"), "apples2tomatoes"
    )


def load_edges2fruits(split="train"):
    """Return pairs of the edges of a photograph and the photograph."""
    data = fruits(split)
    drawn = torch.cat([edges(part) for part in data.pixels.split(200)])
    return PairedImages(ImageData(drawn, None, "edges"), data, "edges2fruits")


def edges(pixels, faint=0.04, clear=0.12):
    """Draw the edges of pictures as dark lines on white.

    An edge is a pixel whose brightness changes more than that of its two neighbours across the
    edge: the first three steps of Canny 1986 (doi 10.1109/TPAMI.1986.4767851). In place of the
    last, his two thresholds, lines are the darker the stronger the edge is.

    Parameters
    ----------
    pixels : uint8 torch.Tensor, (N, 3, H, W)
    faint, clear : float
        The change of brightness a pixel, as a share of the whole range, at which a line begins to
        be visible and at which it is black.

    Returns
    -------
    uint8 torch.Tensor, (N, 1, H, W)
        0 for a clear edge, 255 for none.
    """
    from torchvision.transforms.functional import gaussian_blur  # takes seconds to import

    smooth = F.pad(gaussian_blur(pixels.float() / 255, 7, 1.0), [1] * 4, mode="replicate")
    dx = (smooth[..., 1:-1, 2:] - smooth[..., 1:-1, :-2]) / 2  # (N, 3, H, W)
    dy = (smooth[..., 2:, 1:-1] - smooth[..., :-2, 1:-1]) / 2
    change, channel = (dx**2 + dy**2).sqrt().max(1, keepdim=True)
    # Within a pixel's surroundings, the colour channel that changes most gives the direction.
    direction = torch.atan2(dy.gather(1, channel), dx.gather(1, channel))  # (N, 1, H, W)
    eighth = (direction / (torch.pi / 4)).round().long() % 4
    height, width = change.shape[2:]
    around = F.pad(change, [1] * 4)
    ridge = torch.zeros_like(change, dtype=torch.bool)
    for number, (y, x) in enumerate([(0, 1), (1, 1), (1, 0), (1, -1)]):
        ahead, behind = (
            around[..., 1 + s * y : 1 + s * y + height, 1 + s * x : 1 + s * x + width]
            for s in (1, -1)
        )
        ridge |= (eighth == number) & (change >= ahead) & (change > behind)
    line = ((change - faint) / (clear - faint)).clamp(0, 1) * ridge
    return ((1 - line) * 255).round().byte()


@functools.cache
def _read(split):
    """Return the photographs, uint8 (N, 3, 64, 64), and their labels, kind by kind in turn."""
    path = shipped(ARCHIVE)
    pixels = []
    try:
        with zipfile.ZipFile(path) as archive:
            names = [_in_order(archive, f"{SPLITS[split]}/{kind}/") for kind in KINDS]
            for name in (name for turn in zip(*names, strict=True) for name in turn):
                with archive.open(name) as file, Image.open(file, formats=("JPEG",)) as picture:
                    pixels.append(np.asarray(picture))
                if pixels[-1].shape != SHAPE:
                    raise ValueError(f"{name} is not of 64x64 pixels in colour")
    except (OSError, ValueError, zipfile.BadZipFile) as problem:
        raise changed(path, problem) from problem
    labels = torch.arange(len(KINDS)).repeat(len(pixels) // len(KINDS))
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous(), labels


def _in_order(archive, folder):
    """Return the names in a folder in an order that mixes the varieties and never changes."""
    names = [
        name for name in archive.namelist() if name.startswith(folder) and name.endswith(".jpg")
    ]
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
