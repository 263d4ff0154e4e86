"""The data sets of the Pix2Pix and CycleGAN papers, as their authors offer them for download."""

from dataclasses import dataclass
from functools import partial

from gancourse.data import archives, own, unpacking
from gancourse.data.own.files import is_litter
from gancourse.data.own.layout import Sides
from gancourse.data.own.reading import SIZE, rows
from gancourse.data.packed import packed
from gancourse.data.source import Column
from gancourse.errors import DataError

PIX2PIX = "efrosgans.eecs.berkeley.edu/pix2pix/datasets"
CYCLEGAN = "efrosgans.eecs.berkeley.edu/cyclegan/datasets"
# The authors' addresses of the years before, which TensorFlow Datasets checked its hashes at.
FORMERLY = "https://people.eecs.berkeley.edu/~"


@dataclass(frozen=True, kw_only=True)
class Canonical:
    """One data set of a paper.

    Attributes
    ----------
    download : gancourse.data.archives.Download
    kind : {"pairs", "unpaired"}
    swapped : bool
        Whether A, what goes in, is on the right of the authors' files.
    """

    download: archives.Download
    kind: str
    swapped: bool = False


def _pairs(name, size, swapped=False):
    file = f"{name}.tar.gz"
    addresses = (
        f"https://{PIX2PIX}/{file}",
        f"http://{PIX2PIX}/{file}",
        f"{FORMERLY}tinghuiz/projects/pix2pix/datasets/{file}",
    )
    download = archives.Download(
        dataset=name,
        file=file,
        size=size,
        sha256=None,
        addresses=addresses,
        page="https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix",
    )
    return Canonical(download=download, kind="pairs", swapped=swapped)


def _unpaired(name, size, sha256, archive=None):
    file = f"{archive or name}.zip"
    addresses = (
        f"https://{CYCLEGAN}/{file}",
        f"http://{CYCLEGAN}/{file}",
        f"{FORMERLY}taesung_park/CycleGAN/datasets/{file}",
    )
    download = archives.Download(
        dataset=name,
        file=file,
        size=size,
        sha256=sha256,
        addresses=addresses,
        page="https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix",
    )
    return Canonical(download=download, kind="unpaired")


# Addresses: datasets/download_*_dataset.sh in github.com/junyanz/pytorch-CycleGAN-and-pix2pix.
# Sizes and SHA-256 of the .zip files: url_checksums/cycle_gan.txt in
# github.com/tensorflow/datasets. Nobody publishes a hash of the .tar.gz files that we know of; the
# sizes of facades and maps were published by others, that of edges2shoes its server is asked for.
CANONICAL = {
    # The authors' files have the photograph on the left: their scripts train it --direction BtoA.
    "facades": _pairs("facades", 30_168_306, swapped=True),
    "maps": _pairs("maps", 250_242_400),
    "edges2shoes": _pairs("edges2shoes", None),
    "horse2zebra": _unpaired(
        "horse2zebra",
        116_867_962,
        "a74d9d392eecca9966b51287a76ca126af473d9de4f3e8fc0e9cda08fa1730a1",
    ),
    "apple2orange": _unpaired(
        "apple2orange",
        78_456_409,
        "845a191e9af8926408ea597001cd03a452e3300a1f44a79fe329b3d59f6e3eb8",
    ),
    "summer2winter": _unpaired(
        "summer2winter",
        132_640_856,
        "167fe1726807a9d22bd106b4a6c0bd7953b688af924ac1bf967439c4961e49f9",
        "summer2winter_yosemite",
    ),
    "monet2photo": _unpaired(
        "monet2photo",
        305_231_073,
        "88f91b00fc228f97c9411fbf1880ec1d119c98f1722e4cfcfaa2fb35fac05b04",
    ),
}


def load(name, split="train"):
    """Return a data set of the papers, once its archive is here.

    The archive is unpacked beside itself at the first call. The pictures are decoded once for each
    size, and kept there too.

    Parameters
    ----------
    name : str
        One of ``CANONICAL``.
    split : {"train", "valid", "test"}
        The authors' splits; see :func:`gancourse.data.own.load_pairs`.

    Returns
    -------
    PairedImages or UnpairedImages
        uint8 (N, 3, 64, 64) on both sides unless resized; for training, cut and mirrored at random
        as in the papers.

    Raises
    ------
    DataError
        If the archive is not here, damaged, cannot be unpacked, or holds something else.
    """
    canonical = CANONICAL[name]
    folder = _unpacked(canonical.download)
    inside = [entry for entry in folder.iterdir() if not is_litter(entry)]
    sides = Sides(inside[0] if len(inside) == 1 else folder, canonical.kind)
    taken = sides.take(split)

    def column(records, part, channels):
        def read(count, size):
            path = folder.with_name(f"{folder.name}-{part}-{size}.npy")
            shape = (count, channels, size, size)
            return packed(path, shape, partial(rows, name, records[:count], size))

        return Column.read(read, len(records), SIZE, channels)

    if canonical.kind == "pairs":
        data = own.paired(column(*taken, split, 6), name, split)
        return data.swapped() if canonical.swapped else data
    columns = [column(side, f"{split}{ab}", 3) for side, ab in zip(taken, "AB", strict=True)]
    return own.unpaired(columns, name, split)


def _unpacked(download):
    """Return the folder with the archive's content; its name holds the archive's hash."""
    if download.known_hash is None:
        archives.verify(download)
    folder = download.path.with_name(f"{download.dataset}-{download.known_hash[:8]}")
    if not folder.is_dir():
        archives.verify(download)
        try:
            unpacking.unpack(download.path, folder)
        except DataError:
            if download.sha256 is None:  # the next file must not be checked against a bad one
                download.record.unlink(missing_ok=True)
            raise
    return folder
