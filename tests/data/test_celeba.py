"""CelebA, with a miniature of its three files: 12 faces and 3 attributes."""

import io
import os
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from gancourse.data import DATASETS, celeba, check, fetch, load
from gancourse.errors import CourseError, DataError
from gancourse.files.cache import cache_folder
from gancourse.training import runtime

COUNT = 12
NAMES = [f"{i:06}.jpg" for i in range(1, COUNT + 1)]
PARTS = [0] * 8 + [1] + [2] * 3
# The first is true of every second face, the next of every third, the last of all.
VALUES = [[1 if i % 2 else -1, 1 if i % 3 else -1, 1] for i in range(COUNT)]


def face(i):
    """178x218: red says which face it is, in green a frame above and below the square."""
    pixels = np.zeros((218, 178, 3), np.uint8)
    pixels[:20, :, 1] = pixels[198:, :, 1] = 255
    pixels[20:198, :, 0] = 20 * i
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def archive(faces):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("img_align_celeba/", b"")
        for name, content in faces.items():
            file.writestr(f"img_align_celeba/{name}", content)
    return stream.getvalue()


def attribute_list(names=NAMES, values=VALUES, header="Odd Third All ", count=None):
    rows = (
        f"{name} {' '.join(f'{value:2}' for value in row)}"
        for name, row in zip(names, values, strict=True)
    )
    return "\n".join([str(count or len(names)), header, *rows, ""]).encode()


def partition_list(names=NAMES, parts=PARTS):
    return "".join(f"{name} {part}\n" for name, part in zip(names, parts, strict=True)).encode()


FACES = {name: face(i) for i, name in enumerate(NAMES)}


@pytest.fixture
def offer(server, cache, monkeypatch):
    """Put a miniature where CelebA is downloaded from, and describe it."""

    def offer(faces=FACES, attributes=None, partition=None):
        contents = {
            "IMAGES": ("img_align_celeba.zip", archive(faces)),
            "ATTRIBUTES": ("list_attr_celeba.txt", attributes or attribute_list()),
            "PARTITION": ("list_eval_partition.txt", partition or partition_list()),
        }
        downloads = {}
        for constant, (file, content) in contents.items():
            downloads[file] = server.offer(f"/celeba/{file}", content, page=celeba.PAGE)
            monkeypatch.setattr(celeba, constant, downloads[file])
        known = replace(DATASETS["celeba"], downloads=tuple(downloads.values()))
        monkeypatch.setitem(DATASETS, "celeba", known)
        return downloads

    return offer


def place(server, downloads):
    """Put the files where a person would, without the download."""
    for file, download in downloads.items():
        download.path.parent.mkdir(parents=True, exist_ok=True)
        download.path.write_bytes(server.files[f"/celeba/{file}"])


def packed():
    return sorted(path.name for path in (cache_folder() / "celeba").glob("*.npy*"))


def which(data):
    """Which faces these are, by their colour."""
    return (data.pixels[:, 0].float().mean((1, 2)) / 20).round().int().tolist()


# Loading


@pytest.fixture
def small(offer, server):
    downloads = offer()
    place(server, downloads)
    return downloads


def test_each_split_has_its_faces_in_order_with_their_attributes(small):
    splits = {split: load("celeba", split=split, image_size=16) for split in celeba.SPLITS}
    for (split, data), faces in zip(
        splits.items(), (range(8), range(8, 9), range(9, 12)), strict=True
    ):
        assert which(data) == list(faces), split
        expected = [[float(value == 1) for value in VALUES[i]] for i in faces]
        assert data.attributes.tolist() == expected
        assert data.attribute_names == ("Odd", "Third", "All")
        assert (data.labels, data.num_classes) == (None, 0)


def test_the_middle_178_pixels_are_scaled_down(small):
    data = load("celeba", image_size=89)
    assert data.pixels.dtype == torch.uint8
    assert data.pixels.shape == (8, 3, 89, 89)
    assert data.pixels[:, 1, 2:-2].max() < 20  # nothing of the frame above and below
    assert load("celeba").shape == (3, 64, 64)


def test_batches_have_the_attributes_of_their_faces(small):
    data = load("celeba", image_size=8)
    batch = data.batch(1, 4, runtime.start(device="cpu"))
    assert set(batch) == {"real", "attributes"}
    assert batch["attributes"].dtype == torch.float32
    for image, attributes in zip(batch["real"], batch["attributes"], strict=True):
        i = round(((image[0].mean().item() + 1) * 127.5) / 20)
        assert attributes.tolist() == data.attributes[i].tolist()
    few = data.first(3)
    assert len(few.attributes) == len(few.pixels) == 3


def test_pictures_are_decoded_once_and_then_need_no_archive(small):
    first = load("celeba", image_size=16).pixels.clone()
    small["img_align_celeba.zip"].path.unlink()
    again = load("celeba", image_size=16).pixels
    assert torch.equal(again, first)
    again[:] = 7  # a reader's own changes don't reach the file
    assert torch.equal(load("celeba", image_size=16).pixels, first)
    with pytest.raises(DataError, match=r"img_align_celeba\.zip is missing"):
        load("celeba", image_size=17).images()


def test_with_a_limit_only_so_many_are_decoded_and_later_more(small, monkeypatch):
    decode, decoded = celeba._decode, []
    monkeypatch.setattr(
        celeba, "_decode", lambda *given: decoded.append(given[-1]) or decode(*given)
    )
    assert which(load("celeba", image_size=8, limit=3)) == [0, 1, 2]
    assert len(decoded) == 3
    assert which(load("celeba", image_size=8, limit=2)) == [0, 1]
    assert len(decoded) == 3
    assert which(load("celeba", image_size=8)) == list(range(8))
    assert len(decoded) == 11
    assert len(packed()) == 1


@pytest.mark.parametrize("damage", ["cut", "empty", "other"])
def test_a_packed_file_that_is_damaged_is_made_again(small, damage):
    expected = load("celeba", image_size=8).pixels.clone()
    path = cache_folder() / "celeba" / packed()[0]
    content = path.read_bytes()
    path.unlink()  # it may be mapped: written anew, not changed
    path.write_bytes({"cut": content[:-9], "empty": b"", "other": b"x" * len(content)}[damage])
    assert torch.equal(load("celeba", image_size=8).pixels, expected)


def test_an_interrupted_decoding_leaves_nothing_behind(small, monkeypatch):
    def interrupted(*given):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(celeba, "_decode", interrupted)
        with pytest.raises(KeyboardInterrupt):
            load("celeba", image_size=8).images()
    assert packed() == []
    assert which(load("celeba", image_size=8)) == list(range(8))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
def test_a_full_disk_is_told_with_what_is_needed(small):
    part = cache_folder() / "celeba" / f"train-300-{celeba.IMAGES.sha256[:8]}.npy.part"
    part.symlink_to("/dev/full")
    with pytest.raises(DataError, match=r"train-300-.*2\.1 MB.*disk is full"):
        load("celeba", image_size=300).images()
    assert packed() == []


# Fetching


def test_what_is_downloaded_is_checked_and_described(offer, server):
    offer()
    report = fetch("celeba", progress=False)
    assert report.count("as it was published") == 3
    assert "train <celeba: 8 pictures (3, 64, 64), 3 attributes" in report
    assert packed() == []  # minutes, which nobody asked for yet
    asked = len(server.asked)
    assert which(load("celeba", image_size=8)) == list(range(8))
    assert len(server.asked) == asked


def test_without_the_files_it_is_said_where_they_are_from_and_where_they_go(offer, server):
    downloads = offer()
    for call in (load, check):
        with pytest.raises(DataError) as caught:
            call("celeba")
        assert "gancourse data fetch celeba" in str(caught.value)
        assert celeba.PAGE in str(caught.value)
        assert str(cache_folder() / "celeba") in str(caught.value)
    assert server.asked == []
    for file in downloads:
        del server.files[f"/celeba/{file}"]
    with pytest.raises(DataError) as caught:
        fetch("celeba", progress=False)
    for part in ("answered 404", celeba.PAGE, str(celeba.IMAGES.path), celeba.IMAGES.sha256):
        assert part in str(caught.value)


def test_a_web_page_in_place_of_the_file_is_known_as_one(offer, server):
    """What Google Drive sends when the day's downloads of a file are used up."""
    downloads = offer()
    path = "/celeba/img_align_celeba.zip"
    server.files[path] = b"<!DOCTYPE html><title>Quota exceeded</title>"
    server.kinds[path] = "text/html; charset=utf-8"
    server.says_length = False
    with pytest.raises(DataError, match="web page"):
        fetch("celeba", progress=False)
    download = downloads["img_align_celeba.zip"]
    assert not download.path.exists()
    assert download.part.stat().st_size == 0


def test_the_published_facts_are_complete():
    for download in (celeba.IMAGES, celeba.ATTRIBUTES, celeba.PARTITION):
        assert download in DATASETS["celeba"].downloads
        assert len(bytes.fromhex(download.sha256)) == 32
        assert all(address.startswith("https://") for address in download.addresses)
        assert download.page == celeba.PAGE


# Files that are wrong


def test_a_truncated_archive_is_told(small):
    path = small["img_align_celeba.zip"].path
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"zip .*damaged.*SHA-256"):
        load("celeba", image_size=8).images()


@pytest.mark.parametrize("file", ["list_attr_celeba.txt", "list_eval_partition.txt"])
@pytest.mark.parametrize("how", ["missing", "other hash"])
def test_a_list_that_is_missing_or_has_another_hash_is_told(small, file, how):
    if how == "missing":
        small[file].path.unlink()
    else:
        small[file].path.write_bytes(b"x")
    told = "missing" if how == "missing" else "damaged: .*SHA-256"
    for call in (load, check):
        with pytest.raises(DataError, match=rf"{file} is {told}"):
            call("celeba")


def changed(rows, row, value):
    return [*rows[:row], value, *rows[row + 1 :]]


WRONG = {
    "attributes-of-a-picture-that-is-not-there": (
        {"faces": {name: FACES[name] for name in NAMES[:-2]}},
        r"2 .*list_attr_celeba\.txt .*zip.* 000011\.jpg, 000012",
    ),
    "pictures-without-attributes": (
        {"faces": {**FACES, "000099.jpg": FACES[NAMES[0]]}},
        r"1 .*zip .*list_attr_celeba\.txt.* 000099\.jpg",
    ),
    "partition-of-other-pictures": (
        {"partition": partition_list(changed(NAMES, 3, "x.jpg"))},
        r"1 .*list_attr_celeba\.txt .*partition\.txt.* 000004\.jpg",
    ),
    "partition-that-is-shorter": (
        {"partition": partition_list(NAMES[:-1], PARTS[:-1])},
        r"partition\.txt.* 000012\.jpg",
    ),
    "partition-of-another-form": (
        {"partition": partition_list().replace(b" ", b",")},
        r"partition\.txt.* 0, 1 or 2",
    ),
    "partition-with-a-fourth-part": (
        {"partition": partition_list(parts=changed(PARTS, 0, 3))},
        r"partition\.txt.* 0, 1 or 2",
    ),
    "partition-with-an-empty-split": (
        {"partition": partition_list(parts=[1] * COUNT)},
        r"partition\.txt .*train split",
    ),
    "attributes-cut-off": (
        {"attributes": attribute_list(NAMES[:-1], VALUES[:-1], count=COUNT)},
        r"list_attr_celeba\.txt .*11.*'12'",
    ),
    "attributes-without-the-count": (
        {"attributes": attribute_list().partition(b"\n")[2]},
        r"list_attr_celeba\.txt .*number of its pictures",
    ),
    "attributes-with-a-value-missing": (
        {"attributes": attribute_list(values=changed(VALUES, 5, [1, 1]))},
        "3 attributes.* has 2",
    ),
    "attributes-with-a-value-too-many": (
        {"attributes": attribute_list(header="Odd Third")},
        "2 attributes.* has 3",
    ),
    "attributes-with-a-word": (
        {"attributes": attribute_list(values=changed(VALUES, 5, ["a", "b", "c"]))},
        "3 attributes.*'000006.jpg a  b  c' has 0",
    ),
    "attributes-with-a-zero": (
        {"attributes": attribute_list(values=changed(VALUES, 5, [1, 0, 1]))},
        r"list_attr_celeba\.txt .*1 .*-1",
    ),
    "picture-that-is-none": (
        {"faces": {**FACES, NAMES[2]: b"not a picture"}},
        r"000003\.jpg in .*zip",
    ),
    "picture-that-is-truncated": (
        {"faces": {**FACES, NAMES[2]: FACES[NAMES[2]][:700]}},
        r"000003\.jpg in .*zip",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_does_not_fit_together_is_told(offer, server, kind):
    files, message = WRONG[kind]
    place(server, offer(**files))
    with pytest.raises(DataError, match=message):
        load("celeba", image_size=8).images()
    assert packed() == []


def test_an_archive_of_another_kind_is_told(offer, server, cache, monkeypatch):
    downloads = offer()
    place(server, downloads)
    zipped = server.offer("/celeba/img_align_celeba.zip", b"no zip")
    zipped.path.write_bytes(b"no zip")
    monkeypatch.setattr(celeba, "IMAGES", zipped)
    with pytest.raises(DataError, match=r"zip .*not a zip file.*Fetch it again"):
        load("celeba", image_size=8).images()


def test_a_split_that_is_none_is_told(small):
    with pytest.raises(CourseError, match=r"split 'all'.* train, valid, test"):
        load("celeba", split="all")
