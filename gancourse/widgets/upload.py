"""A picture from the reader's disk, checked before anything is done with it."""

import tempfile
import warnings
from pathlib import Path, PurePath

import anywidget
import torch
import traitlets

from gancourse.data.own import files, reading
from gancourse.errors import DataError

MOST = 9_000_000  # bytes; Jupyter's server ends a connection at a message of 10 MiB


class Upload(anywidget.AnyWidget):
    """A button that opens a picture.

    ipywidgets' own sends a file of any size, and one beyond the server's limit costs the
    connection to the kernel.

    Parameters
    ----------
    take : callable
        ``take(name, read)`` is called when a file has been chosen; ``read(size)`` returns the
        picture, or raises a DataError, see :func:`read_picture`.
    """

    _esm = Path(__file__).with_name("upload.js")

    label = traitlets.Unicode("Open a picture …").tag(sync=True)
    most = traitlets.Int(MOST).tag(sync=True)

    def __init__(self, take, **options):
        super().__init__(**options)
        self._take = take
        self.on_msg(self._received)

    def _received(self, _, facts, buffers):
        name = str(facts.get("name", ""))

        def read(size):
            if facts.get("problem"):
                raise DataError(f"{name} could not be read: {facts['problem']}")
            if not buffers:
                raise DataError(
                    f"{files.shown(name)} has {facts['size'] / 1e6:.1f} MB, and at most "
                    f"{self.most / 1e6:.0f} MB are taken: scale the picture down."
                )
            return read_picture(name, bytes(buffers[0]), size)

        self._take(name, read)


def read_picture(name, content, size):
    """Read a picture that arrived as bytes, as if it lay in a folder of pictures.

    Parameters
    ----------
    name : str
        The file's name; its ending tells kinds that cannot be read.
    content : bytes
    size : int
        Pixels a side: the picture is turned as its EXIF tag says, and its middle is taken.

    Returns
    -------
    Tensor, (1, 3, size, size)
        In [-1, 1].

    Raises
    ------
    DataError
        If it is no picture, damaged or too large; the message says what to do.
    """
    ending = PurePath(name).suffix.lower()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")  # large pictures, odd EXIF tags
        known = files.ENDINGS + files.FOREIGN
        path = Path(folder, f"picture{ending if ending in known else ''}")
        path.write_bytes(content)
        seen = reading.look(files.Picture(path, name), size)
    if seen.problem:
        raise DataError(f"{files.shown(name)} cannot be read: {seen.problem}.")
    return torch.from_numpy(seen.pixels.copy())[None] / 127.5 - 1
