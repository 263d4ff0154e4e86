"""Decoded pictures on the disk: a large download is decoded once for each size."""

import contextlib
import os
from math import prod

import numpy as np
import torch

from gancourse.files.cache import locked, writing


def packed(path, shape, rows):
    """Return pictures from a file, which is written when it is missing, damaged, or holds fewer.

    Parameters
    ----------
    path : pathlib.Path
        In the cache folder; its name must differ for other pictures, and for other sizes.
    shape : tuple of int
        (N, C, H, W) of the pictures that are wanted.
    rows : callable
        Returns an iterator of N uint8 arrays (C, H, W); called only to write the file.

    Returns
    -------
    uint8 torch.Tensor, (N, C, H, W)
        Mapped from the disk: what is read takes memory; what is written does not reach the file.

    Raises
    ------
    DataError
        If the file cannot be written. Nothing is left behind then.
    """
    pixels = _stored(path, shape)
    if pixels is None:
        with locked(path.parent):
            pixels = _stored(path, shape)  # another process may have been at work
            if pixels is None:
                _write(path, shape, rows)
                pixels = np.load(path, mmap_mode="c", allow_pickle=False)
    return torch.from_numpy(pixels)


def _stored(path, shape):
    """Return the first pictures of a file; None if it is not there, or not whole."""
    with contextlib.suppress(OSError, ValueError, EOFError):
        pixels = np.load(path, mmap_mode="c", allow_pickle=False)
        if pixels.dtype == np.uint8 and pixels.shape[1:] == shape[1:] and len(pixels) >= shape[0]:
            return pixels[: shape[0]]
    return None


def _write(path, shape, rows):
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    for old in path.parent.glob(f"{path.name}.*.part"):  # of a killed process
        old.unlink()
    part = path.with_name(f"{path.name}.part")
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    try:
        with writing(path, prod(shape)), open(part, "wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for pixels in rows():
                file.write(pixels.tobytes())
            file.flush()
            os.fsync(file.fileno())  # else a power cut could leave black pictures
        with writing(path, prod(shape)):
            os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
