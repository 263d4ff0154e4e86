"""A picture from the reader's disk: taken, or refused with a message, and never an exception."""

import io
import struct
import tempfile
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from gancourse.errors import DataError
from gancourse.widgets.upload import Upload, read_picture


def content(kind="PNG", size=(40, 30), **options):
    file = io.BytesIO()
    Image.new("RGB", size, (255, 0, 0)).save(file, kind, **options)
    return file.getvalue()


def huge():
    parts = b"IHDR" + struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0), b"IDAT"
    chunks = (struct.pack(">I", len(p) - 4) + p + struct.pack(">I", zlib.crc32(p)) for p in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM"])
@pytest.mark.parametrize(
    "name",
    ["a.png", "", "../../etc/passwd", "n" * 5000, "a\0b", "\x1b[31m.jpg", "\udce9.png", "CON"],
)
def test_a_picture_is_taken_whatever_its_name(kind, name):
    picture = read_picture(name, content(kind), 16)
    assert picture.shape == (1, 3, 16, 16)
    assert torch.allclose(picture[0, :, 8, 8], torch.tensor([1.0, -1, -1]), atol=0.05)


@pytest.mark.parametrize("place", ["missing", "file"])
def test_no_temporary_folder_is_needed(monkeypatch, tmp_path, place):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / place))
    assert read_picture("a.png", content(), 8).shape == (1, 3, 8, 8)


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
REFUSED = {
    "empty": ("a.png", b"", "0 bytes"),
    "text": ("a.png", b"hello", "not a picture"),
    "postscript": ("a.png", EPS, "not a picture"),
    "pdf": ("a.png", b"%PDF-1.4\n", "not a picture"),
    "cut-off": ("a.png", content()[:50], ""),
    "rows-missing": ("a.jpg", content("JPEG")[:300], ""),
    "huge": ("a.png", huge(), "scale it down"),
    "raw-of-a-camera": ("a.NEF", content(), "JPEG or PNG"),
    "drawing": ("a.svg", b"<svg/>", "JPEG or PNG"),
    "noise": ("a.png", np.random.default_rng(0).bytes(5000), "not a picture"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_this_is_refused_with_a_message(kind):
    name, data, reason = REFUSED[kind]
    with pytest.raises(DataError, match=rf"{name} cannot be read: .*{reason}"):
        read_picture(name, data, 16)


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize(
    "facts",
    [{}, {"name": "a\x1b[31m.png"}, {"name": None, "size": 10**9}, {"problem": "it has gone"}],
    ids=["nothing", "odd-name", "no-name", "problem"],
)
def test_what_arrives_in_the_kernel_never_raises_anything_but_a_message(kind, facts):
    found = []

    def take(name, read):
        assert name.isprintable()
        try:
            found.append(read(16))
        except DataError as problem:
            found.append(str(problem))

    upload = Upload(take)
    for buffers in ([], [memoryview(REFUSED[kind][1])]):
        upload._received(upload, facts, buffers)
    assert len(found) == 2
    assert all(torch.is_tensor(result) or result.isprintable() for result in found)
