"""CIFAR-10: 60,000 small photographs in ten classes, from the archive without pickles."""

import numpy as np
import torch

from gancourse.data import archives, unpacking
from gancourse.data.source import ImageData
from gancourse.errors import DataError, choose

# Size and SHA-256 as TensorFlow Datasets publishes them (url_checksums/cifar10.txt in
# github.com/tensorflow/datasets). The authors' page, www.cs.toronto.edu/~kriz/cifar.html, gives
# the MD5 c32a1d4ab5d03f1284b67883e8d87530. The first address redirects to the second.
ARCHIVE = archives.Download(
    dataset="cifar10",
    file="cifar-10-binary.tar.gz",
    size=170_052_171,
    sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    addresses=(
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        "https://cave.cs.toronto.edu/kriz/cifar-10-binary.tar.gz",
    ),
)
CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
FILES = {
    "train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
    "test": ("test_batch.bin",),
}
ROW = 1 + 3 * 32 * 32  # bytes: the label, then red, green and blue, row by row


def load(split="train"):
    """Return 50,000 photographs for training or 10,000 for testing; they must be downloaded.

    Returns
    -------
    ImageData
        Of shape (N, 3, 32, 32), with ten classes.

    Raises
    ------
    DataError
        If the archive is missing or damaged.
    """
    files = FILES[choose("split", split, FILES)]
    archives.verify(ARCHIVE)
    folder = unpacking.unpack(ARCHIVE.path, ARCHIVE.path.with_name("unpacked"))
    rows = np.concatenate([_read(folder / "cifar-10-batches-bin" / file) for file in files])
    return ImageData(
        torch.from_numpy(rows[:, 1:].reshape(-1, 3, 32, 32)),
        torch.from_numpy(rows[:, 0].astype(np.int64)),
        "cifar10",
        CLASSES,
    )


def _read(path):
    """Return a batch as bytes, (N, 3073)."""
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as problem:
        raise DataError(f"{path} cannot be read ({problem}). {_again(path)}") from problem
    if not len(content) or len(content) % ROW:
        raise DataError(
            f"{path} has {len(content):,} bytes, expected a multiple of {ROW:,}. {_again(path)}"
        )
    rows = content.reshape(-1, ROW)
    if rows[:, 0].max() >= len(CLASSES):
        raise DataError(f"{path} has labels up to {rows[:, 0].max()}, expected 9. {_again(path)}")
    return rows


def _again(path):
    return f"Delete the folder {path.parents[1]}; the archive is then unpacked again."
