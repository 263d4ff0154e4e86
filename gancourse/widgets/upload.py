"""A picture from the reader's disk, checked before anything is done with it."""

import io
from functools import partial
from pathlib import Path, PurePath

import anywidget
import torch
import traitlets

from gancourse.data.own import files, reading
from gancourse.errors import DataError

MOST = 9_000_000  # bytes; Jupyter's server ends a connection at a message of 10 MiB


class Upload(anywidget.AnyWidget):
    """A button that opens a picture.

    The upload button of ipywidgets sends files of any size; beyond the server's limit the
    connection to the kernel is lost.

    Parameters
    ----------
    take : callable
        ``take(name, read)`` is called when a file has been chosen; ``read(size)`` returns the
        picture, or raises a DataError, see :func:`read_picture`.

    Attributes
    ----------
    label : str
        Text of the button.
    most : int
        Bytes of the largest file that is sent.
    """

    _esm = Path(__file__).with_name("upload.js")

    label = traitlets.Unicode("Open a picture …").tag(sync=True)
    most = traitlets.Int(MOST).tag(sync=True)

    def __init__(self, take, **options):
        super().__init__(**options)
        self._take = take
        self.on_msg(self._received)

    def _received(self, _, facts, buffers):
        name = files.shown(facts.get("name", ""))

        def read(size):
            if facts.get("problem"):
                raise DataError(f"{name} could not be read: {facts['problem']}")
            if not buffers:
                raise DataError(
                    f"{name} has {facts.get('size', 0) / 1e6:.1f} MB, and the limit is "
                    f"{self.most / 1e6:.0f} MB: scale the picture down."
                )
            return read_picture(name, bytes(buffers[0]), size)

        self._take(name, read)


def read_picture(name, content, size):
    """Read a picture from the bytes of a file, as one in a folder of pictures is read.

    Parameters
    ----------
    name : str
        The file's name; its ending serves to name a format that cannot be read.
    content : bytes
    size : int
        Pixels a side: the picture is turned as its EXIF tag says, and cropped to its middle.

    Returns
    -------
    Tensor, (1, 3, size, size)
        In [-1, 1].

    Raises
    ------
    DataError
        If it is no picture, or damaged, or too large.
    """
    if PurePath(name).suffix.lower() in files.FOREIGN:
        seen = reading.UNREAD
    else:
        with reading.quiet():
            seen = reading.look_into(partial(io.BytesIO, content), size)
    if seen.problem:
        raise DataError(f"{files.shown(name)} cannot be read: {seen.problem}.")
    return torch.from_numpy(seen.pixels.copy())[None] / 127.5 - 1
