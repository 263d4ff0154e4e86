"""Decoded pictures on the disk: a large download is decoded once for each size."""

import contextlib
import os
from math import prod

import numpy as np
import torch

from gancourse.data.archives import writing


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
    with contextlib.suppress(OSError, ValueError, EOFError):  # not there, or not whole
        pixels = np.load(path, mmap_mode="c", allow_pickle=False)
        if pixels.dtype == np.uint8 and pixels.shape[1:] == shape[1:] and len(pixels) >= shape[0]:
            return torch.from_numpy(pixels[: shape[0]])
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    try:
        with writing(path, prod(shape)), open(part, "wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for pixels in rows():
                file.write(pixels.tobytes())
        with writing(path, prod(shape)):
            os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return torch.from_numpy(np.load(path, mmap_mode="c", allow_pickle=False))
