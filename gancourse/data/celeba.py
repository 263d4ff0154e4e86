"""CelebA: 202,599 faces, aligned and cropped to 178x218 pixels, each with 40 attributes.

Liu, Luo, Wang and Tang, Deep Learning Face Attributes in the Wild, ICCV 2015, arXiv:1411.7766.
"""

import io
import zipfile
from functools import partial

import numpy as np
import torch
from PIL import Image

from gancourse.data import archives
from gancourse.data.own.attributes import read_attributes
from gancourse.data.own.decoding import decode
from gancourse.data.own.reading import in_threads
from gancourse.data.packed import packed
from gancourse.data.source import Column, ImageData
from gancourse.errors import DataError, choose

SIZE = 64  # pixels a side, unless another size is asked for
SPLITS = {"train": 0, "valid": 1, "test": 2}  # as the list of the partition numbers them

PAGE = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
# The authors give the files to people, on Google Drive, whose daily quota is often used up. These
# addresses work for programs as long as it is not.
_DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="


def _download(file, size, sha256, *addresses):
    return archives.Download(
        dataset="celeba", file=file, size=size, sha256=sha256, addresses=addresses, page=PAGE
    )


# Sizes and SHA-256 as TensorFlow Datasets publishes them (url_checksums/celeb_a.txt in
# github.com/tensorflow/datasets), for the files of these numbers on Google Drive. torchvision
# (torchvision/datasets/celeba.py) gives an MD5 for the same numbers, in the same order:
# 00d2c5bc6d35e252742224ab0c1e8fcb, 75e246fa4810816ffd6ee81facbd244c and
# d32c9cbf5e040fd4025c592c306e6668. The archive's first address is that of PyTorch's tutorials
# (.jenkins/download_data.py in github.com/pytorch/tutorials), where it has the same SHA-256.
IMAGES = _download(
    "img_align_celeba.zip",
    1_443_490_838,
    "46fb89443c578308acf364d7d379fe1b9efb793042c0af734b6112e4fd3a8c74",
    "https://s3.amazonaws.com/pytorch-tutorial-assets/img_align_celeba.zip",
    _DRIVE + "0B7EVK8r0v71pZjFTYXZWM3FlRnM",
)
ATTRIBUTES = _download(
    "list_attr_celeba.txt",
    26_721_026,
    "f0e5da289d5ccf75ffe8811132694922b60f2af59256ed362afa03fefba324d0",
    _DRIVE + "0B7EVK8r0v71pblRyaVFSWGxPY0U",
)
PARTITION = _download(
    "list_eval_partition.txt",
    2_836_386,
    "fc955bcb3ef8fbdf7d5640d9a8693a8431b5f2ee291a5c1449a1549e7e073fe7",
    _DRIVE + "0B7EVK8r0v71pY0NSMzRuSXJEVkk",
)


def load(split="train"):
    """Return the faces of one of the authors' splits, once they are downloaded.

    The middle 178x178 of each picture is scaled down, the crop of StarGAN (``--celeba_crop_size
    178`` in github.com/yunjey/stargan); see :func:`gancourse.data.own.decoding.decode`. Scores
    published with another crop, such as the middle 108x108, are of pictures that show less around
    the face.

    Parameters
    ----------
    split : {"train", "valid", "test"}
        162,770, 19,867 and 19,962 faces, as the authors split them.

    Returns
    -------
    ImageData
        uint8 (N, 3, 64, 64) unless resized, with 40 ``attributes`` and no labels. Decoded once
        for each size, and kept in the cache folder; with ``limit`` only the first.

    Raises
    ------
    DataError
        If a list is missing, damaged, or of other pictures than the other list. The archive is
        checked when the first picture is needed.
    """
    wanted = SPLITS[choose("split", split, SPLITS)]
    for download in (ATTRIBUTES, PARTITION):
        archives.verify(download)
    names, attribute_names, attributes = read_attributes(ATTRIBUTES.path)
    names = np.array(names)
    parts = read_partition(PARTITION.path, names)
    rows = np.flatnonzero(parts == wanted)
    if not len(rows):
        raise DataError(f"{PARTITION.path} assigns no picture to the {split} split ({wanted})")
    return ImageData(
        Column.read(partial(_packed, split, names[rows], set(names)), len(rows), SIZE),
        None,
        "celeba",
        attributes=torch.from_numpy(attributes[rows]),
        attribute_names=attribute_names,
    )


def read_partition(path, names):
    """Read which split each picture is in.

    Parameters
    ----------
    path : pathlib.Path
    names : numpy.ndarray of str, (N,)
        The pictures of the list of attributes.

    Returns
    -------
    int numpy.ndarray, (N,)
        A value of ``SPLITS`` for each name.

    Raises
    ------
    DataError
        If it is of another form, or of other pictures.
    """
    lines = path.read_text(encoding="utf-8").split("\n")
    rows = [line.strip().rsplit(None, 1) for line in lines if line.strip()]
    known = {str(number) for number in SPLITS.values()}
    if any(len(row) != 2 or row[1] not in known for row in rows):
        raise DataError(f"{path}: each line should be a picture's name and 0, 1 or 2")
    _compare(names, [row[0] for row in rows], ATTRIBUTES.path, path)
    parts = dict(rows)
    return np.array([int(parts[name]) for name in names])


def _compare(names, others, path, other_path):
    """Raise a DataError that names the difference, unless two lists are of the same pictures."""
    names, others = set(names), set(others)
    for more, less, where, lacking in (
        (names, others, path, other_path),
        (others, names, other_path, path),
    ):
        if more - less:
            some = ", ".join(sorted(more - less)[:3])
            raise DataError(
                f"{len(more - less):,} pictures of {where} are not in {lacking}, such as {some}: "
                "the files are not of one data set. Fetch them again."
            )


# Pictures


def _packed(split, names, all_names, count, image_size):
    """Return the first ``count`` pictures of a split, from the packed file of this size."""
    path = IMAGES.path.with_name(f"{split}-{image_size}-{IMAGES.sha256[:8]}.npy")
    rows = partial(_rows, names[:count], all_names, image_size)
    return packed(path, (count, 3, image_size, image_size), rows)


def _rows(names, all_names, image_size):
    """Yield the pictures of the archive, uint8 (3, image_size, image_size)."""
    archives.verify(IMAGES)
    try:
        with zipfile.ZipFile(IMAGES.path) as archive:
            inside = {
                name.rpartition("/")[2]: name
                for name in archive.namelist()
                if name.lower().endswith(".jpg")
            }
            _compare(all_names, inside, ATTRIBUTES.path, IMAGES.path)
            decode = partial(_decode, archive, image_size)
            yield from in_threads(decode, [inside[name] for name in names], "celeba")
    except zipfile.BadZipFile as problem:
        raise DataError(f"{IMAGES.path} cannot be read: {problem}. Fetch it again.") from problem


def _decode(archive, image_size, name):
    try:
        with Image.open(io.BytesIO(archive.read(name)), formats=("JPEG",)) as image:
            return decode(image, image_size)[0]
    except Exception as problem:  # Pillow's readers raise nearly everything on damaged files
        raise DataError(f"{name} in {IMAGES.path} cannot be read ({problem}).") from problem
