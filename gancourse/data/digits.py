"""Data sets of 28x28 grey pictures: digits and fashion ship, the full originals are downloaded."""

import gzip
import math
import zipfile
import zlib

import numpy as np
import torch

from gancourse.data import archives
from gancourse.data.source import ImageData, changed, shipped
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


# MNIST's four files: sizes and SHA-256 as TensorFlow Datasets publishes them (url_checksums/
# mnist.txt and fashion_mnist.txt in github.com/tensorflow/datasets), addresses from there and
# from torchvision. torchvision's MD5 was compared for the label files of Fashion-MNIST only.
_MNIST = {
    "train-images-idx3-ubyte.gz": (
        9_912_422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    "train-labels-idx1-ubyte.gz": (
        28_881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    "t10k-images-idx3-ubyte.gz": (
        1_648_877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    "t10k-labels-idx1-ubyte.gz": (
        4_542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
}
_FASHION_MNIST = {
    "train-images-idx3-ubyte.gz": (
        26_421_880,
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    ),
    "train-labels-idx1-ubyte.gz": (
        29_515,
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    ),
    "t10k-images-idx3-ubyte.gz": (
        4_422_102,
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    ),
    "t10k-labels-idx1-ubyte.gz": (
        5_148,
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
}


def _downloads(dataset, files, *mirrors):
    return {
        file: archives.Download(
            dataset=dataset,
            file=file,
            size=size,
            sha256=sha256,
            addresses=tuple(mirror + file for mirror in mirrors),
        )
        for file, (size, sha256) in files.items()
    }


MNIST_FILES = _downloads(
    "mnist",
    _MNIST,
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
FASHION_MNIST_FILES = _downloads(
    "fashion_mnist",
    _FASHION_MNIST,
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
)


def digits(split="train"):
    """Return 4,000 handwritten digits for training or 1,000 for testing, from MNIST.

    Both splits hold every digit equally often, and so do the first 10, 20, 30, ... pictures.
    """
    return _read_shipped("digits", split, DIGIT_CLASSES)


def fashion(split="train"):
    """Return 8,000 pictures of clothes for training or 2,000 for testing, from Fashion-MNIST.

    Balanced as :func:`digits` is. The test pictures are from the original's test set.
    """
    return _read_shipped("fashion", split, FASHION_CLASSES)


def mnist(split="train"):
    """Return all 60,000 digits of MNIST for training or 10,000 for testing.

    Raises
    ------
    DataError
        If they are not downloaded; the message has the command.
    """
    return _read_downloaded("mnist", MNIST_FILES, split, DIGIT_CLASSES)


def fashion_mnist(split="train"):
    """Return all 60,000 pictures of Fashion-MNIST, or 10,000 for testing; see :func:`mnist`."""
    return _read_downloaded("fashion_mnist", FASHION_MNIST_FILES, split, FASHION_CLASSES)


def _read_shipped(name, split, classes):
    wanted = SPLITS.index(choose("split", split, SPLITS))
    path = shipped(f"{name}.npz")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            images, labels, splits = (arrays[key] for key in ("images", "labels", "split"))
    except BROKEN as problem:
        raise changed(path, problem) from problem
    chosen = splits == wanted
    return ImageData(
        torch.from_numpy(images[chosen])[:, None],  # (N, 28, 28) -> (N, 1, 28, 28)
        torch.from_numpy(labels[chosen]),
        name,
        classes,
    )


def _read_downloaded(name, files, split, classes):
    prefix = ("train", "t10k")[SPLITS.index(choose("split", split, SPLITS))]
    arrays = []
    for kind in ("images-idx3", "labels-idx1"):
        download = files[f"{prefix}-{kind}-ubyte.gz"]
        archives.verify(download)
        content = gzip.decompress(download.path.read_bytes())
        arrays.append(torch.from_numpy(read_idx(content, download.path)))
    images, labels = arrays
    return ImageData(images[:, None], labels, name, classes)  # (N, 28, 28) -> (N, 1, 28, 28)


def read_idx(content, path):
    """Read MNIST's file format: a magic number, the shape, then bytes in row-major order.

    Parameters
    ----------
    content : bytes
        The unpacked file.
    path : pathlib.Path or str
        The path of the file, for messages.

    Returns
    -------
    uint8 numpy.ndarray

    Raises
    ------
    DataError
        If it is not an IDX file of bytes (type 0x08), is truncated or is too long.
    """
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != 0x08 or not content[3]:
        raise DataError(
            f"{path} is not an IDX file of bytes: it starts with '{content[:4].hex(' ')}', "
            "expected '00 00 08' and the number of dimensions. Fetch it again."
        )
    start = 4 + 4 * content[3]
    shape = tuple(np.frombuffer(content[4:start], ">u4").tolist()) if len(content) >= start else ()
    expected = start + math.prod(shape)
    if len(content) != expected or not shape:
        raise DataError(
            f"{path} has {len(content):,} bytes, but its header says {expected:,} {shape}: "
            f"it is {'truncated' if len(content) < expected or not shape else 'too long'}. "
            "Fetch it again."
        )
    # The copy can be written to, which the view of the bytes cannot.
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()
