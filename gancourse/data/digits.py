"""The sets of 28x28 grey pictures: digits and fashion ship, their full originals are downloaded."""

import math
import zipfile
import zlib

import numpy as np
import torch

from gancourse.data.source import ImageData, shipped
from gancourse.errors import DataError, choose

SPLITS = ("train", "test")
# What NumPy raises for a damaged .npz file, depending on where the damage is.
BROKEN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
DIGIT_CLASSES = tuple("0123456789")
FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def digits(split="train"):
    """Return 4,000 handwritten digits for training or 1,000 for testing, from MNIST.

    Both splits hold every digit equally often, and so does every slice of ten pictures from a
    multiple of ten on: the first ``limit`` pictures are a fair sample.
    """
    return _read_shipped("digits", split, DIGIT_CLASSES)


def fashion(split="train"):
    """Return 8,000 pictures of clothes for training or 2,000 for testing, from Fashion-MNIST.

    Balanced as :func:`digits` is. The test pictures are from the original's test set.
    """
    return _read_shipped("fashion", split, FASHION_CLASSES)


def _read_shipped(name, split, classes):
    wanted = SPLITS.index(choose("split", split, SPLITS))
    path = shipped(f"{name}.npz")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            images, labels, splits = (arrays[key] for key in ("images", "labels", "split"))
    except BROKEN as problem:
        raise DataError(
            f"{path} cannot be read ({problem}). It came with the course and has changed since: "
            "install gancourse again, or restore the file with git."
        ) from problem
    chosen = splits == wanted
    return ImageData(
        torch.from_numpy(images[chosen])[:, None],  # (N, 28, 28) -> (N, 1, 28, 28)
        torch.from_numpy(labels[chosen]),
        name,
        classes,
    )


def read_idx(content, path):
    """Read MNIST's file format: a magic number, the shape, then bytes in row-major order.

    Parameters
    ----------
    content : bytes
        Of the unpacked file.
    path : pathlib.Path or str
        Where it is from, for the message.

    Returns
    -------
    uint8 numpy.ndarray

    Raises
    ------
    DataError
        If the file is of another kind, holds no bytes (type 0x08), is truncated, or is too long.
    """
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != 0x08 or not content[3]:
        raise DataError(
            f"{path} is not an IDX file of bytes: it starts with '{content[:4].hex(' ')}', "
            "expected '00 00 08' and the number of dimensions"
        )
    start = 4 + 4 * content[3]
    shape = tuple(np.frombuffer(content[4:start], ">u4").tolist()) if len(content) >= start else ()
    expected = start + math.prod(shape)
    if len(content) != expected or not shape:
        raise DataError(
            f"{path} has {len(content):,} bytes, but its header says {expected:,} {shape}: "
            f"it is {'truncated' if len(content) < expected or not shape else 'too long'}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
