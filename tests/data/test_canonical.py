"""The papers' data sets, against archives that are served on this machine."""

import hashlib
import io
import tarfile
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from gancourse import data
from gancourse.data import archives, canonical, check, fetch, load
from gancourse.errors import CourseError, DataError


def image(value, size, **options):
    file = io.BytesIO()
    Image.new("L", size, value).save(file, "JPEG", quality=95, **options)
    return file.getvalue()


def pair(a, b, side=16):
    both = Image.new("L", (2 * side, side), a)
    both.paste(b, (side, 0, 2 * side, side))
    file = io.BytesIO()
    both.save(file, "JPEG", quality=95)
    return file.getvalue()


def tar_gz(files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def zipped(files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


# Photographs are brighter than 100, labels are darker, and the number is the difference.
FACADES = {f"facades/train/{n}.jpg": pair(200 + n, n) for n in range(12)}
FACADES |= {f"facades/val/{n}.jpg": pair(200 + n, n) for n in range(20, 23)}
FACADES |= {f"facades/test/{n}.jpg": pair(200 + n, n) for n in range(30, 32)}
HORSES = {f"horse2zebra/trainA/n0{n}_1.jpg": image(n, (20, 20)) for n in range(9)}
HORSES |= {f"horse2zebra/trainB/n0{n}_2.jpg": image(200 + n, (20, 20)) for n in range(7)}
HORSES |= {f"horse2zebra/testA/n0{n}_3.jpg": image(20 + n, (20, 20)) for n in range(3)}
HORSES |= {f"horse2zebra/testB/n0{n}_4.jpg": image(220 + n, (20, 20)) for n in range(2)}
# Large enough to be sent in more than one piece.
HORSES |= {"horse2zebra/notes.txt": np.random.default_rng(0).bytes(400_000)}


@pytest.fixture
def offer(server, cache, monkeypatch):
    """Serve an archive in place of that of a data set, and return what is to be downloaded."""

    def offer(name, content, **known):
        original = canonical.CANONICAL[name]
        path = f"/{name}/{original.download.file}"
        if original.download.sha256 is None:
            known = {"sha256": None} | known
        download = server.offer(path, content, **known)
        patched = replace(original, download=download)
        monkeypatch.setitem(canonical.CANONICAL, name, patched)
        listed = replace(data.DATASETS[name], downloads=(download,))
        monkeypatch.setitem(data.DATASETS, name, listed)
        return download

    return offer


def values(side):
    return side.pixels[:, 0, 4, 4].tolist()


def near(found, expected):
    """JPEG is a unit or two off."""
    return len(found) == len(expected) and all(
        abs(a - b) <= 2 for a, b in zip(sorted(found), expected, strict=True)
    )


def test_pairs_come_from_the_labels_to_the_photograph(offer):
    offer("facades", tar_gz(FACADES))
    fetch("facades")
    paired = load("facades", image_size=8)
    assert (len(paired), paired.shape, [*paired.fields]) == (12, (3, 8, 8), ["input", "target"])
    assert near(values(paired.a), range(12))
    assert all(190 <= b - a <= 210 for a, b in zip(values(paired.a), values(paired.b), strict=True))
    assert near(values(load("facades", split="test", image_size=8).a), range(30, 32))
    assert near(values(load("facades", split="valid", image_size=8).a), range(20, 23))


def test_the_unpaired_sets_have_the_authors_parts(offer):
    offer("horse2zebra", zipped(HORSES))
    fetch("horse2zebra")
    training = load("horse2zebra", image_size=8)
    assert near(values(training.a), range(9))
    assert near(values(training.b), range(200, 207))
    testing = load("horse2zebra", split="test", image_size=8)
    assert near(values(testing.a), range(20, 23))
    assert (len(testing.b), testing.hidden) == (2, None)
    assert (training.jitter, testing.jitter) == (30, 0)


def test_pictures_are_decoded_once_and_then_need_no_archive(offer, cache):
    download = offer("facades", tar_gz(FACADES))
    fetch("facades")
    first = load("facades", image_size=8, limit=5)
    both = first.a.pixels, first.b.pixels
    download.path.unlink()
    for picture in cache.rglob("*.jpg"):
        picture.write_bytes(b"")
    again = load("facades", image_size=8, limit=5)
    assert torch.equal(both[0], again.a.pixels)
    assert torch.equal(both[1], again.b.pixels)


def test_what_is_downloaded_is_checked_and_described(offer):
    offer("facades", tar_gz(FACADES))
    report = fetch("facades")
    assert "facades.tar.gz: as it was at the first download" in report
    assert "train <facades: 12 pairs (3, 64, 64) -> (3, 64, 64)" in report
    offer("horse2zebra", zipped(HORSES))
    report = fetch("horse2zebra")
    assert "horse2zebra.zip: as it was published" in report
    assert "test  <horse2zebra: 3 and 2 unpaired pictures" in report
    assert check("horse2zebra") == report


def test_nothing_is_downloaded_unless_it_is_asked_for(offer, server):
    offer("horse2zebra", zipped(HORSES))
    with pytest.raises(DataError, match="gancourse data fetch horse2zebra"):
        load("horse2zebra")
    assert server.asked == []


# Downloads that go wrong


def test_a_truncated_archive_is_completed_by_the_next_call(offer, server, cache):
    content = zipped(HORSES)
    download = offer("horse2zebra", content)
    server.break_after["/horse2zebra/horse2zebra.zip"] = [len(content) // 2, 0]
    with pytest.raises(DataError, match="kept"):
        fetch("horse2zebra")
    with pytest.raises(DataError, match=r"zip is missing"):
        load("horse2zebra")
    begun = download.part.stat().st_size
    fetch("horse2zebra")
    assert server.asked[-1].begin == begun > 0
    assert len(load("horse2zebra").a) == 9


def test_an_archive_with_another_hash_is_refused(offer, cache):
    offer("horse2zebra", zipped(HORSES), sha256=hashlib.sha256(b"other").hexdigest())
    with pytest.raises(DataError, match="SHA-256"):
        fetch("horse2zebra")
    assert list((cache / "horse2zebra").iterdir()) == []


def test_the_next_address_is_tried_when_one_fails(offer, server, no_server):
    download = offer("facades", tar_gz(FACADES))
    server.files["/cut"] = tar_gz(FACADES)[:-50]
    mirrors = (no_server + "/facades.tar.gz", server.address + "/cut", *download.addresses)
    archives.fetch(replace(download, addresses=mirrors))
    assert len(load("facades")) == 12


@pytest.mark.parametrize("entry", ["../outside.jpg", "/outside.jpg", "facades/../../outside.jpg"])
@pytest.mark.parametrize("name", ["facades", "horse2zebra"])
def test_an_entry_outside_the_folder_is_refused_and_nothing_is_unpacked(offer, cache, name, entry):
    files, pack = (FACADES, tar_gz) if name == "facades" else (HORSES, zipped)
    download = offer(name, pack(files | {entry: b"x"}))
    archives.fetch(download)
    with pytest.raises(DataError, match=r"outside"):
        load(name)
    assert list(cache.parent.rglob("outside.jpg")) == []
    assert list(cache.rglob("*.jpg")) == []


def test_a_web_page_in_place_of_an_archive_is_told_and_replaced(offer):
    download = offer("facades", tar_gz(FACADES), size=None)
    download.path.parent.mkdir(parents=True)
    download.path.write_bytes(b"<html>This page has moved</html>")  # saved by hand
    with pytest.raises(DataError, match=r"facades\.tar\.gz .*web page"):
        load("facades")
    assert "12 pairs" in fetch("facades")


def test_an_archive_that_is_refused_is_not_what_the_next_one_is_held_to(offer):
    download = offer("facades", tar_gz(FACADES), size=None)
    download.path.parent.mkdir(parents=True)
    download.path.write_bytes(tar_gz({"../outside.jpg": b"x"}))
    with pytest.raises(DataError, match=r"outside"):
        fetch("facades")
    download.path.unlink()
    assert "12 pairs" in fetch("facades")


def test_an_archive_of_something_else_is_told(offer):
    offer("facades", tar_gz({"facades/readme.txt": b"moved"}))
    with pytest.raises(DataError, match=r"0 pictures .*readme.txt"):
        fetch("facades")
    offer("horse2zebra", zipped({"horse2zebra/trainA/1.jpg": image(1, (8, 8))}))
    with pytest.raises(DataError, match=r"1 pictures of A .*none of B"):
        fetch("horse2zebra")


def test_a_picture_that_cannot_be_read_is_named_and_nothing_is_kept_of_the_rest(offer, cache):
    files = FACADES | {"facades/train/3.jpg": FACADES["facades/train/3.jpg"][:300]}
    offer("facades", tar_gz(files))
    fetch("facades")
    with pytest.raises(DataError, match=r"train/3\.jpg \("):
        load("facades", image_size=8).a.images()
    assert list(cache.rglob("*.npy*")) == []


def test_a_split_that_is_none_is_told(offer):
    offer("facades", tar_gz(FACADES))
    fetch("facades")
    with pytest.raises(CourseError, match="split 'all'"):
        load("facades", split="all")


def test_the_facts_are_complete():
    for name, known in canonical.CANONICAL.items():
        download = known.download
        assert download.dataset == name
        assert len(download.addresses) == 3
        assert all(address.endswith(download.file) for address in download.addresses)
        if download.sha256:
            assert len(download.sha256) == 64
            assert download.size > 70_000_000
    published = [known.download.sha256 for known in canonical.CANONICAL.values()]
    assert len(set(published) - {None}) == 4
    assert [n for n, known in canonical.CANONICAL.items() if known.swapped] == ["facades"]
