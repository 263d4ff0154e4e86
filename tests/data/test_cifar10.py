"""CIFAR-10, with a miniature of its archive: 4 pictures in each file."""

import io
import tarfile
from dataclasses import replace

import numpy as np
import pytest
import torch

from gancourse.data import DATASETS, check, cifar10, fetch, load
from gancourse.errors import DataError

FILES = (*cifar10.FILES["train"], *cifar10.FILES["test"])


def rows(seed, count=4):
    """Random pictures; the label of picture i of the whole archive is i % 10."""
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 3072), np.uint8)
    labels = (np.arange(count, dtype=np.uint8) + 4 * seed) % 10
    return np.column_stack([labels, pixels])


def archive(files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


GOOD = {name: rows(seed).tobytes() for seed, name in enumerate(FILES)}


@pytest.fixture
def offer(server, cache, monkeypatch):
    """Put an archive of these files where CIFAR-10's is downloaded from."""

    def offer(files):
        download = server.offer("/cifar10/cifar-10-binary.tar.gz", archive(files))
        monkeypatch.setattr(cifar10, "ARCHIVE", download)
        known = replace(DATASETS["cifar10"], downloads=(download,))
        monkeypatch.setitem(DATASETS, "cifar10", known)
        return download

    return offer


def test_nothing_is_downloaded_before_it_is_asked_for(offer, server):
    offer(GOOD)
    for call in (load, check):
        with pytest.raises(DataError, match="gancourse data fetch cifar10"):
            call("cifar10")
    assert server.asked == []


def test_pictures_and_labels_are_those_of_the_files(offer):
    offer(GOOD)
    report = fetch("cifar10", progress=False)
    assert "as it was published" in report
    assert "20 pictures of (3, 32, 32)" in report
    train, test = (load("cifar10", split=split) for split in ("train", "test"))
    assert train.pixels.shape == (20, 3, 32, 32)
    assert train.labels.tolist() == [i % 10 for i in range(20)]
    assert test.labels.tolist() == [0, 1, 2, 3]
    assert (test.num_classes, test.classes[3]) == (10, "cat")
    # Byte 1 + 1024 c + 32 y + x is channel c at (y, x).
    second = rows(1)[2]
    assert train.pixels[6, 2, 5, 7] == second[1 + 2048 + 5 * 32 + 7]
    assert torch.equal(test.pixels, torch.from_numpy(rows(5)[:, 1:].reshape(4, 3, 32, 32)))


def test_the_archive_is_unpacked_once(offer, cache):
    offer(GOOD)
    fetch("cifar10", progress=False)
    file = cache / "cifar10" / "unpacked" / "cifar-10-batches-bin" / "test_batch.bin"
    before = file.stat().st_mtime_ns
    load("cifar10")
    assert file.stat().st_mtime_ns == before


def test_pictures_are_resized_and_limited(offer):
    offer(GOOD)
    fetch("cifar10", progress=False)
    assert load("cifar10", image_size=64, limit=5).pixels.shape == (5, 3, 64, 64)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (rows(3).tobytes()[:-1], "12,291 bytes"),
        (b"", "0 bytes"),
        (b"\x0a" + rows(3).tobytes()[1:], "labels up to 10"),
        (None, "No such file"),
    ],
    ids=["truncated", "empty", "label-of-no-class", "missing"],
)
def test_a_file_that_is_wrong_inside_is_named_with_the_remedy(offer, content, message):
    files = {**GOOD, "data_batch_4.bin": content}
    download = offer({name: content for name, content in files.items() if content is not None})
    download.path.parent.mkdir(parents=True)
    download.path.write_bytes(archive({}))
    with pytest.raises(DataError, match="damaged"):
        load("cifar10")
    with pytest.raises(DataError) as caught:
        fetch("cifar10", progress=False)
    assert "data_batch_4.bin" in str(caught.value)
    assert message in str(caught.value)
    assert f"Delete the folder {download.path.with_name('unpacked')}" in str(caught.value)


def test_a_truncated_archive_is_told(offer):
    download = offer(GOOD)
    fetch("cifar10", progress=False)
    download.path.write_bytes(download.path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"damaged.*gancourse data fetch cifar10"):
        load("cifar10")


def test_an_archive_with_another_hash_is_refused(offer, monkeypatch):
    download = replace(offer(GOOD), sha256="0123456789abcdef" * 4)
    known = replace(DATASETS["cifar10"], downloads=(download,))
    monkeypatch.setitem(DATASETS, "cifar10", known)
    with pytest.raises(DataError, match="expected 0123456789abcdef"):
        fetch("cifar10", progress=False)
    assert not download.path.exists()


def test_the_published_facts_are_complete():
    (download,) = DATASETS["cifar10"].downloads
    assert len(bytes.fromhex(download.sha256)) == 32
    assert all(address.endswith("/" + download.file) for address in download.addresses)
    assert len(cifar10.CLASSES) == 10
