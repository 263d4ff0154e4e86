"""Archives for tests."""

import io
import tarfile
import zipfile

import numpy as np

CONTENT = np.random.default_rng(0).bytes(500_000)
GOOD = {"a.txt": b"first", "deep/er/b.bin": CONTENT}


def make_zip(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def make_tar(path, entries, kind="w"):
    with tarfile.open(path, kind) as archive:
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path
